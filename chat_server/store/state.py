"""The one row that says how far this database has come in the log."""

from msgspec import Struct

from chat_server.store.database import Database


class State(Struct):
    """`seq`: the last id or change given out. `at_ms`, `elapsed_ms`, `applied`: the last batch's times and number.

    `limits`: JSON of entries.Limits.

    `spared_ms`: nothing counts as read before this, None until the first start after an upgrade or a restore.
    `indexed`: up to which id `/search` has an index; `index_due_ms`: when that has to go on, None while it has all.
    """

    seq: int
    at_ms: int
    elapsed_ms: int
    applied: int
    limits: str | None
    history: str | None
    indexed: int
    spared_ms: int | None
    index_due_ms: int | None = None


def load(db: Database) -> State:
    row = db.one("SELECT seq, at_ms, elapsed_ms, applied, limits, history, indexed, spared_ms FROM state")
    assert row is not None
    return State(*row)


def advance(db: Database, state: State) -> None:
    db.run(
        "UPDATE state SET seq = ?, at_ms = ?, elapsed_ms = ?, applied = ?, indexed = ?",
        (state.seq, state.at_ms, state.elapsed_ms, state.applied, state.indexed),
    )


def begin(db: Database, state: State, history: str) -> None:
    """A new database becomes that of the chat with this history."""
    state.history = history
    db.run("UPDATE state SET history = ?", (history,))


def configure(db: Database, state: State, limits: str) -> None:
    """Set the limits. From the first time on messages that all have read may be removed after their life."""
    if state.spared_ms is None:
        state.spared_ms = state.elapsed_ms
    db.run("UPDATE state SET limits = ?, spared_ms = ?", (limits, state.spared_ms))


# Rows and the newest of their times by the wall clock, of those later than ?1; columns that each version has.
_DATED_LATER = """SELECT count(*), max(latest) FROM (
    SELECT max(at_ms, coalesce(edited_ms, 0), coalesce(deleted_ms, 0)) AS latest FROM messages
    UNION ALL SELECT max(coalesce(seen_ms, 0), coalesce(deleted_ms, 0)) FROM users
) WHERE latest > ?1"""


def dated_later(db: Database, at_ms: int) -> tuple[int, int | None]:
    """How many messages and accounts have a time of the wall clock after this one, and the latest of these."""
    row = db.one(_DATED_LATER, (at_ms,))
    assert row is not None
    return row[0], row[1]


def database_bytes(db: Database) -> int:
    size: int = db.value("PRAGMA page_count") * db.value("PRAGMA page_size")
    return size


_NEXT_DUE = """SELECT min(due) FROM (
    SELECT min(due_ms) AS due FROM delayed WHERE by_clock = 0
    UNION ALL SELECT min(ban_until_ms) FROM users WHERE ban_open
    UNION ALL SELECT (SELECT 0 FROM chats WHERE kind = 'ended' LIMIT 1)
    UNION ALL SELECT (SELECT 0 FROM dropped LIMIT 1)
    UNION ALL SELECT (SELECT 0 FROM erasures LIMIT 1)
    UNION ALL SELECT min(expires_ms) FROM uploads WHERE expires_ms IS NOT NULL
    UNION ALL SELECT max(min(read_ms), (SELECT spared_ms FROM state)) + ?1 FROM read_ranges
    UNION ALL SELECT max(min(elapsed_ms), (SELECT spared_ms FROM state)) + ?1 FROM messages WHERE alone
    UNION ALL SELECT max(min(moved_ms), (SELECT spared_ms FROM state)) + ?2 FROM members WHERE NOT absent
)"""


def next_due_ms(db: Database, message_ttl_ms: int | None, absent_after_ms: int | None) -> int | None:
    """When the first thing that waits is due, by how long the chat has lived.

    A delayed message, the end of a ban, of a message's life, of the time in which a marker has to move, what a chat
    or an account left behind, the end of an upload, what is to be taken off the disk.
    """
    due: int | None = db.value(_NEXT_DUE, (message_ttl_ms, absent_after_ms))
    return due


def next_due_at_ms(db: Database) -> int | None:
    """When the first thing is due for which somebody named a time of the wall clock."""
    due_at: int | None = db.value("SELECT min(due_ms) FROM delayed WHERE by_clock = 1")
    return due_at
