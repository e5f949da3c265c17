"""Reports, and the bans that they lead to."""

from msgspec import Struct

from chat_server.errors import Refusal
from chat_server.protocol import commands as c
from chat_server.protocol.events import Banned, Reply, Reported, Unbanned
from chat_server.protocol.times import DAY_MS, distance, iso, until
from chat_server.rules.texts import refuse_more
from chat_server.rules.turn import Turn, View, find_user, is_operator, reading, rule
from chat_server.store import accounts, moderation
from chat_server.store.accounts import User

BANS_ENDED_AT_ONCE_MAX = 100


class Barred(Struct, frozen=True):
    """A command that others would see was refused for its form: a banned user is told of the ban first."""

    refusal: Refusal


@reading(Barred)
def refuse_barred(view: View, query: Barred) -> Reply:
    user = accounts.by_id(view.db, view.user_id)
    if user is not None:
        refuse_banned(view, user)
    raise query.refusal


def refuse_banned(asked: Turn | View, user: User) -> None:
    """MUST be called before any other check by whatever others would see."""
    if user.ban_until_ms > asked.elapsed_ms:
        until_ms = asked.wall_ms(user.ban_until_ms)
        raise Refusal(
            "banned",
            f"you are banned {until(until_ms, asked.at_ms)} ({user.ban_reason}); you can still read",
            until=iso(until_ms),
        )


@rule(c.Report)
def report(turn: Turn, command: c.Report) -> Reported:
    reporter, limits = turn.user(), turn.limits
    target = find_user(turn.db, command.username.name, command.username.folded, reporter.id)
    if moderation.report_exists(turn.db, reporter.id, target.id):
        raise Refusal("already_reported", f"you have reported {target.name} already; a second report does not count")
    free_ms = moderation.last_but(turn.db, reporter.id, limits.reports_per_day - 1) + DAY_MS
    if free_ms > turn.elapsed_ms:
        told = f"you have reported {limits.reports_per_day} users in 24 hours, the most one may"
        raise Refusal("too_many", f"{told}; no more {until(turn.wall_ms(free_ms), turn.at_ms)}")
    refuse_more(turn, reporter.id, command.reason or "")
    note = _why_not_counted(turn, reporter, target)
    moderation.insert_report(
        turn.db, reporter.id, target.id, turn.elapsed_ms, command.reason or "", turn.address, counted=note is None
    )
    count = moderation.counted(turn.db, target.id, target.ban_until_ms)
    if note is None and count >= limits.reports_to_ban:
        note = _ban(turn, target)
    return Reported(target.name, count, limits.reports_to_ban, note)


def _why_not_counted(turn: Turn, reporter: User, target: User) -> str | None:
    if is_operator(turn.db, target.id):
        return f"the report is kept but not counted, since {target.name} is an operator; the other operators see it"
    if target.ban_until_ms > turn.elapsed_ms:
        return f"{target.name} is banned already; the report is kept but not counted"
    age_ms, least_ms = turn.elapsed_ms - reporter.created_ms, turn.limits.report_min_age_ms
    if age_ms < least_ms:
        return f"the report is kept but not counted, since your account is younger than {distance(least_ms)}"
    if turn.address and moderation.counted_from(turn.db, target.id, target.ban_until_ms, turn.address):
        return "the report is kept but not counted, since one from your address counts already"
    return None


def _ban(turn: Turn, target: User) -> str:
    until_ms = turn.elapsed_ms + turn.limits.ban_ms
    count = turn.limits.reports_to_ban
    ban(turn, target, until_ms, f"reported by {count} user{'s' if count != 1 else ''}")
    return f"{target.name} is banned {until(turn.wall_ms(until_ms), turn.at_ms)}"


def ban(turn: Turn, target: User, until_ms: int, reason: str) -> None:
    moderation.ban(turn.db, target.id, until_ms, reason)
    turn.push(Banned(iso(turn.wall_ms(until_ms)), reason), target.id)


def end_bans(turn: Turn) -> None:
    """Tell those whose ban has ended; that it has, every rule sees by the time."""
    for user_id in moderation.ended(turn.db, turn.elapsed_ms, BANS_ENDED_AT_ONCE_MAX):
        moderation.close_ban(turn.db, user_id)
        turn.push(Unbanned(), user_id)
