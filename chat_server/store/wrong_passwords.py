"""Counts of wrong passwords: how many were given for each account, by whom, and when last."""

from msgspec import Struct

from chat_server.store.database import Database

# Of all accounts together. The one whose last wrong password was longest ago is forgotten.
COUNTS_MAX = 100_000


class WrongPasswords(Struct, frozen=True):
    """The wrong passwords that count together. `last_ms` is elapsed time."""

    count: int = 0
    last_ms: int = 0


def load(db: Database, user_id: int, counted_as: str) -> WrongPasswords:
    row = db.one(
        "SELECT count, last_ms FROM wrong_passwords WHERE user_id = ? AND counted_as = ?", (user_id, counted_as)
    )
    return WrongPasswords(*row) if row else WrongPasswords()


def save(db: Database, user_id: int, counted_as: str, found: WrongPasswords) -> None:
    """Save a count under the next number. Numbers grow with time, so the oldest counts have the lowest ones."""
    number = db.insert(
        "INSERT OR REPLACE INTO wrong_passwords (user_id, counted_as, count, last_ms) VALUES (?, ?, ?, ?)",
        (user_id, counted_as, found.count, found.last_ms),
    )
    db.run("DELETE FROM wrong_passwords WHERE number <= ?", (number - COUNTS_MAX,))


def delete(db: Database, user_id: int, counted_as: str) -> None:
    db.run("DELETE FROM wrong_passwords WHERE user_id = ? AND counted_as = ?", (user_id, counted_as))


def delete_all(db: Database, user_id: int) -> None:
    db.run("DELETE FROM wrong_passwords WHERE user_id = ?", (user_id,))


def delete_old(db: Database, last_ms: int, limit: int) -> None:
    """Delete counts whose last wrong password was at that time or before, at most `limit` of them."""
    db.run_in_portions(
        "DELETE FROM wrong_passwords WHERE last_ms <= ?"
        " AND number IN (SELECT number FROM wrong_passwords ORDER BY number LIMIT ?)",
        (last_ms,),
        limit,
    )
