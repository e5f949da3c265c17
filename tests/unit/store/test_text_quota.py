from pathlib import Path

import apsw

from chat_server.store import text_quota
from chat_server.store.database import FILE, open_writer
from chat_server.store.schema import APPLICATION_ID, MIGRATIONS
from tests.unit.chat import Chat


def test_the_texts_of_an_older_database_are_counted_once(tmp_path: Path) -> None:
    """The migration that brings the count finds what is stored, whatever migrations follow."""
    first = next(number for number, script in enumerate(MIGRATIONS) if "text_bytes" in script)
    with apsw.Connection(str(tmp_path / FILE)) as old:
        for script in (*MIGRATIONS[:first], f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {first}"):
            old.execute(script)
        old.execute("INSERT INTO users (id, name, folded, lookalike, shape, created_ms, away) VALUES"
                    " (7, 'a', 'a', 'a', 'a', 0, 'ü'), (8, 'b', 'b', 'b', 'b', 0, NULL)")  # fmt: skip
        old.execute("INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text) VALUES"
                    " (1, 1, 1, 7, 0, 'four'), (2, 2, 1, 7, 0, NULL), (3, 3, 1, 8, 0, '')")  # fmt: skip
        old.execute("INSERT INTO delayed (user_id, due_ms, text) VALUES (7, 0, 'later')")
    db = open_writer(tmp_path)
    assert (text_quota.bytes_of(db, 7), text_quota.bytes_of(db, 8)) == (2 + 4 + 5, 0)
    db.run("DELETE FROM messages")
    assert text_quota.bytes_of(db, 7) == 2 + 5
    db.close()


def test_totals_of_text_bytes(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    assert (text_quota.bytes_of_all(chat.db), text_quota.most_bytes(chat.db)) == (0, 0)
    chat.sign_in("alice", "bob")
    chat.say("alice", "/send_all one")
    chat.say("bob", "/send_all three")
    assert (text_quota.bytes_of_all(chat.db), text_quota.most_bytes(chat.db)) == (8, 5)
