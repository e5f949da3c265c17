"""Reports and bans."""

from chat_server.store import accounts
from chat_server.store.database import Database


def has_reported(db: Database, reporter: int, target: int) -> bool:
    return db.one("SELECT 1 FROM reports WHERE reporter = ? AND target = ?", (reporter, target)) is not None


def count_reports_by(db: Database, reporter: int, after_ms: int) -> int:
    count: int = db.value("SELECT count(*) FROM reports WHERE reporter = ? AND elapsed_ms > ?", (reporter, after_ms))
    return count


def nth_last_report_ms(db: Database, reporter: int, later: int) -> int:
    """Return when the user made the report that only `later` others followed, 0 if there is none."""
    made_ms: int | None = db.value(
        "SELECT elapsed_ms FROM reports WHERE reporter = ? ORDER BY elapsed_ms DESC LIMIT 1 OFFSET ?", (reporter, later)
    )
    return made_ms or 0


def count_counted_reports(db: Database, target: int, since_ms: int) -> int:
    """Count the reports since then that count towards a ban of the user."""
    count: int = db.value(
        "SELECT count(*) FROM reports WHERE target = ? AND elapsed_ms >= ? AND counted", (target, since_ms)
    )
    return count


def has_counted_report_from(db: Database, target: int, since_ms: int, address: str) -> bool:
    """Tell whether a report from this address counts already."""
    return db.one(
        "SELECT 1 FROM reports WHERE target = ? AND elapsed_ms >= ? AND counted AND address = ?",
        (target, since_ms, address),
    ) is not None  # fmt: skip


def insert_report(
    db: Database, reporter: int, target: int, elapsed_ms: int, reason: str, address: str, counted: bool
) -> None:
    db.run("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)", (reporter, target, elapsed_ms, reason, address, counted))


def ban(db: Database, user_id: int, until_ms: int, reason: str) -> None:
    accounts.update(db, user_id, "ban_until_ms = ?, ban_reason = ?, ban_open = 1", until_ms, reason)


def unban(db: Database, user_id: int, elapsed_ms: int) -> None:
    """End the ban now. Reports are counted from here on."""
    accounts.update(db, user_id, "ban_until_ms = ?, ban_open = 0", elapsed_ms)


def last_reports(db: Database, target: int | None, limit: int) -> list[tuple[int, str, str, int, str, bool]]:
    """Return the last reports, or the last ones about one user, newest first.

    A row has the target's id, the names of target and reporter, the elapsed time, the reason, and whether it counted.
    """
    where = "" if target is None else "WHERE r.target = ?2"
    rows = db.all(
        "SELECT r.target, t.name, b.name, r.elapsed_ms, r.reason, r.counted FROM reports r"
        f" JOIN users t ON t.id = r.target JOIN users b ON b.id = r.reporter {where}"
        " ORDER BY r.elapsed_ms DESC, r.reporter LIMIT ?1",
        (limit,) if target is None else (limit, target),
    )
    return [(id_, name, by, made_ms, reason, bool(counted)) for id_, name, by, made_ms, reason, counted in rows]


def count_reports_about(db: Database, target: int) -> int:
    count: int = db.value("SELECT count(*) FROM reports WHERE target = ?", (target,))
    return count


def count_reports_since(db: Database, elapsed_ms: int) -> int:
    count: int = db.value("SELECT count(*) FROM reports WHERE elapsed_ms > ?", (elapsed_ms,))
    return count


def count_banned(db: Database, elapsed_ms: int) -> int:
    count: int = db.value("SELECT count(*) FROM users WHERE ban_open AND ban_until_ms > ?", (elapsed_ms,))
    return count


def find_ended_bans(db: Database, elapsed_ms: int, limit: int) -> list[int]:
    """Find the users whose ban has ended and who were not told yet, in the order of the ends."""
    rows = db.all(
        "SELECT id FROM users WHERE ban_open AND ban_until_ms <= ? ORDER BY ban_until_ms, id LIMIT ?",
        (elapsed_ms, limit),
    )
    return [row[0] for row in rows]


def close_ban(db: Database, user_id: int) -> None:
    accounts.update(db, user_id, "ban_open = 0")
