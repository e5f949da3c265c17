"""Private chats: members, invitations, requests to join, and invitation links."""

import msgspec
from msgspec import Struct

from chat_server.protocol.names import Name
from chat_server.store import messages, notices, slow_mode
from chat_server.store.database import ROWS_MAX, Database

# The links of one chat that have not expired. Beyond it, the one that would expire first ends.
LINKS_MAX = 100
_COLUMNS = "c.id, c.name, c.owner, c.topic, c.slow_ms"


class Room(Struct, frozen=True):
    """A private chat. `name` begins with #; `owner` is a user's id; `slow_ms` is 0 without slow mode."""

    id: int
    name: str
    owner: int
    topic: str | None
    slow_ms: int = 0


def of_member(db: Database, user_id: int, folded: str) -> Room | None:
    """Find a chat by name among those that the user is in, so that timing does not tell whether others have it."""
    row = db.one(
        f"SELECT {_COLUMNS} FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.user_id = ? AND m.room = ?",
        (user_id, folded),
    )
    return Room(*row) if row else None


def by_id(db: Database, chat_id: int) -> Room:
    """Return a chat that has not ended."""
    row = db.one(f"SELECT {_COLUMNS} FROM chats c WHERE c.id = ?", (chat_id,))
    assert row is not None
    return Room(*row)


def of_user(db: Database, user_id: int) -> list[Room]:
    """Return the private chats that the user is in, sorted by id."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM members m JOIN chats c ON c.id = m.chat_id"
        " WHERE m.user_id = ? AND m.room IS NOT NULL ORDER BY c.id",
        (user_id,),
    )
    return [Room(*row) for row in rows]


def ids_of_user(db: Database, user_id: int) -> list[int]:
    rows = db.all("SELECT chat_id FROM members WHERE user_id = ? AND room IS NOT NULL ORDER BY chat_id", (user_id,))
    return [chat_id for (chat_id,) in rows]


def count_of_user(db: Database, user_id: int) -> int:
    count: int = db.value("SELECT count(*) FROM members WHERE user_id = ? AND room IS NOT NULL", (user_id,))
    return count


def find_similar_name(db: Database, name: Name) -> tuple[str, bool] | None:
    """Find the name of a chat that this name equals or looks like, and tell whether it equals it."""
    rows = db.all(
        "SELECT name, folded = ?1, lookalike = ?2 FROM chats WHERE folded IS NOT NULL"
        " AND (folded = ?1 OR lookalike = ?2 OR shape = ?3) ORDER BY folded <> ?1, id",
        (name.folded, name.lookalike, name.shape),
    )
    return next(
        ((like, bool(same)) for like, same, alike in rows
         if same or alike or not (like.isascii() and name.name.isascii())),
        None,
    )  # fmt: skip


def insert(db: Database, name: Name, owner: int) -> Room:
    shown = f"#{name.name}"
    chat_id = db.insert(
        "INSERT INTO chats (kind, name, folded, lookalike, shape, owner) VALUES ('room', ?, ?, ?, ?, ?)",
        (shown, name.folded, name.lookalike, name.shape, owner),
    )
    return Room(chat_id, shown, owner, None)


def set_owner(db: Database, chat_id: int, owner: int) -> None:
    db.run("UPDATE chats SET owner = ? WHERE id = ?", (owner, chat_id))
    db.forget_text_bytes()


def set_topic(db: Database, chat_id: int, topic: str | None) -> None:
    db.run("UPDATE chats SET topic = ? WHERE id = ?", (topic, chat_id))
    db.unclean = True  # it may have had one
    db.forget_text_bytes()


# ---- members


def join(db: Database, chat_id: int, user_id: int, elapsed_ms: int) -> None:
    """Add the user as the chat's newest member, with the read marker at the newest message."""
    db.run(
        "INSERT INTO members (user_id, chat_id, read_id, moved_ms, room, joined) SELECT ?1, id, ?2, ?4, folded,"
        " (SELECT coalesce(max(joined), 0) + 1 FROM members WHERE chat_id = ?3)"
        " FROM chats WHERE id = ?3",
        (user_id, messages.newest_id(db, chat_id), chat_id, elapsed_ms),
    )


def leave(db: Database, chat_id: int, user_id: int) -> None:
    db.run("DELETE FROM members WHERE user_id = ? AND chat_id = ?", (user_id, chat_id))
    db.forget_places()


def is_member(db: Database, chat_id: int, user_id: int) -> bool:
    return db.one("SELECT 1 FROM members WHERE user_id = ? AND chat_id = ?", (user_id, chat_id)) is not None


def longest_member(db: Database, chat_id: int) -> int | None:
    user_id: int | None = db.value("SELECT user_id FROM members WHERE chat_id = ? ORDER BY joined LIMIT 1", (chat_id,))
    return user_id


def member_names(db: Database, chat_id: int, limit: int, after: int = 0) -> list[str]:
    """Return the names of members in the order in which they joined, beginning after the member with the id `after`."""
    rows = db.all(
        "SELECT u.name FROM members m JOIN users u ON u.id = m.user_id WHERE m.chat_id = ?1 AND m.joined >"
        " coalesce((SELECT joined FROM members WHERE chat_id = ?1 AND user_id = ?2), 0) ORDER BY m.joined LIMIT ?3",
        (chat_id, after, limit),
    )
    return [row[0] for row in rows]


# ---- invitations


def invite(db: Database, chat_id: int, user_id: int, by_user: int, notice: int) -> None:
    db.run(
        "INSERT INTO invitations (user_id, room, chat_id, by_user, notice)"
        " SELECT ?, folded, id, ?, ? FROM chats WHERE id = ?",
        (user_id, by_user, notice, chat_id),
    )


def by_invitation(db: Database, user_id: int, folded: str) -> Room | None:
    """Find a chat by name among those that the user is invited to."""
    row = db.one(
        f"SELECT {_COLUMNS} FROM invitations i JOIN chats c ON c.id = i.chat_id WHERE i.user_id = ? AND i.room = ?",
        (user_id, folded),
    )
    return Room(*row) if row else None


def is_invited(db: Database, chat_id: int, user_id: int) -> bool:
    return db.one("SELECT 1 FROM invitations WHERE user_id = ? AND chat_id = ?", (user_id, chat_id)) is not None


def invitations(db: Database, user_id: int, limit: int) -> list[tuple[str, str]]:
    """Return the names of chats that the user is invited to and of who invited, sorted by chat."""
    rows = db.all(
        "SELECT c.name, u.name FROM invitations i JOIN chats c ON c.id = i.chat_id JOIN users u ON u.id = i.by_user"
        " WHERE i.user_id = ? ORDER BY i.room LIMIT ?",
        (user_id, limit),
    )
    return [(chat, by) for chat, by in rows]


def count_invitations(db: Database, user_id: int) -> int:
    count: int = db.value("SELECT count(*) FROM invitations WHERE user_id = ?", (user_id,))
    return count


def end_invitation(db: Database, chat_id: int, user_id: int) -> None:
    """Delete the invitation and its notice."""
    _end_waiting(db, "invitations", "user_id = ? AND chat_id = ?", (user_id, chat_id))


def end_invitations_by(db: Database, chat_id: int, by_user: int) -> None:
    _end_waiting(db, "invitations", "chat_id = ? AND by_user = ?", (chat_id, by_user))


# ---- requests to be let in


def insert_request(db: Database, chat_id: int, user_id: int, notice: int) -> None:
    db.run("INSERT INTO join_requests (chat_id, user_id, notice) VALUES (?, ?, ?)", (chat_id, user_id, notice))


def has_asked(db: Database, chat_id: int, user_id: int) -> bool:
    return db.one("SELECT 1 FROM join_requests WHERE chat_id = ? AND user_id = ?", (chat_id, user_id)) is not None


def count_requests(db: Database, chat_id: int) -> int:
    count: int = db.value("SELECT count(*) FROM join_requests WHERE chat_id = ?", (chat_id,))
    return count


def requests(db: Database, chat_id: int) -> list[tuple[int, str]]:
    """Return the ids and names of those who ask to join, the first one first."""
    rows = db.all(
        "SELECT u.id, u.name FROM join_requests r JOIN users u ON u.id = r.user_id WHERE r.chat_id = ? ORDER BY r.id",
        (chat_id,),
    )
    return [(user_id, name) for user_id, name in rows]


def requests_to(db: Database, owner: int, limit: int) -> list[tuple[str, str]]:
    """Return the names of this owner's chats and of those who ask to join them, the first request first."""
    rows = db.all(
        "SELECT c.name, u.name FROM chats c JOIN join_requests r ON r.chat_id = c.id JOIN users u ON u.id = r.user_id"
        " WHERE c.owner = ? ORDER BY r.id LIMIT ?",
        (owner, limit),
    )
    return [(chat, user) for chat, user in rows]


def end_request(db: Database, chat_id: int, user_id: int) -> None:
    """Delete the request and its notice."""
    _end_waiting(db, "join_requests", "chat_id = ? AND user_id = ?", (chat_id, user_id))


def set_request_notice(db: Database, chat_id: int, user_id: int, notice: int) -> None:
    """Replace the notice under which the owner is told of the request."""
    notices.drop(db, "SELECT notice FROM join_requests WHERE chat_id = ? AND user_id = ?", (chat_id, user_id))
    db.run("UPDATE join_requests SET notice = ? WHERE chat_id = ? AND user_id = ?", (notice, chat_id, user_id))


# ---- links


def insert_link(db: Database, chat_id: int, code_hash: bytes, expires_ms: int) -> None:
    """Insert a link. Beyond LINKS_MAX the one that would expire first is deleted."""
    db.run("INSERT INTO links VALUES (?, ?, ?)", (code_hash, chat_id, expires_ms))
    db.run(
        "DELETE FROM links WHERE hash IN"
        " (SELECT hash FROM links WHERE chat_id = ? ORDER BY expires_ms DESC, hash LIMIT -1 OFFSET ?)",
        (chat_id, LINKS_MAX),
    )


def by_link(db: Database, code_hash: bytes, elapsed_ms: int) -> Room | None:
    row = db.one(
        f"SELECT {_COLUMNS} FROM links l JOIN chats c ON c.id = l.chat_id WHERE l.hash = ? AND l.expires_ms > ?",
        (code_hash, elapsed_ms),
    )
    return Room(*row) if row else None


def delete_links(db: Database, chat_id: int, elapsed_ms: int = 0) -> int:
    """Delete all links of a chat. Return how many were still valid."""
    good: int = db.value("SELECT count(*) FROM links WHERE chat_id = ? AND expires_ms > ?", (chat_id, elapsed_ms))
    db.run("DELETE FROM links WHERE chat_id = ?", (chat_id,))
    return good


def delete_old_links(db: Database, elapsed_ms: int, limit: int) -> None:
    db.run_in_portions(
        "DELETE FROM links WHERE hash IN (SELECT hash FROM links WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
        (elapsed_ms,),
        limit,
    )


# ---- the end


def end(db: Database, chat_id: int) -> None:
    """End a chat whose last member has left: from here on nobody finds it. `clear_ended` removes its messages."""
    delete_links(db, chat_id)
    slow_mode.forget_chat(db, chat_id)
    _end_waiting(db, "invitations", "chat_id = ?", (chat_id,))
    _end_waiting(db, "join_requests", "chat_id = ?", (chat_id,))
    db.run(
        "UPDATE chats SET kind = 'ended', name = NULL, folded = NULL, lookalike = NULL, shape = NULL, owner = NULL,"
        " topic = NULL, slow_ms = 0 WHERE id = ?",
        (chat_id,),
    )
    db.forget_places()


def clear_ended(db: Database, limit: int) -> None:
    """Remove at most `limit` messages of a chat that has ended. The chat's row goes with the last one."""
    chat_id = db.value("SELECT id FROM chats WHERE kind = 'ended' ORDER BY id LIMIT 1")
    if chat_id is not None and messages.clear(db, chat_id, limit) < limit:
        db.run("DELETE FROM chats WHERE id = ?", (chat_id,))
        db.unclean = True


def forget_user(db: Database, user_id: int) -> None:
    """Delete the invitations to and by an account that ends, and its requests to join."""
    for by in ("user_id", "by_user"):
        _end_waiting(db, "invitations", f"{by} = ?", (user_id,))
    _end_waiting(db, "join_requests", "user_id = ?", (user_id,))


def end_between(db: Database, one: int, other: int) -> None:
    """Delete the invitations of either user by the other, and the requests of either to join a chat of the other."""
    for asker, asked in ((one, other), (other, one)):
        _end_waiting(db, "invitations", "user_id = ? AND by_user = ?", (asked, asker))
        _end_waiting(
            db, "join_requests", "user_id = ? AND chat_id IN (SELECT id FROM chats WHERE owner = ?)", (asker, asked)
        )


def _end_waiting(db: Database, table: str, where: str, bindings: tuple[int, ...]) -> None:
    """Delete invitations or requests with their notices, in portions, since one chat may have invited everybody."""
    while rows := db.all(f"SELECT notice FROM {table} WHERE {where} LIMIT ?", (*bindings, ROWS_MAX)):
        listed = msgspec.json.encode([notice for (notice,) in rows]).decode()
        notices.drop(db, "SELECT value FROM json_each(?)", (listed,))
        db.run(f"DELETE FROM {table} WHERE {where} AND notice IN (SELECT value FROM json_each(?))", (*bindings, listed))
