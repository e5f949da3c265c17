"""The commands of operators: bans and their end, kicks, reports, announcements and statistics.

Each act is recorded. `registry` registers these commands so that `authorization` refuses anybody else first.
"""

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE
from chat_server.protocol.accounts import ActiveBan, Unbanned
from chat_server.protocol.arguments import Username as UserName
from chat_server.protocol.connection import Notice
from chat_server.protocol.operators import (
    Accused,
    Announce,
    Announced,
    Ban,
    Kick,
    Kicked,
    ReportList,
    ReportMade,
    Reports,
    Stats,
    StatsReport,
    Unban,
    UserBanned,
    UserUnbanned,
)
from chat_server.protocol.times import DAY_MS, iso
from chat_server.rules.authorization import is_operator
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_user
from chat_server.rules.moderation import ban as ban_user
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.registry import reading, rule
from chat_server.store import accounts, delayed, moderation, operators, state, text_quota
from chat_server.store.accounts import User

REPORTS_MAX = 1000
# Of these the nodes of a cluster count each its own. Messages are counted by all alike, and users once.
SUMMED = ("connections", "deliveries")
# Acts of the machine itself are recorded under this name, which nobody may have.
MACHINE_NAME = "server"


def record(context: Context, act: str, whom: str | None = None, why: str | None = None) -> None:
    who = MACHINE_NAME if context.user_id == MACHINE else context.user().name
    operators.record(context.db, context.at_ms, who, act, whom, why or None)


def _find(context: Context, name: UserName) -> User:
    return find_user(context.db, name.name, name.folded, context.user_id)


def _refuse_operator(context: Context, target: User) -> None:
    if is_operator(context.db, target.id):
        raise Refusal(
            "forbidden", f"{target.name} is an operator too; whoever runs the server can change that, then try again"
        )


@rule(Ban)
def ban(context: Context, command: Ban) -> UserBanned:
    target = _find(context, command.username)
    _refuse_operator(context, target)
    until_ms = context.elapsed_ms + (command.duration or context.limits.ban_ms)
    reason = command.reason or "by an operator"
    delayed.reschedule(context.db, target.id, target.ban_until_ms, until_ms)
    ban_user(context, target, until_ms, reason)
    until = iso(context.now.wall_ms(until_ms))
    record(context, "ban", target.name, f"until {until}: {reason}")
    return UserBanned(target.name, until, reason)


@rule(Unban)
def unban(context: Context, command: Unban) -> UserUnbanned:
    target = _find(context, command.username)
    if target.ban_until_ms <= context.elapsed_ms:
        return UserUnbanned(target.name, f"{target.name} is not banned")
    delayed.reschedule(context.db, target.id, target.ban_until_ms, context.elapsed_ms)
    moderation.unban(context.db, target.id, context.elapsed_ms)
    context.push(Unbanned(), target.id)
    record(context, "unban", target.name)
    return UserUnbanned(target.name)


@rule(Kick)
def kick(context: Context, command: Kick) -> Kicked:
    target = _find(context, command.username)
    _refuse_operator(context, target)
    context.hang_up(target.id, "kicked", f"an operator closed this connection{_reason_suffix(command.reason)}")
    record(context, "kick", target.name, command.reason)
    return Kicked(target.name)


def _reason_suffix(reason: str | None) -> str:
    return f": {reason}" if reason else ""


@rule(Announce)
def announce(context: Context, command: Announce) -> Announced:
    by = MACHINE_NAME
    if context.user_id != MACHINE:
        user = context.user()
        refuse_banned(context, user)
        by = user.name
    context.push(Notice(command.text, by=by))
    record(context, "announce", why=command.text)
    return Announced()


# ---- reading


@reading(Reports)
def reports(view: View, command: Reports) -> ReportList:
    target = None
    if command.username is not None:
        # The reports about a deleted account are still there.
        found = accounts.find_id_and_name(view.db, command.username.folded)
        if found is None:
            raise Refusal("unknown_user", f"there is no user {command.username.name}; /reports alone shows all")
        target = found[0]
    rows = moderation.last_reports(view.db, target, REPORTS_MAX)
    made = [
        ReportMade(name, by, iso(view.now.wall_ms(made_ms)), reason, counted)
        for _, name, by, made_ms, reason, counted in rows
    ]
    targets = dict.fromkeys((row[0], row[1]) for row in rows)
    more = f"only the last {REPORTS_MAX} are listed; /reports <username> shows those about one" if target is None else (
        f"only the last {REPORTS_MAX} are listed"
    )  # fmt: skip
    return ReportList(made, [_accused(view, *each) for each in targets], more if len(rows) >= REPORTS_MAX else None)


def _accused(view: View, user_id: int, name: str) -> Accused:
    user = accounts.by_id(view.db, user_id)
    ban_until_ms = user.ban_until_ms if user else 0
    ban = None
    if user and ban_until_ms > view.elapsed_ms:
        ban = ActiveBan(iso(view.now.wall_ms(ban_until_ms)), user.ban_reason or "")
    counting = moderation.count_counted_reports(view.db, user_id, ban_until_ms)
    return Accused(name, moderation.count_reports_about(view.db, user_id), counting, ban)


@reading(Stats, shows_online=True)
def stats(view: View, command: Stats) -> StatsReport:
    return StatsReport(
        users=accounts.newest_id(view.db),
        banned=moderation.count_banned(view.db, view.elapsed_ms),
        reports=moderation.count_reports_since(view.db, view.elapsed_ms - DAY_MS),
        seq=state.load(view.db).seq,
        database=state.database_bytes(view.db),
        texts=text_quota.bytes_of_all(view.db),
        texts_most=text_quota.most_bytes(view.db),
        text_quota=view.limits.text_quota_bytes,
        at=iso(view.at_ms),
        live=_live(view),
        nodes={name: dict(counts) for name, counts in view.nodes.items()} or None,
    )


def _live(view: View) -> dict[str, int] | None:
    if view.live is None:
        return None
    summed = {name: sum(counts.get(name, 0) for counts in view.nodes.values()) for name in SUMMED if view.nodes}
    return view.live() | summed
