"""Notices: events that are kept until their user has been told."""

from chat_server.store.database import Database, Row


def insert(db: Database, user_id: int, event: bytes) -> int:
    return db.insert("INSERT INTO notices (user_id, event) VALUES (?, ?)", (user_id, event))


def of_user(db: Database, user_id: int, limit: int) -> list[tuple[int, bytes]]:
    rows = db.all("SELECT id, event FROM notices WHERE user_id = ? ORDER BY id LIMIT ?", (user_id, limit))
    return [(notice_id, event) for notice_id, event in rows]


def delete(db: Database, user_id: int, notice_id: int) -> None:
    db.run("DELETE FROM notices WHERE id = ? AND user_id = ?", (notice_id, user_id))


def drop(db: Database, select: str, bindings: Row) -> None:
    """Delete notices whose content is no longer true; the statement `select` finds their ids."""
    db.run(f"DELETE FROM notices WHERE id IN ({select})", bindings)
