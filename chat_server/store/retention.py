"""Ranges of messages that all members have read, and members who have been absent for long.

A range is noted once all have read it; the messages themselves are not touched until they are removed.
"""

from msgspec import Struct

from chat_server.store.database import Database


class ReadRange(Struct, frozen=True):
    """The messages of a chat with above < id <= up_to that all had read at `read_ms`.

    They are those of one author, or with `user_id` 0 those of all authors.
    """

    read_ms: int
    chat_id: int
    user_id: int
    above: int
    up_to: int


def insert(db: Database, each: ReadRange) -> None:
    """Insert a range. It merges with one of the same chat, time and author, since what lies between was read before."""
    db.run(
        "INSERT INTO read_ranges VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET above = min(above, excluded.above), up_to = max(up_to, excluded.up_to)",
        (each.read_ms, each.chat_id, each.user_id, each.above, each.up_to),
    )


def find_ranges(db: Database, read_ms: int, limit: int) -> list[ReadRange]:
    """Find the ranges that were read at `read_ms` or before, the earliest first."""
    rows = db.all(
        "SELECT read_ms, chat_id, user_id, above, up_to FROM read_ranges WHERE read_ms <= ?"
        " ORDER BY read_ms, chat_id, user_id LIMIT ?",
        (read_ms, limit),
    )
    return [ReadRange(*row) for row in rows]


def find_messages(db: Database, each: ReadRange, limit: int) -> list[tuple[int, int]]:
    """Find the ids and authors of the first messages in the range, of all authors."""
    rows = db.all(
        "SELECT id, user_id FROM messages WHERE chat_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
        (each.chat_id, each.above, each.up_to, limit),
    )
    return [(message_id, author) for message_id, author in rows]


def shorten(db: Database, each: ReadRange, above: int) -> None:
    db.run(
        "UPDATE read_ranges SET above = ? WHERE read_ms = ? AND chat_id = ? AND user_id = ?",
        (above, each.read_ms, each.chat_id, each.user_id),
    )


def delete(db: Database, each: ReadRange) -> None:
    db.run(
        "DELETE FROM read_ranges WHERE read_ms = ? AND chat_id = ? AND user_id = ?",
        (each.read_ms, each.chat_id, each.user_id),
    )


def find_unshared_messages(db: Database, sent_ms: int, limit: int) -> list[tuple[int, int]]:
    """Find the ids and chats of messages that were sent until then and that only their author could read."""
    rows = db.all(
        "SELECT id, chat_id FROM messages WHERE alone AND elapsed_ms <= ? ORDER BY elapsed_ms, id LIMIT ?",
        (sent_ms, limit),
    )
    return [(message_id, chat_id) for message_id, chat_id in rows]


def count_read_messages(db: Database) -> int:
    """Count the messages that all have read. One in two ranges, as after an absent member's return, counts once."""
    found: int = db.value(
        """SELECT count(*) FROM (
            SELECT m.id FROM read_ranges r CROSS JOIN messages m
                ON m.chat_id = r.chat_id AND m.id > r.above AND m.id <= r.up_to AND r.user_id IN (0, m.user_id)
            UNION SELECT id FROM messages WHERE alone)"""
    )
    return found


# ---- members


def lowest_markers(db: Database, chat_id: int) -> list[tuple[int, int]]:
    """Return the users and markers of the two members, or fewer, who have the lowest markers and are not absent."""
    rows = db.all(
        "SELECT user_id, read_id FROM members WHERE chat_id = ? AND absent = 0 ORDER BY read_id, user_id LIMIT 2",
        (chat_id,),
    )
    return [(user_id, read_id) for user_id, read_id in rows]


def find_unmoved_markers(db: Database, moved_ms: int, limit: int) -> list[tuple[int, int, int]]:
    """Find the users, chats and markers of members whose marker has not moved since then, the longest first."""
    rows = db.all(
        "SELECT user_id, chat_id, read_id FROM members WHERE moved_ms <= ? AND NOT absent"
        " ORDER BY moved_ms, user_id, chat_id LIMIT ?",
        (moved_ms, limit),
    )
    return [(user_id, chat_id, read_id) for user_id, chat_id, read_id in rows]


def unread_since_ms(db: Database, user_id: int, chat_id: int, read_id: int, now_ms: int) -> int | None:
    """Return when the first message of another user above the marker was sent, at most `now_ms`; None without one."""
    since: int | None = db.value(
        "SELECT min(coalesce(elapsed_ms, at_ms), ?) FROM messages WHERE chat_id = ? AND id > ? AND user_id <> ?"
        " ORDER BY id LIMIT 1",
        (now_ms, chat_id, read_id, user_id),
    )
    return since


def set_moved(db: Database, user_id: int, chat_id: int, moved_ms: int) -> None:
    db.run("UPDATE members SET moved_ms = ? WHERE user_id = ? AND chat_id = ?", (moved_ms, user_id, chat_id))


def set_absent(db: Database, user_id: int, chat_id: int) -> None:
    db.run("UPDATE members SET absent = 1 WHERE user_id = ? AND chat_id = ?", (user_id, chat_id))


def set_present(db: Database, user_id: int, elapsed_ms: int) -> None:
    """End the user's absence in every chat without unread messages, where the marker cannot move to show it."""
    db.run_in_portions(
        """UPDATE members SET absent = 0, moved_ms = ?2 WHERE user_id = ?1 AND chat_id IN (
            SELECT chat_id FROM members mine WHERE user_id = ?1 AND absent AND NOT EXISTS (
                SELECT 1 FROM messages m
                WHERE m.chat_id = mine.chat_id AND m.id > mine.read_id AND m.user_id <> ?1) LIMIT ?3)""",
        (user_id, elapsed_ms),
    )
