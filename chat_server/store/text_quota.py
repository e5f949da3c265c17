"""The size of each user's stored texts, which triggers of the tables count (see `schema`)."""

from chat_server.store.database import Database


def bytes_of(db: Database, user_id: int) -> int:
    return db.value("SELECT bytes FROM text_bytes WHERE user_id = ?", (user_id,)) or 0


def bytes_of_all(db: Database) -> int:
    total: int = db.value("SELECT coalesce(sum(bytes), 0) FROM text_bytes")
    return total


def most_bytes(db: Database) -> int:
    """Return the size of the texts of the user who has most."""
    return db.value("SELECT max(bytes) FROM text_bytes") or 0
