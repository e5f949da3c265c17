"""Reports and bans."""

from chat_server.store import accounts
from chat_server.store.database import Database


def report_exists(db: Database, reporter: int, target: int) -> bool:
    return db.one("SELECT 1 FROM reports WHERE reporter = ? AND target = ?", (reporter, target)) is not None


def reports_by(db: Database, reporter: int, after_ms: int) -> int:
    count: int = db.value("SELECT count(*) FROM reports WHERE reporter = ? AND at_ms > ?", (reporter, after_ms))
    return count


def counted(db: Database, target: int, since_ms: int) -> int:
    """How many reports count against the user since then."""
    count: int = db.value(
        "SELECT count(*) FROM reports WHERE target = ? AND at_ms >= ? AND counted", (target, since_ms)
    )
    return count


def counted_from(db: Database, target: int, since_ms: int, address: str) -> bool:
    """Whether a report from this address counts already."""
    return db.one(
        "SELECT 1 FROM reports WHERE target = ? AND at_ms >= ? AND counted AND address = ?", (target, since_ms, address)
    ) is not None  # fmt: skip


def insert_report(
    db: Database, reporter: int, target: int, at_ms: int, reason: str, address: str, counted: bool
) -> None:
    db.run("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)", (reporter, target, at_ms, reason, address, counted))


def ban(db: Database, user_id: int, until_ms: int, reason: str) -> None:
    accounts.update(db, user_id, "ban_until_ms = ?, ban_reason = ?, ban_open = 1", until_ms, reason)


def ended(db: Database, at_ms: int, limit: int) -> list[int]:
    """The users whose ban has ended and who were not told yet; the longest ended first."""
    rows = db.all(
        "SELECT id FROM users WHERE ban_open AND ban_until_ms <= ? ORDER BY ban_until_ms, id LIMIT ?", (at_ms, limit)
    )
    return [row[0] for row in rows]


def close_ban(db: Database, user_id: int) -> None:
    accounts.update(db, user_id, "ban_open = 0")
