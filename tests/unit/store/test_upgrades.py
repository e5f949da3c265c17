"""Upgrades from each released version: nothing is lost, and nothing ends too early.

`tests/data/chat-vN.db.gz` was made by the last program of version N (`tests/data/make.py`): five people, of whom
mallory was banned by the others; messages in main, in one-to-one and (from 2 on) private chats, read and unread, a
comment, an edit, a deletion, a reaction, delayed messages of each kind, and (from 6 on) a file and an upload.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from chat_server.errors import StartError
from chat_server.store import backup, database, digests
from chat_server.store.database import FILE, open_reader, open_unchanged, open_writer
from chat_server.store.schema import MIGRATIONS, VERSION
from tests.unit.chat import Chat
from tests.unit.fakes import DAY_MS, HOUR_MS, FakeClock
from tests.unit.store.old_databases import DATA, copy_old

# What each version had already, in the same form for all of them.
KEPT = (
    "SELECT id, seq, chat_id, user_id, at_ms, text, edited_ms, deleted_ms, reply_to, reactions FROM messages",
    "SELECT id, name, folded, password, created_ms, seen_ms, ban_until_ms, ban_reason FROM users",
    "SELECT id, kind, low_user, high_user FROM chats",
    "SELECT user_id, chat_id, read_id FROM members",
    "SELECT message_id, emoji, user_id FROM reactions",
    "SELECT hash, user_id, used_ms FROM tokens",
    "SELECT user_id, key, digest, answer FROM keys",
    "SELECT id, user_id, target_user, due_ms, text FROM delayed",
    "SELECT reporter, target, reason, address, counted FROM reports",
    "SELECT seq, at_ms, limits, history FROM state",
)
# The newest one, made by `tests/data/make.py`, is there for the versions after it.
VERSIONS = sorted(int(path.name[6:-6]) for path in DATA.glob("chat-v*.db.gz"))[:-1]
versions = pytest.mark.parametrize("version", VERSIONS)


def content(path: Path) -> list[list[Any]]:
    with closing(apsw.Connection(str(path / FILE))) as connection:
        return [sorted(connection.execute(query).fetchall()) for query in KEPT]


def start(path: Path, stopped_ms: int) -> Chat:
    """Return the chat after the first start of this version, `stopped_ms` after the last batch of the old one."""
    with closing(apsw.Connection(str(path / FILE))) as connection:
        rows: Any = connection.execute("SELECT at_ms FROM state").fetchall()
        ((last_ms,),) = rows
    chat = Chat(path, FakeClock(last_ms + stopped_ms), message_ttl_ms=HOUR_MS, absent_after_ms=30 * DAY_MS)
    chat.ids = {name: id_ for id_, name in chat.db.all("SELECT id, name FROM users")}
    chat.due()
    return chat


def texts(chat: Chat) -> set[str | None]:
    return {text for (text,) in chat.db.all("SELECT text FROM messages")}


@versions
def test_an_upgrade_loses_nothing(tmp_path: Path, version: int) -> None:
    before = content(copy_old(tmp_path, version))
    chat = Chat(tmp_path, FakeClock(0))
    chat.close()
    *after, (state,) = content(tmp_path)
    assert after == before[:-1] and all(before)
    assert state[0] == before[-1][0][0] and state[3] == before[-1][0][3], "the history is the same"
    with closing(apsw.Connection(str(tmp_path / FILE))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@versions
def test_nothing_is_removed_within_one_life_after_an_upgrade(tmp_path: Path, version: int) -> None:
    chat = start(copy_old(tmp_path, version), 10 * DAY_MS)
    there = texts(chat)
    assert {"first in main, edited", "third, @bob", "private to bob", "unread by all"} <= there
    waiting = chat.executor.count_read()
    assert waiting >= 5
    chat.clock.advance(HOUR_MS - 1)
    chat.due()
    assert texts(chat) == there
    chat.clock.advance(1)
    chat.due()
    chat.clock.advance(HOUR_MS)
    chat.due()
    assert there - texts(chat) >= {"first in main, edited", "third, @bob", "private to bob"}
    assert {"unread by all", "private to alice, unread"} <= texts(chat)
    assert waiting - len(there - texts(chat)) in (0, 1), "and the deletion's mark"
    chat.close()


@versions
def test_durations_last_as_long_after_an_upgrade(tmp_path: Path, version: int) -> None:
    chat = start(copy_old(tmp_path, version), HOUR_MS)
    (ban,) = chat.db.all("SELECT ban_until_ms FROM users WHERE name = 'mallory' AND ban_open")
    left_ms = ban[0] - chat.time.now().elapsed_ms
    assert 2 * HOUR_MS < left_ms < 3 * HOUR_MS
    waiting = {each.text: each.due for each in chat.say("alice", "/delayed").reply.delayed}
    assert waiting["later, at a time"] == "2027-03-01T12:00:00.000Z"
    assert "later, in units" in waiting
    chat.clock.advance(31 * 60_000)
    chat.due()
    assert "later, in units" in texts(chat)
    chat.clock.advance(left_ms)
    chat.due()
    assert "waits for the end of a ban" in texts(chat)
    chat.close()


@versions
def test_times_in_the_future_are_cut_to_a_full_length(tmp_path: Path, version: int) -> None:
    chat = start(copy_old(tmp_path, version), -30 * DAY_MS)
    assert chat.say("alice", "/status").reply.at < "2026-11-01"
    chat.clock.advance(90 * 60_000)
    chat.due()
    assert "later, in units" in texts(chat)
    chat.clock.advance(150 * 60_000)
    chat.due()
    assert "waits for the end of a ban" in texts(chat)
    assert [each.text for each in chat.say("alice", "/delayed").reply.delayed] == ["later, at a time"]
    chat.close()


@versions
def test_a_reader_does_not_migrate(tmp_path: Path, version: int) -> None:
    copy_old(tmp_path, version)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StartError, match=f"has version {version}, and this program reads version {VERSION} alone"):
        open_unchanged(tmp_path)
    open_unchanged(tmp_path, older=True).close()
    assert (tmp_path / FILE).read_bytes() == before


def test_a_restored_chat_is_spared_like_an_upgraded_one(tmp_path: Path) -> None:
    chat = start(copy_old(tmp_path, VERSIONS[-1]), 0)
    there = texts(chat)
    chat.close()
    backup.begin_history(tmp_path / FILE, "another")
    chat = start(tmp_path, 3 * HOUR_MS)
    assert there <= texts(chat)
    chat.clock.advance(HOUR_MS - 1)
    chat.due()
    assert there <= texts(chat)
    chat.clock.advance(1)
    chat.due()
    assert not there <= texts(chat)
    chat.close()


def test_a_migration_changes_no_row_of_a_node_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that upgrades later holds the same until then, and after that again."""
    open_writer(tmp_path).close()
    with closing(apsw.Connection(str(tmp_path / FILE))) as connection:
        connection.execute("UPDATE state SET stream = 2, spared_ms = 5, history = 'h'")
    monkeypatch.setattr(database, "VERSION", VERSION + 1)
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (id INTEGER PRIMARY KEY)"))

    def tables() -> dict[str, str]:
        with closing(open_reader(tmp_path)) as db:
            return digests.now_of_tables(db)

    before = tables()
    open_writer(tmp_path).close()
    assert "more" in (after := tables())
    assert {name: after[name] for name in before} == before


def test_a_restart_spares_nothing(tmp_path: Path) -> None:
    chat = start(copy_old(tmp_path, VERSIONS[-1]), 0)
    there = texts(chat)
    chat.close()
    chat = start(tmp_path, 3 * HOUR_MS)
    assert not there <= texts(chat)
    chat.close()
