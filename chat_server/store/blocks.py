"""Blocks between users: who has blocked whom."""

from chat_server.store.database import Database


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
