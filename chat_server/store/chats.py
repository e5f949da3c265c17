"""Chats, who is in them, and how far each has read."""

from msgspec import Struct

from chat_server.store.database import Database, Row

MAIN = 1
# A chat's name from the side of user ?1: main, # and its name, or @ and the other one.
_NAME = """CASE c.kind WHEN 'main' THEN 'main' WHEN 'room' THEN c.name ELSE
    '@' || (SELECT name FROM users WHERE id = CASE WHEN c.low_user = ?1 THEN c.high_user ELSE c.low_user END) END"""


class Membership(Struct, frozen=True):
    """A chat of a user: its name from the user's side, the user's read marker in it, and whether it is muted."""

    chat_id: int
    name: str
    read_id: int
    muted: bool


def of_user(db: Database, user_id: int) -> list[Membership]:
    """main first, then by name."""
    rows = db.all(
        f"SELECT c.id, {_NAME} AS name, m.read_id, m.muted <> 0 FROM members m JOIN chats c ON c.id = m.chat_id"
        " WHERE m.user_id = ?1 ORDER BY c.id <> 1, name",
        (user_id,),
    )
    return [_membership(row) for row in rows]


def membership(db: Database, user_id: int, chat_id: int) -> Membership | None:
    row = db.one(
        f"SELECT c.id, {_NAME}, m.read_id, m.muted <> 0 FROM members m JOIN chats c ON c.id = m.chat_id"
        " WHERE m.user_id = ?1 AND m.chat_id = ?2",
        (user_id, chat_id),
    )
    return _membership(row) if row else None


def _membership(row: Row) -> Membership:
    chat_id, name, read_id, muted = row
    return Membership(chat_id, name, read_id, bool(muted))


def direct(db: Database, one: int, other: int) -> int | None:
    """The chat between two users, None if they have none yet."""
    chat_id: int | None = db.value(
        "SELECT id FROM chats WHERE low_user = ? AND high_user = ?", (min(one, other), max(one, other))
    )
    return chat_id


def shared(db: Database, user_id: int) -> list[int]:
    """The chats of the user's that are not one to one."""
    rows = db.all(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.user_id = ? AND c.kind <> 'direct'"
        " ORDER BY c.id",
        (user_id,),
    )
    return [row[0] for row in rows]


def direct_if_open(db: Database, one: int, other: int) -> tuple[int | None, bool]:
    """As `direct`; and whether none of the two has blocked the other."""
    row = db.one(
        "SELECT (SELECT id FROM chats WHERE low_user = ?1 AND high_user = ?2),"
        " NOT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?1 AND blocked_id = ?2)"
        " AND NOT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?2 AND blocked_id = ?1)",
        (min(one, other), max(one, other)),
    )
    assert row is not None
    return row[0], bool(row[1])


def pair(db: Database, chat_id: int) -> list[tuple[int, str]]:
    """The two users of a one-to-one chat, ids and names; empty for any other chat."""
    rows = db.all(
        "SELECT u.id, u.name FROM chats c JOIN users u ON u.id IN (c.low_user, c.high_user)"
        " WHERE c.id = ? ORDER BY u.id",
        (chat_id,),
    )
    return [(user_id, name) for user_id, name in rows]


def room_name(db: Database, chat_id: int) -> str | None:
    """Of a private chat that has not ended."""
    name: str | None = db.value("SELECT name FROM chats WHERE id = ? AND kind = 'room'", (chat_id,))
    return name


def insert_direct(db: Database, one: int, other: int, elapsed_ms: int) -> int:
    chat_id = db.insert(
        "INSERT INTO chats (kind, low_user, high_user) VALUES ('direct', ?, ?)", (min(one, other), max(one, other))
    )
    for user_id in (one, other):
        insert_member(db, user_id, chat_id, 0, elapsed_ms)
    return chat_id


def insert_member(db: Database, user_id: int, chat_id: int, read_id: int, elapsed_ms: int) -> None:
    db.run(
        "INSERT INTO members (user_id, chat_id, read_id, moved_ms) VALUES (?, ?, ?, ?)",
        (user_id, chat_id, read_id, elapsed_ms),
    )


def read_id(db: Database, user_id: int, chat_id: int) -> int:
    """The marker; 0 for who is not in the chat."""
    return db.value("SELECT read_id FROM members WHERE user_id = ? AND chat_id = ?", (user_id, chat_id)) or 0


def set_read(db: Database, user_id: int, chat_id: int, read_id: int, elapsed_ms: int) -> None:
    """The marker has moved: its user is there."""
    db.run(
        "UPDATE members SET read_id = ?, moved_ms = ?, absent = 0 WHERE user_id = ? AND chat_id = ?",
        (read_id, elapsed_ms, user_id, chat_id),
    )


def set_muted(db: Database, user_id: int, chat_id: int, muted: bool) -> bool:
    """Whether that changed anything."""
    db.run(
        "UPDATE members SET muted = ?3 WHERE user_id = ?1 AND chat_id = ?2 AND muted <> ?3", (user_id, chat_id, muted)
    )
    return db.connection.changes() > 0


def read_up_to(db: Database, user_id: int, up_to: int, shown_from: int) -> list[tuple[Membership, int]]:
    """The user's chats whose newest message up to there is above the marker, each with that message's id.

    Without the chats that have unread messages up to `shown_from`.
    """
    rows = db.all(
        """SELECT m.chat_id, m.read_id, (SELECT id FROM messages WHERE chat_id = m.chat_id AND id <= ?2
           ORDER BY id DESC LIMIT 1) FROM members m WHERE m.user_id = ?1 ORDER BY m.chat_id""",
        (user_id, up_to),
    )
    found = []
    for chat_id, marker, newest in rows:
        if newest is None or newest <= marker:
            continue
        if shown_from > marker and _unread_between(db, user_id, chat_id, marker, shown_from):
            continue
        chat = membership(db, user_id, chat_id)
        assert chat is not None
        found.append((chat, newest))
    return found


def _unread_between(db: Database, user_id: int, chat_id: int, after: int, up_to: int) -> bool:
    sql = "SELECT 1 FROM messages WHERE chat_id = ? AND id > ? AND id <= ? AND user_id <> ? LIMIT 1"
    return db.one(sql, (chat_id, after, up_to, user_id)) is not None
