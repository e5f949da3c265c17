"""What operators may do: banning and its end, kicking, reports, announcements, numbers. Each act is recorded.

That only an operator comes this far is looked at in one place, `turn.refuse_others`.
"""

from chat_server.entries import MACHINE
from chat_server.errors import Refusal
from chat_server.protocol import events as e
from chat_server.protocol import operator_replies as r
from chat_server.protocol import operators as o
from chat_server.protocol.arguments import User as UserName
from chat_server.protocol.times import DAY_MS, iso
from chat_server.rules.moderation import ban as ban_user
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.turn import Turn, View, find_user, is_operator, reading, rule
from chat_server.store import accounts, delayed, moderation, operators, state, texts
from chat_server.store.accounts import User

REPORTS_MAX = 1000
# How an act of the machine itself is recorded; nobody may have this name.
MACHINE_NAME = "server"


def record(turn: Turn, act: str, whom: str | None = None, why: str | None = None) -> None:
    who = MACHINE_NAME if turn.user_id == MACHINE else turn.user().name
    operators.record(turn.db, turn.at_ms, who, act, whom, why or None)


def _find(turn: Turn, name: UserName) -> User:
    return find_user(turn.db, name.name, name.folded, turn.user_id)


def _refuse_operator(turn: Turn, target: User) -> None:
    if is_operator(turn.db, target.id):
        raise Refusal(
            "forbidden", f"{target.name} is an operator too; whoever runs the server can change that, then try again"
        )


@rule(o.Ban)
def ban(turn: Turn, command: o.Ban) -> r.UserBanned:
    target = _find(turn, command.username)
    _refuse_operator(turn, target)
    until_ms = turn.elapsed_ms + (command.duration or turn.limits.ban_ms)
    reason = command.reason or "by an operator"
    delayed.move(turn.db, target.id, target.ban_until_ms, until_ms)
    ban_user(turn, target, until_ms, reason)
    until = iso(turn.wall_ms(until_ms))
    record(turn, "ban", target.name, f"until {until}: {reason}")
    return r.UserBanned(target.name, until, reason)


@rule(o.Unban)
def unban(turn: Turn, command: o.Unban) -> r.UserUnbanned:
    target = _find(turn, command.username)
    if target.ban_until_ms <= turn.elapsed_ms:
        return r.UserUnbanned(target.name, f"{target.name} is not banned")
    delayed.move(turn.db, target.id, target.ban_until_ms, turn.elapsed_ms)
    moderation.unban(turn.db, target.id, turn.elapsed_ms)
    turn.push(e.Unbanned(), target.id)
    record(turn, "unban", target.name)
    return r.UserUnbanned(target.name)


@rule(o.Kick)
def kick(turn: Turn, command: o.Kick) -> r.Kicked:
    target = _find(turn, command.username)
    _refuse_operator(turn, target)
    turn.hang_up(target.id, "kicked", f"an operator closed this connection{_because(command.reason)}")
    record(turn, "kick", target.name, command.reason)
    return r.Kicked(target.name)


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


@rule(o.Announce)
def announce(turn: Turn, command: o.Announce) -> r.Announced:
    by = MACHINE_NAME
    if turn.user_id != MACHINE:
        user = turn.user()
        refuse_banned(turn, user)
        by = user.name
    turn.push(e.Notice(command.text, by=by))
    record(turn, "announce", why=command.text)
    return r.Announced()


# ---- reading


@reading(o.Reports)
def reports(view: View, command: o.Reports) -> r.ReportList:
    target = None
    if command.username is not None:
        # Those about a deleted account are still there.
        found = accounts.id_and_name(view.db, command.username.folded)
        if found is None:
            raise Refusal("unknown_user", f"there is no user {command.username.name}; /reports alone shows all")
        target = found[0]
    rows = moderation.last_reports(view.db, target, REPORTS_MAX)
    made = [
        r.ReportMade(name, by, iso(view.wall_ms(made_ms)), reason, counted)
        for _, name, by, made_ms, reason, counted in rows
    ]
    targets = dict.fromkeys((row[0], row[1]) for row in rows)
    more = f"only the last {REPORTS_MAX} are listed; /reports <username> shows those about one" if target is None else (
        f"only the last {REPORTS_MAX} are listed"
    )  # fmt: skip
    return r.ReportList(made, [_accused(view, *each) for each in targets], more if len(rows) >= REPORTS_MAX else None)


def _accused(view: View, user_id: int, name: str) -> r.Accused:
    user = accounts.by_id(view.db, user_id)
    ban_until_ms = user.ban_until_ms if user else 0
    ban = None
    if user and ban_until_ms > view.elapsed_ms:
        ban = e.Ban(iso(view.wall_ms(ban_until_ms)), user.ban_reason or "")
    counting = moderation.counted(view.db, user_id, ban_until_ms)
    return r.Accused(name, moderation.reports_of(view.db, user_id), counting, ban)


@reading(o.Stats)
def stats(view: View, command: o.Stats) -> r.Stats:
    return r.Stats(
        users=accounts.newest(view.db),
        banned=moderation.banned(view.db, view.elapsed_ms),
        reports=moderation.reports_since(view.db, view.elapsed_ms - DAY_MS),
        seq=state.load(view.db).seq,
        database=state.database_bytes(view.db),
        texts=texts.bytes_of_all(view.db),
        texts_most=texts.most_bytes(view.db),
        text_quota=view.limits.text_quota_bytes,
        at=iso(view.at_ms),
        live=view.live() if view.live is not None else None,
    )
