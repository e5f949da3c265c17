"""Preferences: words that clients keep with an account, for all of its user's devices."""

from chat_server.store.database import Database


def of_user(db: Database, user_id: int) -> dict[str, str]:
    """Return the user's preferences by their names, sorted."""
    return dict(db.all("SELECT name, value FROM preferences WHERE user_id = ? ORDER BY name", (user_id,)))


def put(db: Database, user_id: int, name: str, value: str) -> None:
    db.run("INSERT OR REPLACE INTO preferences VALUES (?, ?, ?)", (user_id, name, value))
    db.unclean = True  # it may have had another value


def delete(db: Database, user_id: int, name: str) -> None:
    db.run("DELETE FROM preferences WHERE user_id = ? AND name = ?", (user_id, name))
    db.unclean = True
