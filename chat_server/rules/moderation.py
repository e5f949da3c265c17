"""Reports, and the bans that they lead to."""

from msgspec import Struct

from chat_server.errors import Refusal
from chat_server.protocol.accounts import Banned, Unbanned
from chat_server.protocol.base import Reply
from chat_server.protocol.people import Report, Reported
from chat_server.protocol.times import DAY_MS, distance, iso, until
from chat_server.rules.authorization import is_operator
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_user
from chat_server.rules.registry import reading, rule
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import accounts, moderation
from chat_server.store.accounts import User

BANS_ENDED_AT_ONCE_MAX = 100


class Barred(Struct, frozen=True):
    """A command for others to see that was refused for its form. A banned user is told of the ban instead."""

    refusal: Refusal


@reading(Barred)
def refuse_barred(view: View, query: Barred) -> Reply:
    user = accounts.by_id(view.db, view.user_id)
    if user is not None:
        refuse_banned(view, user)
    raise query.refusal


def refuse_banned(asked: Context | View, user: User) -> None:
    """Refuse a banned user. MUST be the first check of each command whose effect others would see."""
    if user.ban_until_ms > asked.elapsed_ms:
        until_ms = asked.now.wall_ms(user.ban_until_ms)
        raise Refusal(
            "banned",
            f"you are banned {until(until_ms, asked.at_ms)} ({user.ban_reason}); you can still read",
            until=iso(until_ms),
        )


@rule(Report)
def report(context: Context, command: Report) -> Reported:
    reporter, limits = context.user(), context.limits
    target = find_user(context.db, command.username.name, command.username.folded, reporter.id)
    if moderation.has_reported(context.db, reporter.id, target.id):
        raise Refusal("already_reported", f"you have reported {target.name} already; a second report does not count")
    free_ms = moderation.nth_last_report_ms(context.db, reporter.id, limits.reports_per_day - 1) + DAY_MS
    if free_ms > context.elapsed_ms:
        told = f"you have reported {limits.reports_per_day} users in 24 hours, the most one may"
        raise Refusal("too_many", f"{told}; no more {until(context.now.wall_ms(free_ms), context.at_ms)}")
    refuse_without_room(context, reporter.id, command.reason or "")
    note = _why_not_counted(context, reporter, target)
    moderation.insert_report(
        context.db,
        reporter.id,
        target.id,
        context.elapsed_ms,
        command.reason or "",
        context.counted_network,
        counted=note is None,
    )
    count = moderation.count_counted_reports(context.db, target.id, target.ban_until_ms)
    if note is None and count >= limits.reports_to_ban:
        note = _ban_reported(context, target)
    return Reported(target.name, count, limits.reports_to_ban, note)


def _why_not_counted(context: Context, reporter: User, target: User) -> str | None:
    if is_operator(context.db, target.id):
        return f"the report is kept but not counted, since {target.name} is an operator; the other operators see it"
    if target.ban_until_ms > context.elapsed_ms:
        return f"{target.name} is banned already; the report is kept but not counted"
    age_ms, least_ms = context.elapsed_ms - reporter.created_ms, context.limits.report_min_age_ms
    if age_ms < least_ms:
        return f"the report is kept but not counted, since your account is younger than {distance(least_ms)}"
    network = context.counted_network
    if network and moderation.has_counted_report_from(context.db, target.id, target.ban_until_ms, network):
        return "the report is kept but not counted, since one from your address counts already"
    return None


def _ban_reported(context: Context, target: User) -> str:
    until_ms = context.elapsed_ms + context.limits.ban_ms
    count = context.limits.reports_to_ban
    ban(context, target, until_ms, f"reported by {count} user{'s' if count != 1 else ''}")
    return f"{target.name} is banned {until(context.now.wall_ms(until_ms), context.at_ms)}"


def ban(context: Context, target: User, until_ms: int, reason: str) -> None:
    moderation.ban(context.db, target.id, until_ms, reason)
    context.push(Banned(iso(context.now.wall_ms(until_ms)), reason), target.id)


def end_bans(context: Context) -> None:
    """Tell users that their ban has ended. The rules see by the time that it has."""
    for user_id in moderation.find_ended_bans(context.db, context.elapsed_ms, BANS_ENDED_AT_ONCE_MAX):
        moderation.close_ban(context.db, user_id)
        context.push(Unbanned(), user_id)
