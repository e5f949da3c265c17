"""How far the database has come in the log: the one row of the state, and the senders of batches."""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from chat_server.log.stream import Position
from chat_server.store.database import Database, change_rows


class Sender(Struct, frozen=True):
    """A node that writes into the log, and its last batch: which start wrote it, its number there, and when.

    `sent_ms` is the node's own wall clock, and `elapsed_ms` how long the chat had lived.
    """

    id: int
    incarnation: int
    nonce: bytes
    number: int
    sent_ms: int
    elapsed_ms: int


class State(Struct):
    """The state row, and the nodes by their names. A lone server's log notes no nodes and no outcomes.

    - `seq`: the last id or change number that was given out.
    - `at_ms`, `elapsed_ms`: the two times of the last batch.
    - `position`, `digest`: where in the log the last batch stands, and the digest of its record there.
    - `limits`: `entries.Limits` as JSON.
    - `outcomes`: the running digest of what batches came to (see `digests`).
    - `version`: that of the log (see `log.versions`), 0 before the first batch.
    - `sender`: the name of the node whose batch was executed last.
    - `spared_ms`: the time before which nothing counts as read; None until the first start after an upgrade or restore
      of a single server. In a cluster nothing but the log changes it.
    """

    seq: int
    at_ms: int
    elapsed_ms: int
    position: Position
    digest: bytes
    limits: str | None
    history: str | None
    spared_ms: int | None
    outcomes: bytes = b""
    version: int = 0
    sender: str | None = None
    nodes: dict[str, Sender] = {}


def load(db: Database) -> State:
    row = db.one(
        "SELECT seq, at_ms, elapsed_ms, stream, sequence, digest, limits, history, spared_ms, outcomes,"
        " version, sender, number, sent_ms FROM state"
    )
    assert row is not None
    seq, at_ms, elapsed_ms, stream, sequence, digest, *more, sender, number, sent_ms = row
    state = State(seq, at_ms, elapsed_ms, Position(stream, sequence), digest, *more)
    for name, *columns in db.all("SELECT name, id, incarnation, nonce, number, sent_ms, elapsed_ms FROM nodes"):
        node = Sender(*columns)
        if node.id == sender:
            state.sender = name
            node = replace(node, number=number, sent_ms=sent_ms, elapsed_ms=elapsed_ms)
        state.nodes[name] = node
    return state


def advance(db: Database, state: State) -> None:
    """Store all that each batch changes. It is one row, since a second one cost 3 µs a batch.

    In a lone server's log only its place tells a batch from a repetition, and no other node compares outcomes.
    """
    if not state.position.stream:
        db.run(
            "UPDATE state SET seq = ?, at_ms = ?, elapsed_ms = ?, sequence = ?",
            (state.seq, state.at_ms, state.elapsed_ms, state.position.sequence),
        )
        return
    sender = None if state.sender is None else state.nodes[state.sender]
    db.run(
        "UPDATE state SET seq = ?, at_ms = ?, elapsed_ms = ?, stream = ?, sequence = ?, digest = ?,"
        " outcomes = ?, sender = ?, number = ?, sent_ms = ?",
        (
            *(state.seq, state.at_ms, state.elapsed_ms, *state.position, state.digest, state.outcomes),
            *((0, 0, 0) if sender is None else (sender.id, sender.number, sender.sent_ms)),
        ),
    )


def note_sender(
    db: Database, state: State, name: str, incarnation: int, nonce: bytes, number: int, sent_ms: int
) -> None:
    """Note the batch that is being executed as the last one of its node. `advance` MUST follow."""
    known, last = state.nodes.get(name), state.sender
    if last is not None and last != name:
        # What the row of the state said of the last sender goes to the sender's own.
        node = state.nodes[last]
        db.run(
            "UPDATE nodes SET number = ?, sent_ms = ?, elapsed_ms = ? WHERE id = ?",
            (node.number, node.sent_ms, node.elapsed_ms, node.id),
        )
    if known is None:
        id = db.insert("INSERT INTO nodes (name, incarnation, nonce) VALUES (?, ?, ?)", (name, incarnation, nonce))
    else:
        id = known.id
        if (known.incarnation, known.nonce) != (incarnation, nonce):
            db.run("UPDATE nodes SET incarnation = ?, nonce = ? WHERE id = ?", (incarnation, nonce, id))
    # A new dict, since the old one is the state's again if the batch is rolled back.
    node = Sender(id, incarnation, nonce, number, sent_ms, state.elapsed_ms)
    state.nodes, state.sender = {**state.nodes, name: node}, name


def begin(db: Database, state: State, history: str, version: int) -> None:
    """Make a new database that of the chat with this history, whose log begins with this version."""
    state.history, state.version = history, version
    change_rows(db, 0, version)
    db.run("UPDATE state SET history = ?, version = ?", (history, version))


def raise_version(db: Database, state: State, version: int) -> None:
    """Raise the version of the log of a cluster. As after an upgrade of a single server, nothing is removed for a life.

    What is removed then may be what only the newer programs counted as read.
    """
    change_rows(db, state.version, version)
    state.version, state.spared_ms = version, state.elapsed_ms
    db.run("UPDATE state SET version = ?, spared_ms = ?", (version, state.spared_ms))


def configure(db: Database, state: State, limits: str) -> None:
    """Set the limits. From the first call on, messages that all have read may be removed at the end of their life."""
    if state.spared_ms is None:
        state.spared_ms = state.elapsed_ms
    state.limits = limits
    db.run("UPDATE state SET limits = ?, spared_ms = ?", (limits, state.spared_ms))


# The rows with a wall clock time later than ?1, and the latest of these times. Each version has these columns.
_DATED_LATER = """SELECT count(*), max(latest) FROM (
    SELECT max(at_ms, coalesce(edited_ms, 0), coalesce(deleted_ms, 0)) AS latest FROM messages
    UNION ALL SELECT max(coalesce(seen_ms, 0), coalesce(deleted_ms, 0)) FROM users
) WHERE latest > ?1"""


def count_dated_later(db: Database, at_ms: int) -> tuple[int, int | None]:
    """Count the messages and accounts with a wall clock time later than this one. Return the latest of these, too."""
    row = db.one(_DATED_LATER, (at_ms,))
    assert row is not None
    return row[0], row[1]


def database_bytes(db: Database) -> int:
    size: int = db.value("PRAGMA page_count") * db.value("PRAGMA page_size")
    return size


# One statement for all that each batch asks: another one costs 2 µs a batch.
_AHEAD = """SELECT (SELECT min(due) FROM (
    SELECT min(due_ms) AS due FROM delayed WHERE by_clock = 0
    UNION ALL SELECT min(ban_until_ms) FROM users WHERE ban_open
    UNION ALL SELECT (SELECT 0 FROM chats WHERE kind = 'ended' LIMIT 1)
    UNION ALL SELECT (SELECT 0 FROM erasures LIMIT 1)
    UNION ALL SELECT min(expires_ms) FROM uploads WHERE expires_ms IS NOT NULL
    UNION ALL SELECT max(min(read_ms), (SELECT spared_ms FROM state)) + ?1 FROM read_ranges
    UNION ALL SELECT max(min(elapsed_ms), (SELECT spared_ms FROM state)) + ?1 FROM messages WHERE alone
    UNION ALL SELECT max(min(moved_ms), (SELECT spared_ms FROM state)) + ?2 FROM members WHERE NOT absent
)), (SELECT min(due_ms) FROM delayed WHERE by_clock = 1), (SELECT coalesce(max(id), 0) FROM dropped)"""


class Ahead(NamedTuple):
    """What is ahead of the state.

    - `due_ms`: the elapsed time at which the next thing is due, None if nothing waits: a delayed message, the end of a
      ban, of a message's life or of an upload, a marker that should have moved, or the remains of a chat or an account.
    - `due_at_ms`: when the next message is due whose author named a time of the wall clock, None if none waits.
    - `dropped`: the number of the last note of something that was dropped, 0 if there is none.
    """

    due_ms: int | None
    due_at_ms: int | None
    dropped: int


def look_ahead(db: Database, message_ttl_ms: int | None, absent_after_ms: int | None) -> Ahead:
    row = db.one(_AHEAD, (message_ttl_ms, absent_after_ms))
    assert row is not None
    return Ahead(*row)
