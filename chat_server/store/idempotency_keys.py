"""Idempotency keys of sending commands, with the command's digest and its reply."""

from chat_server.store.database import Database


def find(db: Database, user_id: int, key: str, after_ms: int) -> tuple[bytes, bytes] | None:
    """Find the digest and the answer that are stored under this key, if it was used after that time."""
    row = db.one(
        "SELECT digest, answer FROM keys WHERE user_id = ? AND key = ? AND elapsed_ms > ?", (user_id, key, after_ms)
    )
    return row and (row[0], row[1])


def insert(db: Database, user_id: int, key: str, digest: bytes, answer: bytes, elapsed_ms: int) -> None:
    db.run("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", (user_id, key, digest, answer, elapsed_ms))


def delete_old(db: Database, before_ms: int, limit: int) -> None:
    db.run_in_portions(
        "DELETE FROM keys WHERE (user_id, key) IN"
        " (SELECT user_id, key FROM keys WHERE elapsed_ms <= ? ORDER BY elapsed_ms LIMIT ?)",
        (before_ms,),
        limit,
    )
