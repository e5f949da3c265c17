"""What is left of deleted accounts, and its removal, a bounded number of rows at a time."""

import msgspec
from msgspec import Struct

from chat_server.store.database import Database
from chat_server.store.messages import delete_reactions

# One portion looks for the account's messages among so many ids. There is no index by author; 20,000 take 1.5 ms.
IDS_SCANNED_MAX = 20_000


class Erasure(Struct, frozen=True):
    """An account that is being erased. Its messages with `after` < id <= `up_to` and rows of other tables are left."""

    user_id: int
    after: int
    up_to: int


def insert(db: Database, user_id: int, up_to: int) -> None:
    db.run("INSERT INTO erasures VALUES (?, 0, ?)", (user_id, up_to))


def first(db: Database) -> Erasure | None:
    """Return the erasure that is next in line, None if there is none."""
    row = db.one("SELECT user_id, after_id, up_to FROM erasures ORDER BY user_id LIMIT 1")
    return Erasure(*row) if row else None


def advance(db: Database, user_id: int, after: int) -> None:
    db.run("UPDATE erasures SET after_id = ? WHERE user_id = ?", (after, user_id))


def delete(db: Database, user_id: int) -> None:
    """Delete the erasure of an account of which nothing is left."""
    db.run("DELETE FROM erasures WHERE user_id = ?", (user_id,))


def find_messages(db: Database, each: Erasure, limit: int) -> tuple[list[int], int]:
    """Find the ids of the account's next undeleted messages. Also return the id up to which all were looked at."""
    end = min(each.up_to, each.after + IDS_SCANNED_MAX)
    rows = db.all(
        "SELECT id FROM messages WHERE id > ? AND id <= ? AND user_id = ? AND deleted_ms IS NULL ORDER BY id LIMIT ?",
        (each.after, end, each.user_id, limit),
    )
    found = [message_id for (message_id,) in rows]
    return found, found[-1] if len(found) == limit else end


def erase_messages(db: Database, ids: list[int], seq: int, at_ms: int) -> None:
    """Delete the texts, files and reactions of messages. Each message gets a seq of its own, from `seq` + 1 on."""
    listed = (msgspec.json.encode(ids).decode(),)
    delete_reactions(db, ids)
    db.run("DELETE FROM files WHERE message_id IN (SELECT value FROM json_each(?))", listed)
    db.run(
        """UPDATE messages SET text = NULL, mentions = NULL, deleted_ms = ?3, reactions = 0, file_id = NULL,
            seq = ?2 + 1 + listed.key
        FROM json_each(?1) AS listed WHERE messages.id = listed.value""",
        (*listed, seq, at_ms),
    )
    db.unclean = True


def erase_reactions(db: Database, user_id: int, seq: int, limit: int) -> list[int]:
    """Delete the account's reactions to at most `limit` messages of others, and return the ids of these.

    Each message gets a seq of its own, from `seq` + 1 on.
    """
    rows = db.all(
        "SELECT DISTINCT r.message_id FROM reactions r JOIN messages m ON m.id = r.message_id"
        " WHERE r.user_id = ?1 AND m.user_id <> ?1 ORDER BY r.message_id LIMIT ?2",
        (user_id, limit),
    )
    ids = [message_id for (message_id,) in rows]
    listed = msgspec.json.encode(ids).decode()
    db.run(
        """UPDATE messages SET seq = ?3 + 1 + listed.key, reactions = reactions -
            (SELECT count(*) FROM reactions r WHERE r.message_id = messages.id AND r.user_id = ?1)
        FROM json_each(?2) AS listed WHERE messages.id = listed.value""",
        (user_id, listed, seq),
    )
    # The account may have up to twenty reactions to each message.
    db.run_in_portions(
        "DELETE FROM reactions WHERE (message_id, emoji, user_id) IN (SELECT message_id, emoji, user_id FROM reactions"
        " WHERE user_id = ? AND message_id IN (SELECT value FROM json_each(?)) LIMIT ?)",
        (user_id, listed),
    )
    return ids


def find_memberships(db: Database, user_id: int, limit: int) -> list[tuple[int, int]]:
    """Find the chats that the account is still a member of, with its read markers there."""
    rows = db.all("SELECT chat_id, read_id FROM members WHERE user_id = ? ORDER BY chat_id LIMIT ?", (user_id, limit))
    return [(chat_id, read_id) for chat_id, read_id in rows]


def delete_membership(db: Database, user_id: int, chat_id: int) -> None:
    db.run("DELETE FROM members WHERE user_id = ? AND chat_id = ?", (user_id, chat_id))
    db.forget_places()


_ROWS = (
    "DELETE FROM keys WHERE user_id = ?1 AND key IN (SELECT key FROM keys WHERE user_id = ?1 ORDER BY key LIMIT ?2)",
    "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE user_id = ?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM preferences WHERE user_id = ?1 AND name IN"
    " (SELECT name FROM preferences WHERE user_id = ?1 ORDER BY name LIMIT ?2)",
    "DELETE FROM blocks WHERE user_id = ?1 AND blocked_id IN"
    " (SELECT blocked_id FROM blocks WHERE user_id = ?1 ORDER BY blocked_id LIMIT ?2)",
    "DELETE FROM blocks WHERE blocked_id = ?1 AND user_id IN"
    " (SELECT user_id FROM blocks WHERE blocked_id = ?1 ORDER BY user_id LIMIT ?2)",
    "UPDATE reports SET reason = '' WHERE reporter = ?1 AND target IN"
    " (SELECT target FROM reports WHERE reporter = ?1 AND reason <> '' ORDER BY target LIMIT ?2)",
)


def erase_rows(db: Database, user_id: int, limit: int) -> int:
    """Delete at most `limit` rows that only the account ever saw. Return how many were deleted."""
    left = limit
    for sql in _ROWS:
        if left:
            db.run(sql, (user_id, left))
            left -= db.connection.changes()
    db.unclean = db.unclean or left < limit
    return limit - left
