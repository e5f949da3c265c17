"""Events and replies as lines for people. The first characters of a line tell its kind:

    `+ ` done    `- ` refused    `[` a message    `* ` an event    two spaces: an item    four and `| `: more of a text

MUST NOT let a text of a user begin a line: every line break in one is followed by the continuation mark.
`now` is the time in ISO 8601, UTC; another day's times carry their date.
"""

from collections.abc import Callable
from typing import Any

from chat_server.errors import Refusal
from chat_server.protocol import events as e
from chat_server.protocol import operator_replies as o
from chat_server.protocol import room_replies as r
from chat_server.protocol.times import clock_time, parse_iso, until

_CONTINUED = "\n    | "


def event(event: e.Event, now: str) -> bytes:
    """The event's line or lines; nothing for what a person has no use for."""
    if type(event) is e.Message:
        return _message(event, now)
    words = _EVENTS[type(event)](event, now)
    return b"" if words is None else f"* {_indented(words)}\n".encode()


def reply(reply: e.Reply, verb: str, label: str | None, now: str) -> bytes:
    """The items that the reply lists, then the reply."""
    if type(reply) is e.Sent and label is None:
        return b"+ sent #%d\n" % reply.id
    items, words = _REPLIES[type(reply)](reply, now)
    mark = "+" if label is None else f"+ @{label}"
    return "".join([*(f"  {_indented(item)}\n" for item in items), f"{mark} {_indented(words)}\n"]).encode()


def refusal(refusal: Refusal, label: str | None) -> bytes:
    mark = "-" if label is None else f"- @{label}"
    return f"{mark} {refusal.code}: {_indented(refusal.text)}\n".encode()


def _indented(words: str) -> str:
    return words.replace("\n", _CONTINUED)


def _marks(message: e.Message) -> str:
    """What is to be known of a message besides its text."""
    if message.reply_to is None and message.edited is None and not message.delayed and not message.reactions:
        return ""
    words = [
        f"on #{message.reply_to}" if message.reply_to else "",
        "edited" if message.edited else "",
        "delayed" if message.delayed else "",
        *(f"{emoji} {' '.join(names)}" for emoji, names in (message.reactions or {}).items()),
    ]
    return "".join(f" ({word})" for word in words if word)


def _until(end: str, now: str) -> str:
    return until(parse_iso(end) or 0, parse_iso(now) or 0)


def _message(message: e.Message, now: str) -> bytes:
    chat, sender = message.chat, message.from_
    if chat[0] != "@":
        where = f"{chat} {sender}"
    elif chat[1:] == sender:
        where = chat
    else:
        where = f"to {chat}"
    first = "(deleted)" if message.deleted else message.text or ""
    more = ""
    if "\n" in first:
        first, *parts = first.split("\n")
        more = "".join([f"    | {part}\n" for part in parts])
    return f"[{clock_time(message.at, now)}] {where}: {first}{_marks(message)} (#{message.id})\n{more}".encode()


_WHY_NOT = {
    "unknown_user": "its receiver is gone (unknown_user)",
    "unknown_chat": "you are no longer in its chat (unknown_chat)",
}
_EVENTS: dict[type[e.Event], Callable[[Any, str], str | None]] = {
    e.Presence: lambda event, now: (
        f"{event.user} is away: {event.away}"
        if event.away
        else f"{event.user} is {'online' if event.online else 'offline'}"
    ),
    # A person's own other windows: what was read there is no news here.
    e.ReadMarker: lambda event, now: None,
    e.Muted: lambda event, now: f"{event.chat} is {'muted now' if event.muted else 'no longer muted'}",
    e.Banned: lambda event, now: f"you are banned {_until(event.until, now)}: {event.reason}; you can still read",
    e.Unbanned: lambda event, now: "your ban is over: you can write again",
    e.DelayedSent: lambda event, now: f"your delayed message {event.id} was sent (#{event.message_id})",
    e.DelayedFailed: lambda event, now: (
        f"your delayed message {event.id} was not sent: {_WHY_NOT.get(event.code, event.code)}"
    ),
    e.Invited: lambda event, now: (
        f"{event.by} invites you to {event.chat}; /join {event.chat} accepts, /decline {event.chat} refuses"
    ),
    e.JoinRequest: lambda event, now: (
        f"{event.user} asks to join {event.chat}; /approve {event.chat} {event.user} lets them in,"
        f" /deny {event.chat} {event.user} refuses"
    ),
    e.Joined: lambda event, now: f"{event.user} joined {event.chat}",
    e.Left: lambda event, now: (
        f"{event.by} removed {event.user} from {event.chat}" if event.by else f"{event.user} left {event.chat}"
    ),
    e.Approved: lambda event, now: (
        f"you are in {event.chat} now, its owner let you in; /history {event.chat} shows what was said"
    ),
    e.Denied: lambda event, now: f"the owner of {event.chat} does not let you in",
    e.TopicChanged: lambda event, now: (
        f"{event.by} set the topic of {event.chat}: {event.topic}"
        if event.topic
        else f"{event.by} took the topic of {event.chat} away"
    ),
    # What was read long ago scrolls away by itself.
    e.Expired: lambda event, now: None,
    e.Notice: lambda event, now: f"announcement by {event.by}: {event.text}" if event.by else event.text,
    e.Closing: lambda event, now: f"closing: {event.reason}",
    e.Act: lambda event, now: " ".join(
        filter(None, (event.at, event.who, event.act, event.whom, event.why and f"({event.why})"))
    ),
    e.Record: lambda event, now: f"{event.kind}: {', '.join(f'{name} {value}' for name, value in event.data.items())}",
}

_Rendered = tuple[list[str], str]


def _signed_in(reply: e.SignedIn, now: str) -> _Rendered:
    if reply.new:
        return (
            [],
            f"signed in as {reply.user}, for the first time; /send_all <text> talks to everyone, /help shows more",
        )
    ban = f"; banned {_until(reply.ban.until, now)}: {reply.ban.reason}" if reply.ban else ""
    return [], f"signed in as {reply.user}{ban}"


def _status(reply: e.StatusReport, now: str) -> _Rendered:
    items = [
        f"online: {', '.join(_with_away(reply, reply.active))}",
        f"offline: {', '.join(_with_away(reply, reply.inactive)) or 'nobody'}",
        *(_chat(chat) for chat in reply.chats),
    ]
    items += [f"invited to {each.chat} by {each.by}; /join or /decline {each.chat}" for each in reply.invitations]
    items += [
        f"{each.user} asks to join {each.chat}; /approve or /deny {each.chat} {each.user}"
        for each in reply.join_requests
    ]
    for key, limit in reply.limits.items():
        if not limit.used:
            continue
        name = {"main_messages": "messages to main", "delayed": "delayed messages", "reports": "reports in 24 h"}.get(
            key, key
        )
        ends = f" {_until(limit.until, now)}" if limit.until else ""
        items.append(f"{name}: {limit.used} of {limit.max}{ends}")
    if reply.ban:
        items.append(f"banned {_until(reply.ban.until, now)}: {reply.ban.reason}")
    more = f"; {reply.more}" if reply.more else ""
    return items, f"you are {reply.user}; {len(reply.active)} online, {len(reply.inactive)} offline{more}"


def _with_away(reply: e.StatusReport, names: list[str]) -> list[str]:
    away = reply.away or {}
    return [f"{name} (away: {away[name]})" if name in away else name for name in names]


def _chat(chat: e.Chat) -> str:
    muted = ", muted" if chat.muted else ""
    owner = f", owned by {chat.owner}" if chat.owner else ""
    members = f", with {', '.join(chat.members)}" if chat.members and not chat.name.startswith("@") else ""
    more = f" and others ({chat.more})" if chat.more else ""
    topic = f", about: {chat.topic}" if chat.topic else ""
    unread = f"{chat.unread} unread" if chat.unread else "all read"
    return f"chat {chat.name}: {unread}{muted}{owner}{members}{more}{topic}"


def _who(reply: e.WhoReport, now: str) -> _Rendered:
    away = f" (away: {reply.away})" if reply.away else ""
    if reply.online:
        return [], f"{reply.user} is online{away}"
    seen = f"last seen {clock_time(reply.last_seen, now)} UTC" if reply.last_seen else "not seen yet"
    return [], f"{reply.user} is offline, {seen}{away}"


def _page(reply: e.Page, now: str) -> _Rendered:
    if not reply.count:
        words = f"no messages in {reply.chat}" if reply.unread is None else f"nothing unread in {reply.chat}"
    else:
        words = f"{reply.count} message{'s' if reply.count > 1 else ''} of {reply.chat}"
        words += f", {reply.unread} still unread" if reply.unread else ""
    if not reply.more:
        return [], words
    return [], f"{words}; {reply.more} {'for more' if reply.count else 'shows what was said'}"


def _found(reply: e.Found, now: str) -> _Rendered:
    words = f"{reply.count or 'nothing'} found"
    return [], f"{words}; {reply.more} goes on" if reply.more else words


def _away(reply: e.AwaySet, now: str) -> _Rendered:
    if reply.away is None:
        return [], "you are not away; /away <text> tells others why you are"
    return [], f"you are away: {reply.away}; /back ends it"


def _blocked(reply: e.BlockList, now: str) -> _Rendered:
    return reply.blocked, f"{len(reply.blocked)} blocked" + ("; /unblock <username> ends it" if reply.blocked else "")


def _delayed_list(reply: e.DelayedList, now: str) -> _Rendered:
    items = [
        f"{each.delayed_id}  {clock_time(each.due, now)} UTC  {each.target}: {each.text}" for each in reply.delayed
    ]
    return items, f"{len(items)} waiting" + ("; /cancel_delayed <delayed_id> cancels one" if items else "")


def _reported(reply: e.Reported, now: str) -> _Rendered:
    note = f"; {reply.note}" if reply.note else ""
    return [], f"reported {reply.user}: {reply.reports} of the {reply.limit} reports that ban{note}"


def _sessions(reply: e.SessionList, now: str) -> _Rendered:
    items = [
        f"{each.session}  {each.address}  since {clock_time(each.since, now)} UTC"
        f"{f'  {each.client}' if each.client else ''}{'  (this one)' if each.this else ''}"
        for each in reply.sessions
    ]
    return items, f"{len(items)} connection{'s' if len(items) != 1 else ''}; /sign_out <session> ends one"


def _talking(reply: e.Talking, now: str) -> _Rendered:
    if reply.target is None:
        return [], "lines without a slash go nowhere now"
    return [], f"talking to {reply.target}: just type; /talk alone ends it"


def _members(reply: r.MemberList, now: str) -> _Rendered:
    items = [f"{name} (the owner)" if name == reply.owner else name for name in reply.members]
    return items, f"{len(items)} in {reply.chat}" + (f"; {reply.more} for more" if reply.more else "")


def _report_list(reply: o.ReportList, now: str) -> _Rendered:
    items = [
        f"{clock_time(each.at, now)} UTC  {each.user} by {each.by}{'' if each.counted else ' (not counted)'}"
        f"{f': {each.reason}' if each.reason else ''}"
        for each in reply.reports
    ]
    for each in reply.users:
        ban = f"; banned {_until(each.ban.until, now)}: {each.ban.reason}" if each.ban else ""
        items.append(f"{each.user}: {_counted(each.reports, 'report')}, {each.counting} of them count now{ban}")
    more = f"; {reply.more}" if reply.more else ""
    return items, f"{_counted(len(reply.reports), 'report')}{more}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _stats(reply: o.Stats, now: str) -> _Rendered:
    items = [
        f"accounts ever registered: {reply.users}",
        f"banned now: {reply.banned}",
        f"reports in 24 h: {reply.reports}",
        f"last id or change: {reply.seq}",
        f"size of the database: {reply.database / (1 << 20):.1f} MB",
        *(f"{name.replace('_', ' ')}: {value}" for name, value in (reply.live or {}).items()),
    ]
    return items, f"as of {clock_time(reply.at, now)} UTC"


def _operator_list(reply: o.OperatorList, now: str) -> _Rendered:
    items = [f"{each.user}  by {each.by}{f'  ({each.note})' if each.note else ''}" for each in reply.operators]
    return items, _counted(len(items), "operator")


_REPLIES: dict[type[e.Reply], Callable[[Any, str], _Rendered]] = {
    e.SignedIn: _signed_in,
    e.SignedOut: lambda reply, now: (
        [],
        f"signed out; {reply.closed} other connection{'s' if reply.closed != 1 else ''} closed"
        if reply.closed
        else "signed out; /sign_in <username> signs in again",
    ),
    e.PasswordSet: lambda reply, now: ([], "the password is set; your other sign-ins need it from now on"),
    e.AccountDeleted: lambda reply, now: ([], f"the account {reply.user} and its texts are gone"),
    e.Sent: lambda reply, now: ([], f"sent #{reply.id}"),
    e.Changed: lambda reply, now: ([], f"changed #{reply.id}"),
    e.Thread: lambda reply, now: (
        [],
        f"{reply.comments} comment{'s' if reply.comments != 1 else ''} on #{reply.id} in {reply.chat}",
    ),
    e.Talking: _talking,
    e.DelayedSet: lambda reply, now: (
        [],
        f"delayed message {reply.delayed_id} goes out at {clock_time(reply.due, now)} UTC;"
        f" /cancel_delayed {reply.delayed_id} cancels it",
    ),
    e.DelayedCancelled: lambda reply, now: ([], f"delayed message {reply.delayed_id} is cancelled"),
    e.DelayedList: _delayed_list,
    e.Page: _page,
    e.MarkedRead: lambda reply, now: (
        [],
        f"{reply.chat} is read up to #{reply.id}" if reply.id else f"nothing to read in {reply.chat}",
    ),
    r.ChatCreated: lambda reply, now: (
        [],
        f"{reply.chat} is yours; /invite {reply.chat} <username> brings others in, /talk {reply.chat} and just type",
    ),
    r.UserInvited: lambda reply, now: ([], f"{reply.user} is invited to {reply.chat}"),
    r.LinkMade: lambda reply, now: (
        [],
        f"until {clock_time(reply.expires, now)} UTC anybody may ask to join {reply.chat}: /join {reply.code}",
    ),
    r.LinksRevoked: lambda reply, now: (
        [],
        f"{reply.revoked} code{'s' if reply.revoked != 1 else ''} of {reply.chat} ended",
    ),
    r.Entering: lambda reply, now: (
        [],
        f"asked to join {reply.chat}; you will be told what its owner decides"
        if reply.asked
        else f"you are in {reply.chat}; /history {reply.chat} shows what was said, /talk {reply.chat} and just type",
    ),
    r.InvitationDeclined: lambda reply, now: ([], f"the invitation to {reply.chat} is declined"),
    r.RequestApproved: lambda reply, now: ([], f"{reply.user} is in {reply.chat} now"),
    r.RequestDenied: lambda reply, now: ([], f"{reply.user} is not let into {reply.chat}"),
    r.MemberList: _members,
    r.ChatLeft: lambda reply, now: ([], f"you left {reply.chat}"),
    r.MemberRemoved: lambda reply, now: ([], f"{reply.user} is no longer in {reply.chat}"),
    r.OwnerSet: lambda reply, now: ([], f"{reply.owner} owns {reply.chat} now"),
    r.TopicShown: lambda reply, now: (
        [],
        f"the topic of {reply.chat}: {reply.topic}" if reply.topic else f"{reply.chat} has no topic",
    ),
    e.Found: _found,
    e.MuteSet: lambda reply, now: (
        [],
        f"{reply.chat} is muted; /unmute {reply.chat} ends it" if reply.muted else f"{reply.chat} is not muted",
    ),
    e.AwaySet: _away,
    e.BlockSet: lambda reply, now: (
        [],
        f"nothing goes between you and {reply.user} any more; /unblock {reply.user} ends it"
        if reply.blocked
        else f"{reply.user} is not blocked by you",
    ),
    e.BlockList: _blocked,
    e.StatusReport: _status,
    e.WhoReport: _who,
    e.Reported: _reported,
    e.PresenceSet: lambda reply, now: (
        [],
        "you are told who comes and goes" if reply.presence else "you are no longer told who comes and goes",
    ),
    e.HelpText: lambda reply, now: (reply.help[:-1], reply.help[-1]),
    e.FormatSet: lambda reply, now: ([], f"you receive {reply.format} from now on"),
    e.Pong: lambda reply, now: ([], "pong" if reply.word is None else f"pong {reply.word}"),
    e.SessionList: _sessions,
    e.Goodbye: lambda reply, now: ([], "goodbye"),
    o.UserBanned: lambda reply, now: ([], f"{reply.user} is banned {_until(reply.until, now)}: {reply.reason}"),
    o.UserUnbanned: lambda reply, now: ([], reply.note or f"the ban of {reply.user} is over"),
    o.Kicked: lambda reply, now: ([], f"the connections of {reply.user} are closed"),
    o.Announced: lambda reply, now: ([], "everybody who is connected is told"),
    o.ReportList: _report_list,
    o.Stats: _stats,
    o.OperatorSet: lambda reply, now: (
        [],
        f"{reply.user} is {'an' if reply.operator else 'no'} operator now",
    ),
    o.OperatorList: _operator_list,
    o.UserPasswordSet: lambda reply, now: ([], f"{reply.user} has a new password; all sign-ins of before have ended"),
    o.Exported: lambda reply, now: ([], f"{_counted(reply.records, 'record')} of {reply.user}"),
    o.Acts: lambda reply, now: ([], _counted(reply.count, "act")),
}
