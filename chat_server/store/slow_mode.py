"""Slow mode: the least time between two messages of one user in a chat, and who wrote within it."""

from chat_server.store.chats import MAIN
from chat_server.store.database import Database

# With each message at most so many are forgotten who may write again, so that none pile up.
FORGOTTEN_AT_ONCE_MAX = 2


def interval_ms(db: Database, chat_id: int) -> int:
    """Return the least time between two messages of one user, 0 for a chat without slow mode."""
    found: int = db.value("SELECT slow_ms FROM chats WHERE id = ?", (chat_id,)) or 0
    return found


def main_interval_ms(db: Database) -> int:
    """Return the interval of main, which no message there has to look up."""
    cache = db.cache
    if cache is None:
        return interval_ms(db, MAIN)
    found = cache.main_slow_ms
    if found is None:
        found = cache.main_slow_ms = interval_ms(db, MAIN)
    return found


def set_interval(db: Database, chat_id: int, slow_ms: int) -> None:
    db.run("UPDATE chats SET slow_ms = ? WHERE id = ?", (slow_ms, chat_id))
    db.forget_places()
    if not slow_ms:
        forget_chat(db, chat_id)


def last_sent_ms(db: Database, chat_id: int, user_id: int) -> int | None:
    found: int | None = db.value("SELECT sent_ms FROM slow_posts WHERE chat_id = ? AND user_id = ?", (chat_id, user_id))
    return found


def note_sent(db: Database, chat_id: int, user_id: int, elapsed_ms: int, slow_ms: int) -> None:
    db.run(
        "DELETE FROM slow_posts WHERE (chat_id, user_id) IN"
        " (SELECT chat_id, user_id FROM slow_posts WHERE chat_id = ? AND sent_ms <= ?"
        " ORDER BY sent_ms, user_id LIMIT ?)",
        (chat_id, elapsed_ms - slow_ms, FORGOTTEN_AT_ONCE_MAX),
    )
    db.run("INSERT OR REPLACE INTO slow_posts VALUES (?, ?, ?)", (chat_id, user_id, elapsed_ms))


def forget_chat(db: Database, chat_id: int) -> None:
    db.run_in_portions(
        "DELETE FROM slow_posts WHERE (chat_id, user_id) IN"
        " (SELECT chat_id, user_id FROM slow_posts WHERE chat_id = ? ORDER BY user_id LIMIT ?)",
        (chat_id,),
    )
