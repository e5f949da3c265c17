"""Blocks between users: who has blocked whom."""

from chat_server.store.database import Database

_NAMED = """SELECT u.name,
    EXISTS (SELECT 1 FROM members m WHERE m.user_id = u.id AND m.chat_id = ?2)
    AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = u.id AND b.blocked_id = ?3)
    FROM users u WHERE u.folded = ?1 AND u.deleted_ms IS NULL"""


def insert(db: Database, user_id: int, blocked_id: int) -> None:
    db.run("INSERT OR IGNORE INTO blocks VALUES (?, ?)", (user_id, blocked_id))
    db.forget_places()


def delete(db: Database, user_id: int, blocked_id: int) -> None:
    db.run("DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?", (user_id, blocked_id))


def has_blocked(db: Database, user_id: int, blocked_id: int) -> bool:
    return db.one("SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?", (user_id, blocked_id)) is not None


def is_blocked_between(db: Database, one: int, other: int) -> bool:
    """Tell whether one of the two has blocked the other."""
    return has_blocked(db, one, other) or has_blocked(db, other, one)


def find_named(db: Database, folded: str, chat_id: int, author_id: int) -> tuple[str, bool] | None:
    """Find the user of a folded name: the name, and whether the user is in the chat and has not blocked the author.

    That is asked at once, since three statements for each name took 33 k instructions, and one takes 20 k.
    """
    row = db.one(_NAMED, (folded, chat_id, author_id))
    return row and (row[0], bool(row[1]))


def count_of(db: Database, user_id: int) -> int:
    count: int = db.value("SELECT count(*) FROM blocks WHERE user_id = ?", (user_id,))
    return count


def names_of(db: Database, user_id: int) -> list[str]:
    """Return the names of the users whom the user has blocked, sorted."""
    rows = db.all(
        "SELECT u.name FROM blocks b JOIN users u ON u.id = b.blocked_id"
        " WHERE b.user_id = ? AND u.deleted_ms IS NULL ORDER BY u.folded",
        (user_id,),
    )
    return [row[0] for row in rows]
