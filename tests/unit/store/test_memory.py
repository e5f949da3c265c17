"""The memory of statements is bounded, so that nothing has to go to the system's temporary directory.

The figures are those of SQLite itself: the most that it ever had, with the pages of its cache.
"""

import contextlib
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from chat_server.store import erasures, files, idempotency_keys, messages, retention, rooms
from chat_server.store.database import ROWS_MAX, Database, open_reader, open_writer

MANY = 6000
PEAK_BYTES_MAX = 16 << 20
TEXT = "x" * 2000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with more of everything than one statement should touch."""
    db = open_writer(tmp_path_factory.mktemp("big"))
    with db.connection:
        db.run("PRAGMA defer_foreign_keys = ON")
        numbers = range(1, MANY + 1)
        many = db.connection.executemany
        many("INSERT INTO users (id, name, folded, lookalike, shape, created_ms) VALUES (?1, ?1, ?1, ?1, ?1, 0)",
             ((number,) for number in numbers))  # fmt: skip
        db.run("INSERT INTO chats (id, kind, owner) VALUES (1000001, 'ended', 1)")
        columns = "id, chat_id, user_id, at_ms, seq, text"
        many(f"INSERT INTO messages ({columns}) VALUES (?1, 1000001, 1, 0, ?1, ?2)",
             ((number, TEXT) for number in numbers))  # fmt: skip
        many("INSERT INTO reactions VALUES (1, ?1, ?1, 1)", ((number,) for number in numbers))
        many("INSERT INTO notices (id, user_id, event) VALUES (?, 1, x'')", ((number,) for number in numbers))
        many("INSERT INTO invitations VALUES (?1, 'x', 1000001, 1, ?1)", ((number,) for number in numbers))
        many("INSERT INTO keys VALUES (1, ?1, ?2, ?2, 0)", ((str(number), TEXT.encode()) for number in numbers))
        many("INSERT INTO chats (kind, low_user, high_user) VALUES ('direct', 1, ?)", ((n,) for n in numbers if n > 1))
        db.run("INSERT INTO members (user_id, chat_id, read_id, absent) SELECT 1, id, 0, 1 FROM chats")
        columns = "id, user_id, node, lease, target_kind, target_name, target_folded, name, size, sha256"
        many(f"INSERT INTO uploads ({columns})"
             " VALUES (?1, ?1, 'n1', 'l1', 'main', '', '', ?2, 1, '')",
             ((number, TEXT) for number in numbers))  # fmt: skip
    yield db
    db.close()


HEAVY: dict[str, Callable[[Database], object]] = {
    "messages expire": lambda db: messages.remove(db, list(range(1, ROWS_MAX + 1))),
    "an ended chat is cleared": lambda db: rooms.clear_ended(db, 1000),
    "an account is erased": lambda db: erasures.erase_messages(db, list(range(1, 501)), MANY, 1),
    "one message with many reactions is deleted": lambda db: messages.delete_reactions(db, [1]),
    "all keys have expired": lambda db: idempotency_keys.delete_old(db, 1, MANY),
    "all uploads wait": lambda db: files.leave(db, "n1", None, 1),
    "a chat that invited everybody ends": lambda db: rooms.end(db, 1_000_001),
    "a user who is in many chats is there": lambda db: retention.set_present(db, 1, 1),
}


@pytest.mark.parametrize("what", HEAVY)
def test_the_peak_of_memory_is_bounded(big: Database, what: str) -> None:
    """The same work in one statement would exceed the bound. It is rolled back for the next test."""
    big.run("BEGIN IMMEDIATE")
    apsw.status(apsw.SQLITE_STATUS_MEMORY_USED, True)
    before = apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0]
    touched = _rows_of_each_statement(big, lambda: HEAVY[what](big))
    peak = apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[1] - before
    big.run("ROLLBACK")
    assert peak < PEAK_BYTES_MAX
    assert max(touched, default=0) <= ROWS_MAX


def _rows_of_each_statement(db: Database, do: Callable[[], object]) -> list[int]:
    """Return how many rows each statement changed, without those that its triggers changed."""
    touched = []

    def note(told: dict[str, str]) -> None:
        if told["sql"].startswith(("DELETE", "UPDATE", "INSERT")):
            touched.append(db.connection.changes())

    db.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    try:
        do()
    finally:
        db.connection.trace_v2(0, None)
    return touched


DATA = Path(__file__).parents[2] / "data"
LONG = "x" * 4000


@pytest.mark.parametrize("version", [3, 8])
def test_the_peak_of_memory_in_an_upgrade_is_bounded(tmp_path: Path, version: int) -> None:
    """The database has more text than may be kept in memory, and an upgrade reads all of it."""
    (tmp_path / "chat.db").write_bytes(gzip.decompress((DATA / f"chat-v{version}.db.gz").read_bytes()))
    with contextlib.closing(apsw.Connection(str(tmp_path / "chat.db"))) as old, old:
        columns = [name for _, name, *_ in old.execute("PRAGMA table_info(messages)")]
        taken = {"id": "1000 + value", "seq": "1000 + value", "text": "?1", "alone": "1"}
        old.execute(
            f"""WITH RECURSIVE numbers (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM numbers WHERE value < ?2)
            INSERT INTO messages ({", ".join(columns)}) SELECT {", ".join(taken.get(name, name) for name in columns)}
            FROM numbers, (SELECT * FROM messages WHERE text IS NOT NULL LIMIT 1)""",
            (LONG, 2 * PEAK_BYTES_MAX // len(LONG)),
        )
        old.execute("UPDATE state SET seq = 1000000")
    apsw.status(apsw.SQLITE_STATUS_MEMORY_USED, True)
    before = apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0]
    open_writer(tmp_path).close()
    assert apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[1] - before < PEAK_BYTES_MAX


def test_temporary_files_are_kept_in_memory(tmp_path: Path) -> None:
    for db in (open_writer(tmp_path), open_reader(tmp_path)):
        assert db.value("PRAGMA temp_store") == 2
        db.close()
