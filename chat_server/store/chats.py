"""Chats, their members, and the members' read markers."""

from msgspec import Struct

from chat_server.protocol.arguments import ID_MAX
from chat_server.store.cache import Cache
from chat_server.store.database import Database, Row

MAIN = 1
# Whoever is in more chats than this is not asked for all of them at each sign of life: with 100 chats that took 65 of
# the 154 µs of a message. With fewer it costs less than to keep `Cache.unread`.
FEW_CHATS = 16
# A user with more unread chats of two is asked for all chats.
UNREAD_KEPT_MAX = 32
# A chat's name as user ?1 sees it: main, # and its name, or @ and the other user's name.
_NAME = """CASE c.kind WHEN 'main' THEN 'main' WHEN 'room' THEN c.name ELSE
    '@' || (SELECT name FROM users WHERE id = CASE WHEN c.low_user = ?1 THEN c.high_user ELSE c.low_user END) END"""


class Membership(Struct, frozen=True):
    """A user's membership in a chat: the chat's name as the user sees it, the read marker, and whether it is muted."""

    chat_id: int
    name: str
    read_id: int
    muted: bool


def of_user(db: Database, user_id: int) -> list[Membership]:
    """Return the user's chats: main first, then sorted by name."""
    rows = db.all(
        f"SELECT c.id, {_NAME} AS name, m.read_id, m.muted <> 0 FROM members m JOIN chats c ON c.id = m.chat_id"
        " WHERE m.user_id = ?1 ORDER BY c.id <> 1, name",
        (user_id,),
    )
    return [_membership(row) for row in rows]


def find_membership(db: Database, user_id: int, chat_id: int) -> Membership | None:
    row = db.one(
        f"SELECT c.id, {_NAME}, m.read_id, m.muted <> 0 FROM members m JOIN chats c ON c.id = m.chat_id"
        " WHERE m.user_id = ?1 AND m.chat_id = ?2",
        (user_id, chat_id),
    )
    return _membership(row) if row else None


def _membership(row: Row) -> Membership:
    chat_id, name, read_id, muted = row
    return Membership(chat_id, name, read_id, bool(muted))


def find_direct(db: Database, one: int, other: int) -> int | None:
    """Find the one-to-one chat of two users, None if they have none yet."""
    chat_id: int | None = db.value(
        "SELECT id FROM chats WHERE low_user = ? AND high_user = ?", (min(one, other), max(one, other))
    )
    return chat_id


def shared_chat_ids(db: Database, user_id: int) -> list[int]:
    """Return the ids of the user's chats that are not one to one."""
    rows = db.all(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.user_id = ? AND c.kind <> 'direct'"
        " ORDER BY c.id",
        (user_id,),
    )
    return [row[0] for row in rows]


def find_direct_if_open(db: Database, one: int, other: int) -> tuple[int | None, bool]:
    """Find a chat as `find_direct` does, and tell whether neither of the two has blocked the other."""
    row = db.one(
        "SELECT (SELECT id FROM chats WHERE low_user = ?1 AND high_user = ?2),"
        " NOT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?1 AND blocked_id = ?2)"
        " AND NOT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?2 AND blocked_id = ?1)",
        (min(one, other), max(one, other)),
    )
    assert row is not None
    return row[0], bool(row[1])


def users_of_direct(db: Database, chat_id: int) -> list[tuple[int, str]]:
    """Return the ids and names of the two users of a one-to-one chat; nothing for any other chat."""
    rows = db.all(
        "SELECT u.id, u.name FROM chats c JOIN users u ON u.id IN (c.low_user, c.high_user)"
        " WHERE c.id = ? ORDER BY u.id",
        (chat_id,),
    )
    return [(user_id, name) for user_id, name in rows]


def find_room(db: Database, chat_id: int) -> tuple[str, int] | None:
    """Return the name and the slow mode of a private chat that has not ended, None for any other chat."""
    row = db.one("SELECT name, slow_ms FROM chats WHERE id = ? AND kind = 'room'", (chat_id,))
    return row and (row[0], row[1])


def unblocked_members(db: Database, chat_id: int, user_id: int, limit: int) -> list[int]:
    """Return the other members of the user's chat who have not blocked the user, nor are blocked by the user."""
    rows = db.all(
        "SELECT m.user_id FROM members m WHERE m.chat_id = ?1 AND m.user_id <> ?2 AND NOT EXISTS (SELECT 1 FROM blocks"
        " b WHERE (b.user_id = ?2 AND b.blocked_id = m.user_id) OR (b.user_id = m.user_id AND b.blocked_id = ?2))"
        " ORDER BY m.user_id LIMIT ?3",
        (chat_id, user_id, limit),
    )
    return [row[0] for row in rows]


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
    """Return the user's read marker, 0 for a user who is not in the chat."""
    return db.value("SELECT read_id FROM members WHERE user_id = ? AND chat_id = ?", (user_id, chat_id)) or 0


def move_read_marker(db: Database, user_id: int, chat_id: int, read_id: int, elapsed_ms: int) -> None:
    """Move the marker, which also shows that its user is not absent."""
    db.run(
        "UPDATE members SET read_id = ?, moved_ms = ?, absent = 0 WHERE user_id = ? AND chat_id = ?",
        (read_id, elapsed_ms, user_id, chat_id),
    )
    if db.cache is not None and (unread := db.cache.unread.get(user_id)) and unread.get(chat_id, ID_MAX) <= read_id:
        del unread[chat_id]


def set_muted(db: Database, user_id: int, chat_id: int, muted: bool) -> bool:
    """Mute or unmute a chat. Return whether that changed anything."""
    db.run(
        "UPDATE members SET muted = ?3 WHERE user_id = ?1 AND chat_id = ?2 AND muted <> ?3", (user_id, chat_id, muted)
    )
    return db.connection.changes() > 0


class Unread(Struct, frozen=True):
    """A chat of a user with unread messages: its name as the user sees it, the marker, and the id of the newest one."""

    chat_id: int
    name: str
    read_id: int
    newest_id: int


def find_unread_chats(db: Database, user_id: int, up_to: int, shown_from: int) -> list[Unread]:
    """Find the user's chats whose newest message up to the id `up_to` is above the marker.

    Chats that have unread messages up to the id `shown_from` are left out.
    """
    rows = _newest_messages(db, user_id, up_to)
    found = []
    for chat_id, marker, newest in rows:
        if newest is None or newest <= marker:
            continue
        if shown_from > marker and _unread_between(db, user_id, chat_id, marker, shown_from):
            continue
        found.append(Unread(chat_id, name_for(db, user_id, chat_id), marker, newest))
    return found


_NEWEST = """SELECT m.chat_id, m.read_id, (SELECT id FROM messages WHERE chat_id = m.chat_id AND id <= ?2
    ORDER BY id DESC LIMIT 1) FROM members m {} WHERE m.user_id = ?1 {}"""
_NEWEST_OF_ALL = _NEWEST.format("", "ORDER BY m.chat_id")
_NEWEST_OF_ONE = _NEWEST.format("", "AND m.chat_id = ?3")
_NEWEST_OF_ROOMS = _NEWEST.format("INDEXED BY members_room", "AND m.room IS NOT NULL")
_NEWEST_OF_DIRECT = _NEWEST.format("", f"AND m.room IS NULL AND m.chat_id <> {MAIN}")


def _newest_messages(db: Database, user_id: int, up_to: int) -> list[Row]:
    """Return the user's chats: ids, markers, and newest ids up to `up_to`. Some that are read may lack."""
    cache = db.cache
    unread = None if cache is None else cache.unread.get(user_id)
    if unread is None:
        rows = db.all(_NEWEST_OF_ALL, (user_id, up_to))
        if cache is not None and len(rows) > FEW_CHATS:
            _keep_unread(db, cache, user_id)
        return rows
    rows = [*db.all(_NEWEST_OF_ONE, (user_id, up_to, MAIN)), *db.all(_NEWEST_OF_ROOMS, (user_id, up_to))]
    for chat_id in unread:
        rows += db.all(_NEWEST_OF_ONE, (user_id, up_to, chat_id))
    rows.sort()
    return rows


def _keep_unread(db: Database, cache: Cache, user_id: int) -> None:
    rows = db.all(_NEWEST_OF_DIRECT, (user_id, ID_MAX))
    unread = {chat_id: newest for chat_id, marker, newest in rows if newest is not None and newest > marker}
    if len(unread) <= UNREAD_KEPT_MAX:
        cache.unread[user_id] = unread


def note_message(cache: Cache, chat_id: int, user_id: int, message_id: int) -> None:
    """Note that there is a new message in a user's chat of two."""
    unread = cache.unread.get(user_id)
    if unread is not None:
        unread[chat_id] = message_id
        if len(unread) > UNREAD_KEPT_MAX:
            del cache.unread[user_id]


def name_for(db: Database, user_id: int, chat_id: int) -> str:
    """Return the name of a chat as a member sees it."""
    if chat_id == MAIN:
        return "main"
    name: str = db.value(f"SELECT {_NAME} FROM chats c WHERE c.id = ?2", (user_id, chat_id))
    return name


def _unread_between(db: Database, user_id: int, chat_id: int, after: int, up_to: int) -> bool:
    sql = "SELECT 1 FROM messages WHERE chat_id = ? AND id > ? AND id <= ? AND user_id <> ? LIMIT 1"
    return db.one(sql, (chat_id, after, up_to, user_id)) is not None
