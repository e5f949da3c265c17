"""Delayed messages that wait to be sent."""

from msgspec import Struct

from chat_server.store.database import Database, Row


class DueTime(Struct, frozen=True):
    """When a message is due: in elapsed time, or by the wall clock if its author named such a time (`by_clock`)."""

    due_ms: int
    by_clock: bool = False


class Delayed(Struct, frozen=True):
    """A delayed message.

    `target_user` is None for main and private chats, `room_id` is None for main and users. `target_name` is the name
    of the chat. `named` are the folded names that the text mentions.
    """

    id: int
    user_id: int
    target_user: int | None
    room_id: int | None
    target_name: str
    when: DueTime
    text: str
    named: tuple[str, ...]


_SELECT = """SELECT d.id, d.user_id, d.target_user, d.room_id, coalesce('@' || u.name, d.room_name, 'main'), d.due_ms,
    d.by_clock, d.text, d.mentions
    FROM delayed d LEFT JOIN users u ON u.id = d.target_user WHERE """


def insert(
    db: Database,
    user_id: int,
    target_user: int | None,
    room: tuple[int, str] | None,
    when: DueTime,
    text: str,
    named: tuple[str, ...],
) -> int:
    """Insert a message and return its id. `room` is the id and the name of the private chat that it goes to."""
    room_id, room_name = room or (None, None)
    return db.insert(
        "INSERT INTO delayed (user_id, target_user, room_id, room_name, due_ms, by_clock, text, mentions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (user_id, target_user, room_id, room_name, when.due_ms, when.by_clock, text, " ".join(named) or None),
    )


def delete(db: Database, delayed_id: int, *, is_sent: bool) -> None:
    """Delete a delayed message. The text of one that was sent is that of a message now."""
    db.run("DELETE FROM delayed WHERE id = ?", (delayed_id,))
    db.unclean = db.unclean or not is_sent


def delete_own(db: Database, delayed_id: int, user_id: int) -> bool:
    db.run("DELETE FROM delayed WHERE id = ? AND user_id = ?", (delayed_id, user_id))
    is_gone = db.connection.changes() > 0
    db.unclean = db.unclean or is_gone
    return is_gone


def postpone(db: Database, delayed_id: int, due_ms: int) -> None:
    """Let a message wait for the end of a limit or a ban, in elapsed time."""
    db.run("UPDATE delayed SET due_ms = ?, by_clock = 0 WHERE id = ?", (due_ms, delayed_id))


def count_of(db: Database, user_id: int) -> int:
    count: int = db.value("SELECT count(*) FROM delayed WHERE user_id = ?", (user_id,))
    return count


def of_user(db: Database, user_id: int) -> list[Delayed]:
    return [_delayed(row) for row in db.all(_SELECT + "d.user_id = ? ORDER BY d.id", (user_id,))]


def find_due(db: Database, at_ms: int, elapsed_ms: int, limit: int) -> list[Delayed]:
    """Find the messages that are due, at most `limit` by either clock, those that have been due for longest."""
    where = _SELECT + "d.by_clock = ? AND d.due_ms <= ? ORDER BY d.due_ms, d.id LIMIT ?"
    return [
        _delayed(row)
        for by_clock, now_ms in ((False, elapsed_ms), (True, at_ms))
        for row in db.all(where, (by_clock, now_ms, limit))
    ]


def _delayed(row: Row) -> Delayed:
    id_, user_id, target_user, room_id, target_name, due_ms, by_clock, text, mentions = row
    when, named = DueTime(due_ms, bool(by_clock)), tuple((mentions or "").split())
    return Delayed(id_, user_id, target_user, room_id, target_name, when, text, named)


def reschedule(db: Database, user_id: int, from_ms: int, to_ms: int) -> None:
    """Move the messages that wait for the end of a ban to its new end."""
    db.run("UPDATE delayed SET due_ms = ? WHERE user_id = ? AND due_ms = ? AND by_clock = 0", (to_ms, user_id, from_ms))
