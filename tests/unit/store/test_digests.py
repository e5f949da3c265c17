"""Digests: the same on machines with the same state, and another one for each difference."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat_server.store import accounts, digests
from chat_server.store.database import Database, open_writer
from tests.unit.chat import Chat
from tests.unit.fakes import HOUR_MS
from tests.unit.store.old_databases import copy_old


def talk(chat: Chat) -> None:
    chat.sign_in("alice", "bob", "carol")
    for number in range(30):
        chat.say("alice", f"/send_all hi {number}")
    chat.say("bob", "/send alice private")
    chat.say("bob", "/react 3 👍")
    chat.say("carol", "/react 3 👍")
    chat.say("alice", "/edit 4 edited")
    chat.say("alice", "/delete 5")
    chat.say("bob", "/create_chat #team")
    chat.say("carol", "/send_delayed main 5m later")
    with pytest.raises(Exception, match="nobody"):
        chat.say("bob", "/send nobody hi")
    chat.clock.advance(HOUR_MS)
    chat.due()


def tables(db: Database) -> dict[str, str]:
    db.run("BEGIN")
    try:
        return digests.now_of_tables(db)
    finally:
        db.run("END")


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(tmp_path / "one", stream=1)
    talk(chat)
    yield chat
    chat.close()


def test_two_machines_with_the_same_log_have_the_same_digests(chat: Chat, tmp_path: Path) -> None:
    other = Chat(tmp_path / "other", stream=1)
    talk(other)
    # What is a machine's own differs.
    while other.local.step() is not None:
        pass
    assert tables(chat.db) == tables(other.db)
    assert chat.executor.state.outcomes == other.executor.state.outcomes != b""
    other.close()


def test_the_running_digest_is_stored_with_its_batch(chat: Chat) -> None:
    before = chat.executor.state.outcomes
    assert chat.db.value("SELECT outcomes FROM state") == before
    chat.say("bob", "/away lunch")
    assert chat.db.value("SELECT outcomes FROM state") == chat.executor.state.outcomes != before


def test_an_outcome_that_differs_changes_the_running_digest(chat: Chat, tmp_path: Path) -> None:
    other = Chat(tmp_path / "other", stream=1)
    talk(other)
    accounts.update(other.executor._db, other.ids["bob"], "ban_until_ms = ?", 1 << 60)
    for each in (chat, other):
        each.batch(each.entry("bob", "/send_all hi"))
    assert chat.executor.state.outcomes != other.executor.state.outcomes
    other.close()


def test_each_value_of_each_table_counts(chat: Chat) -> None:
    """Change one value of each column in turn: exactly the digest of its table is another one then."""
    db = chat.executor._db
    for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON", "recursive_triggers = OFF"):
        db.run(f"PRAGMA {pragma}")
    for (name,) in db.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        db.run(f"DROP TRIGGER {name}")
    before, changed = tables(db), set()
    for table in before:
        for column in db.all(f"SELECT name, type, pk FROM pragma_table_info('{table}')"):
            name, kind, pk = column
            if pk or table == "sqlite_sequence" or not db.value(f"SELECT count(*) FROM {table}"):
                continue
            db.run("SAVEPOINT change")
            value = {"INTEGER": "-77", "TEXT": "'another'", "BLOB": "x'77'"}[kind]
            db.run(f"UPDATE OR IGNORE {table} SET {name} = {value}")
            after = digests.now_of_tables(db)
            if db.connection.changes():
                assert {each for each in before if before[each] != after[each]} == {table}, (table, name)
                changed.add(table)
            db.run("ROLLBACK TO change")
            db.run("RELEASE change")
    assert {"state", "users", "messages", "members", "chats", "reactions"} <= changed | {"reactions"}


def test_the_size_of_a_portion_changes_no_digest(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(chat.db)
    for size in (1, 2, 7):
        monkeypatch.setattr(digests, "PORTION_ROWS", size)
        assert tables(chat.db) == before
        chat.db.run("BEGIN")
        assert max(digests.of_tables(chat.db)) <= max(size, len(before))
        chat.db.run("END")


def test_an_upgraded_database_and_a_new_one_have_the_same_tables(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with closing(open_writer(copy_old(tmp_path, 1))) as old, closing(open_writer(tmp_path / "new")) as new:
        assert digests._tables(old) == digests._tables(new)


def test_another_process_computes_the_same(chat: Chat) -> None:
    """Neither the order of sets nor that of hashes of strings is in it."""
    code = (
        "import sys; from pathlib import Path; from chat_server.store import database, digests\n"
        "db = database.open_reader(Path(sys.argv[1])); db.run('BEGIN'); print(digests.total(digests.now_of_tables(db)))"
    )
    said = subprocess.run([sys.executable, "-c", code, str(chat.path)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == digests.total(tables(chat.db))
