"""The wording of events and replies in the text format.

`now` is the time in ISO 8601; times of another day carry their date.
"""

from collections.abc import Callable
from typing import Any

from chat_server.protocol import accounts, connection, control, files, messages, operators, people, rooms
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.times import describe_end, duration, moment


def describe_file(file: messages.File) -> str:
    return f"file {file.name}, {describe_size(file.size)}; /get_file {file.id}"


_WHY_NOT = {
    "unknown_user": "its receiver is gone (unknown_user)",
    "unknown_chat": "you are no longer in its chat (unknown_chat)",
}
EVENTS: dict[type[Event], Callable[[Any, str], str | None]] = {
    people.PresenceChanged: lambda event, now: (
        f"{event.user} is away: {event.away}"
        if event.away
        else f"{event.user} is {'online' if event.online else 'offline'}"
    ),
    messages.QuietMessage: lambda event, now: None,
    # What one has read in another window of one's own is no news here.
    messages.ReadMarker: lambda event, now: None,
    # People are not told that somebody types.
    people.Typing: lambda event, now: None,
    # Preferences mean something to clients alone.
    people.PreferencesTold: lambda event, now: None,
    people.PreferenceChanged: lambda event, now: None,
    people.Muted: lambda event, now: f"{event.chat} is {'muted now' if event.muted else 'no longer muted'}",
    accounts.Banned: lambda event, now: (
        f"you are banned {describe_end(event.until, now)}: {event.reason}; you can still read"
    ),
    accounts.Unbanned: lambda event, now: "your ban is over: you can write again",
    messages.DelayedSent: lambda event, now: f"your delayed message {event.id} was sent (#{event.message_id})",
    messages.DelayedFailed: lambda event, now: (
        f"your delayed message {event.id} was not sent: {_WHY_NOT.get(event.code, event.code)}"
    ),
    rooms.Invited: lambda event, now: (
        f"{event.by} invites you to {event.chat}; /join {event.chat} accepts, /decline {event.chat} refuses"
    ),
    rooms.JoinRequest: lambda event, now: (
        f"{event.user} asks to join {event.chat}; /approve {event.chat} {event.user} lets them in,"
        f" /deny {event.chat} {event.user} refuses"
    ),
    rooms.Joined: lambda event, now: f"{event.user} joined {event.chat}",
    rooms.Left: lambda event, now: (
        f"{event.by} removed {event.user} from {event.chat}" if event.by else f"{event.user} left {event.chat}"
    ),
    rooms.Approved: lambda event, now: (
        f"you are in {event.chat} now, its owner let you in; /history {event.chat} shows what was said"
    ),
    rooms.Denied: lambda event, now: f"the owner of {event.chat} does not let you in",
    rooms.TopicChanged: lambda event, now: (
        f"{event.by} set the topic of {event.chat}: {event.topic}"
        if event.topic
        else f"{event.by} took the topic of {event.chat} away"
    ),
    rooms.SlowModeChanged: lambda event, now: (
        f"{event.by} put {event.chat} in slow mode: everybody may send one message in {duration(event.seconds * 1000)}"
        if event.seconds
        else f"{event.by} ended the slow mode of {event.chat}"
    ),
    # What was read long ago scrolls away by itself.
    messages.Expired: lambda event, now: None,
    connection.Notice: lambda event, now: f"announcement by {event.by}: {event.text}" if event.by else event.text,
    connection.Closing: lambda event, now: f"closing: {event.reason}",
    control.AuditedAct: lambda event, now: " ".join(
        filter(None, (event.at, event.who, event.act, event.whom, event.why and f"({event.why})"))
    ),
    control.Record: lambda event, now: (
        f"{event.kind}: {', '.join(f'{name} {value}' for name, value in event.data.items())}"
    ),
}

# The items that a reply lists, and its last line.
_Rendered = tuple[list[str], str]


def _signed_in(reply: accounts.SignedIn, now: str) -> _Rendered:
    if reply.new:
        return (
            [],
            f"signed in as {reply.user}, for the first time; /send_all <text> talks to everyone, /help shows more",
        )
    ban = f"; banned {describe_end(reply.ban.until, now)}: {reply.ban.reason}" if reply.ban else ""
    return [], f"signed in as {reply.user}{ban}"


_LIMITS = {
    "main_messages": "messages to main",
    "chats": "private chats",
    "delayed": "delayed messages",
    "file_bytes": "files",
    "text_bytes": "stored texts",
    "reports": "reports in 24 h",
}


def _status(reply: people.StatusReport, now: str) -> _Rendered:
    items = [
        f"online: {', '.join(_with_away(reply, reply.active)) or 'nobody'}",
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
        ends = f" {describe_end(limit.until, now)}" if limit.until else ""
        told = describe_size if key.endswith("_bytes") else str
        items.append(f"{_LIMITS.get(key, key)}: {told(limit.used)} of {told(limit.max)}{ends}")
    if reply.ban:
        items.append(f"banned {describe_end(reply.ban.until, now)}: {reply.ban.reason}")
    more = f"; {reply.more} lists more" if reply.more else ""
    counts = f"{len(reply.active)} online, {len(reply.inactive)} offline"
    operator = ", an operator" if reply.operator else ""
    return items, f"you are {reply.user}{operator}; {counts}{more}{_note(reply.note)}"


def _note(note: str | None) -> str:
    return f"; {note}" if note else ""


def _with_away(reply: people.StatusReport, names: list[str]) -> list[str]:
    away = reply.away or {}
    return [f"{name} (away: {away[name]})" if name in away else name for name in names]


def _chat(chat: rooms.ChatInfo) -> str:
    muted = ", muted" if chat.muted else ""
    owner = f", owned by {chat.owner}" if chat.owner else ""
    members = f", with {', '.join(chat.members)}" if chat.members and not chat.name.startswith("@") else ""
    more = f" and others ({chat.more})" if chat.more else ""
    topic = f", about: {chat.topic}" if chat.topic else ""
    slow = f", slow mode: {duration(chat.slow_mode * 1000)}" if chat.slow_mode else ""
    unread = f"{chat.unread} unread" if chat.unread else "all read"
    return f"chat {chat.name}: {unread}{muted}{owner}{members}{more}{slow}{topic}"


def _who(reply: people.WhoReport, now: str) -> _Rendered:
    away = f" (away: {reply.away})" if reply.away else ""
    if reply.online:
        return [], f"{reply.user} is online{away}{_note(reply.note)}"
    seen = f"last seen {moment(reply.last_seen, now)}" if reply.last_seen else "not seen yet"
    return [], f"{reply.user} is offline, {seen}{away}{_note(reply.note)}"


def _page(reply: messages.MessagesShown, now: str) -> _Rendered:
    if not reply.count:
        words = f"no messages in {reply.chat}" if reply.unread is None else f"nothing unread in {reply.chat}"
    else:
        words = f"{reply.count} message{'s' if reply.count > 1 else ''} of {reply.chat}"
        words += f", {reply.unread} still unread" if reply.unread else ""
    if not reply.more:
        return [], words
    return [], f"{words}; {reply.more} {'for more' if reply.count else 'shows what was said'}"


def _found(reply: messages.Found, now: str) -> _Rendered:
    words = f"{reply.count or 'nothing'} found{f'; {reply.note}' if reply.note else ''}"
    return [], f"{words}; {reply.more} goes on" if reply.more else words


def _away(reply: people.AwaySet, now: str) -> _Rendered:
    if reply.away is None:
        return [], "you are not away; /away <text> tells others why you are"
    return [], f"you are away: {reply.away}; /back ends it"


def _blocked(reply: people.BlockList, now: str) -> _Rendered:
    return reply.blocked, f"{len(reply.blocked)} blocked" + ("; /unblock <username> ends it" if reply.blocked else "")


def _delayed_list(reply: messages.DelayedList, now: str) -> _Rendered:
    items = [f"{each.delayed_id}  {moment(each.due, now)}  {each.target}: {each.text}" for each in reply.delayed]
    return items, f"{len(items)} waiting" + ("; /cancel_delayed <delayed_id> cancels one" if items else "")


def _upload(reply: files.Upload, now: str) -> _Rendered:
    if reply.file is not None:
        return [], f"sent #{reply.id}: {describe_file(reply.file)}"
    return [], f"upload {reply.upload}" + (f" received {reply.received}" if reply.received else "")


def _files(reply: files.FileList, now: str) -> _Rendered:
    items = [
        f"{each.id}  {each.name}, {describe_size(each.size)}, from {each.from_}, {moment(each.at, now)}"
        f" (#{each.message_id})"
        for each in reply.files
    ]
    if not items:
        return [], f"no files in {reply.chat}"
    count = f"{len(items)} file{'s' if len(items) != 1 else ''} in {reply.chat}"
    return items, f"{count}; {reply.more} for more" if reply.more else f"{count}; /get_file <file_id> fetches one"


def _reported(reply: people.Reported, now: str) -> _Rendered:
    return [], f"reported {reply.user}: {reply.reports} of the {reply.limit} reports that ban{_note(reply.note)}"


def _sessions(reply: connection.SessionList, now: str) -> _Rendered:
    items = [
        f"{each.session}  {each.address}  since {moment(each.since, now)}"
        f"{f'  {each.client}' if each.client else ''}{'  (this one)' if each.this else ''}"
        for each in reply.sessions
    ]
    return items, f"{_counted(len(items), 'connection')}; /sign_out <session> ends one{_note(reply.note)}"


def _tokens(reply: accounts.TokenList, now: str) -> _Rendered:
    items = []
    for each in reply.tokens:
        made = f"since {moment(each.made, now)}" if each.made else "since long ago"
        where = "(this one)" if each.this else "(connected)" if each.connected else f"used {moment(each.used, now)}"
        items.append("  ".join(filter(None, (each.token_id, each.client, each.address, made, where))))
    ends = "; /revoke_token <token_id> ends one" if items else ""
    return items, f"{_counted(len(items), 'token')}{ends}{_note(reply.note)}"


def _talking(reply: messages.Talking, now: str) -> _Rendered:
    if reply.target is None:
        return [], "lines without a slash go nowhere now"
    return [], f"talking to {reply.target}: just type; /talk alone ends it"


def _members(reply: rooms.MemberList, now: str) -> _Rendered:
    items = [f"{name} (the owner)" if name == reply.owner else name for name in reply.members]
    return items, f"{len(items)} in {reply.chat}" + (f"; {reply.more} for more" if reply.more else "")


def _banned_until(until: str | None, now: str) -> str:
    return "for good" if until is None else describe_end(until, now)


def _address_ban_list(reply: operators.AddressBanList, now: str) -> tuple[list[str], str]:
    lines = [f"{each.address} {_banned_until(each.until, now)}, by {each.by}: {each.reason}" for each in reply.bans]
    return lines, f"{len(lines)} networks are banned" if len(lines) != 1 else "1 network is banned"


def _report_list(reply: operators.ReportList, now: str) -> _Rendered:
    items = [
        f"{moment(each.at, now)}  {each.user} by {each.by}{'' if each.counted else ' (not counted)'}"
        f"{f': {each.reason}' if each.reason else ''}"
        for each in reply.reports
    ]
    for each in reply.users:
        ban = f"; banned {describe_end(each.ban.until, now)}: {each.ban.reason}" if each.ban else ""
        items.append(f"{each.user}: {_counted(each.reports, 'report')}, {each.counting} of them count now{ban}")
    more = f"; {reply.more}" if reply.more else ""
    return items, f"{_counted(len(reply.reports), 'report')}{more}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _stats(reply: operators.StatsReport, now: str) -> _Rendered:
    items = [
        f"accounts ever registered: {reply.users}",
        f"banned now: {reply.banned}",
        f"reports in 24 h: {reply.reports}",
        f"last id or change: {reply.seq}",
        f"size of the database: {reply.database / (1 << 20):.1f} MB",
        f"stored texts: {describe_size(reply.texts)}, of one user at most {describe_size(reply.texts_most)} of"
        f" {describe_size(reply.text_quota)}",
        *(f"{name.replace('_', ' ')}: {_count(name, value)}" for name, value in (reply.live or {}).items()),
        *(f"node {name}: {_counts(counts)}" for name, counts in (reply.nodes or {}).items()),
    ]
    return items, f"as of {moment(reply.at, now)}"


def _count(name: str, value: int) -> str:
    return describe_size(value) if name.endswith("_bytes") else str(value)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_count(name, value)}" for name, value in counts.items())


def _operator_list(reply: control.OperatorList, now: str) -> _Rendered:
    items = [f"{each.user}  by {each.by}{f'  ({each.note})' if each.note else ''}" for each in reply.operators]
    return items, _counted(len(items), "operator")


def differences(reply: control.ClusterVerified) -> list[str]:
    return [
        *(f"{node} differs in {', '.join(tables)}" for node, tables in reply.different.items()),
        *(f"{node} could not tell: {why}" for node, why in reply.failed.items()),
        *(f"{node} did not answer" for node in reply.unanswered),
        *(
            f"{node} has the tables of another version, as during an upgrade: verify again once that is over"
            for node in reply.apart
        ),
    ]


def verified(reply: control.ClusterVerified) -> str:
    if not reply.same:
        return "no node could tell what it holds"
    told = f"{', '.join(reply.same)}: digest {reply.digest} at batch {reply.batch} of stream {reply.stream}"
    if reply.different and not reply.is_majority:
        return f"the nodes differ, and none can be told to be the wrong one; {told}"
    if reply.different:
        return f"most nodes hold the same, and others do not; {told}"
    if not reply.agree:
        return f"not all nodes answered; {told}"
    return f"all nodes {'of one version ' if reply.apart else ''}hold the same; {told}"


REPLIES: dict[type[Reply], Callable[[Any, str], _Rendered]] = {
    accounts.SignedIn: _signed_in,
    accounts.SignedOut: lambda reply, now: (
        [],
        f"signed out; {reply.closed} other connection{'s' if reply.closed != 1 else ''} closed"
        if reply.closed
        else "signed out; /sign_in <username> signs in again",
    ),
    accounts.TokenList: _tokens,
    accounts.TokenRevoked: lambda reply, now: (
        [],
        f"nobody signs in with the token {reply.token_id} any more; {_counted(reply.closed, 'connection')} closed",
    ),
    accounts.PasswordSet: lambda reply, now: (
        [],
        "the password is set; your other connections are closed, and need it to come back",
    ),
    accounts.AccountDeleted: lambda reply, now: ([], f"the account {reply.user} and its texts are gone"),
    messages.Sent: lambda reply, now: ([], f"sent #{reply.id}"),
    files.Upload: _upload,
    files.UploadCancelled: lambda reply, now: ([], f"upload {reply.upload} is cancelled; nothing of it was sent"),
    files.FileSent: lambda reply, now: (
        [],
        f"file {reply.id} {reply.name}, {describe_size(reply.size)}, sha256 {reply.sha256}",
    ),
    files.FileList: _files,
    messages.Changed: lambda reply, now: ([], reply.note or f"changed #{reply.id}"),
    messages.ThreadShown: lambda reply, now: (
        [],
        f"{reply.comments} comment{'s' if reply.comments != 1 else ''} on #{reply.id} in {reply.chat}",
    ),
    messages.Talking: _talking,
    messages.DelayedSet: lambda reply, now: (
        [],
        f"delayed message {reply.delayed_id} goes out at {moment(reply.due, now)}"
        f"{f' at the earliest: {reply.note}' if reply.note else ''};"
        f" /cancel_delayed {reply.delayed_id} cancels it",
    ),
    messages.DelayedCancelled: lambda reply, now: ([], f"delayed message {reply.delayed_id} is cancelled"),
    messages.DelayedList: _delayed_list,
    messages.MessagesShown: _page,
    messages.MarkedRead: lambda reply, now: (
        [],
        f"{reply.chat} is read up to #{reply.id}" if reply.id else f"nothing to read in {reply.chat}",
    ),
    rooms.ChatCreated: lambda reply, now: (
        [],
        f"{reply.chat} is yours; /invite {reply.chat} <username> brings others in, /talk {reply.chat} and just type",
    ),
    rooms.UserInvited: lambda reply, now: ([], f"{reply.user} is invited to {reply.chat}"),
    rooms.LinkMade: lambda reply, now: (
        [],
        f"until {moment(reply.expires, now)} anybody may ask to join {reply.chat}: /join {reply.code}",
    ),
    rooms.LinksRevoked: lambda reply, now: (
        [],
        f"{reply.revoked} code{'s' if reply.revoked != 1 else ''} of {reply.chat} ended",
    ),
    rooms.Entering: lambda reply, now: (
        [],
        f"asked to join {reply.chat}; you will be told what its owner decides"
        if reply.asked
        else f"you are in {reply.chat}; /history {reply.chat} shows what was said, /talk {reply.chat} and just type",
    ),
    rooms.InvitationDeclined: lambda reply, now: ([], f"the invitation to {reply.chat} is declined"),
    rooms.RequestApproved: lambda reply, now: ([], f"{reply.user} is in {reply.chat} now"),
    rooms.RequestDenied: lambda reply, now: ([], f"{reply.user} is not let into {reply.chat}"),
    rooms.MemberList: _members,
    rooms.ChatLeft: lambda reply, now: ([], f"you left {reply.chat}"),
    rooms.MemberRemoved: lambda reply, now: ([], f"{reply.user} is no longer in {reply.chat}"),
    rooms.OwnerSet: lambda reply, now: ([], f"{reply.owner} owns {reply.chat} now"),
    rooms.TopicShown: lambda reply, now: (
        [],
        f"the topic of {reply.chat}: {reply.topic}" if reply.topic else f"{reply.chat} has no topic",
    ),
    rooms.SlowModeShown: lambda reply, now: (
        [],
        f"{reply.chat} is in slow mode: everybody may send one message in {duration(reply.seconds * 1000)}"
        if reply.seconds
        else f"{reply.chat} is not in slow mode",
    ),
    messages.Found: _found,
    people.MuteSet: lambda reply, now: (
        [],
        f"{reply.chat} is muted; /unmute {reply.chat} ends it" if reply.muted else f"{reply.chat} is not muted",
    ),
    people.PreferenceSet: lambda reply, now: (
        [],
        f"{reply.name} is “{reply.value}” on all your devices" if reply.value else f"{reply.name} is not kept any more",
    ),
    people.AwaySet: _away,
    people.BlockSet: lambda reply, now: (
        [],
        f"nothing goes between you and {reply.user} any more; /unblock {reply.user} ends it"
        if reply.blocked
        else f"{reply.user} is not blocked by you",
    ),
    people.BlockList: _blocked,
    people.StatusReport: _status,
    people.WhoReport: _who,
    people.Reported: _reported,
    people.PresenceSet: lambda reply, now: (
        [],
        "you are told who comes and goes" if reply.presence else "you are no longer told who comes and goes",
    ),
    people.TypingWatched: lambda reply, now: (
        [],
        "a program here is told who types" if reply.watch else "nobody here is told who types",
    ),
    people.TypingTold: lambda reply, now: ([], "told" if reply.typing else "told that you have stopped typing"),
    connection.HelpText: lambda reply, now: (reply.help[:-1], reply.help[-1]),
    connection.FormatSet: lambda reply, now: ([], f"you receive {reply.format} from now on"),
    connection.Pong: lambda reply, now: ([], "pong" if reply.word is None else f"pong {reply.word}"),
    connection.SessionList: _sessions,
    connection.Goodbye: lambda reply, now: ([], "goodbye"),
    operators.UserBanned: lambda reply, now: (
        [],
        f"{reply.user} is banned {describe_end(reply.until, now)}: {reply.reason}",
    ),
    operators.UserUnbanned: lambda reply, now: ([], reply.note or f"the ban of {reply.user} is over"),
    operators.AddressBanned: lambda reply, now: (
        [reply.note] if reply.note else [],
        f"{reply.address} is banned {_banned_until(reply.until, now)}: {reply.reason}",
    ),
    operators.AddressUnbanned: lambda reply, now: ([], reply.note or f"the ban of {reply.address} is over"),
    operators.AddressBanList: _address_ban_list,
    operators.Kicked: lambda reply, now: ([], f"the connections of {reply.user} are closed"),
    operators.Announced: lambda reply, now: ([], "everybody who is connected is told"),
    operators.ReportList: _report_list,
    operators.StatsReport: _stats,
    control.OperatorSet: lambda reply, now: (
        [],
        f"{reply.user} is {'an' if reply.operator else 'no'} operator now",
    ),
    control.OperatorList: _operator_list,
    control.CodeMade: lambda reply, now: (
        [],
        f"code {reply.code} lets one account be made {describe_end(reply.expires, now)}:"
        f" /sign_in <username> <password> <code>{f'; {reply.note}' if reply.note else ''}",
    ),
    control.CodeRevoked: lambda reply, now: ([], f"code {reply.code} lets nobody in any more"),
    control.CodeList: lambda reply, now: (
        [f"{each.code}  {describe_end(each.expires, now)}" for each in reply.codes],
        f"{len(reply.codes)} code{'' if len(reply.codes) == 1 else 's'} to be used",
    ),
    control.SettingsShown: lambda reply, now: (
        [f"{option} = {words}" for option, words in reply.settings.items()],
        _counted(len(reply.settings), "setting") + " for all nodes",
    ),
    control.SettingsChanged: lambda reply, now: (
        [f"{option} = {words}  (was {reply.was.get(option)})" for option, words in reply.settings.items()],
        _counted(len(reply.settings), "setting") + f" changed for all nodes{f'; {reply.note}' if reply.note else ''}",
    ),
    control.UserPasswordSet: lambda reply, now: (
        [],
        f"{reply.user} has a new password; all earlier sign-ins have ended",
    ),
    control.AccountForgotten: lambda reply, now: (
        [],
        f"the account {reply.user} and its texts are gone{_note(reply.note)}",
    ),
    control.ClusterVerified: lambda reply, now: (differences(reply), verified(reply)),
    control.Reloaded: lambda reply, now: (
        [*reply.changes, *reply.at_restart],
        f"the settings were read again: {_counted(len(reply.changes), 'change')}",
    ),
    control.FilesKept: lambda reply, now: ([], "all files stay until this connection ends"),
    control.Exported: lambda reply, now: ([], f"{_counted(reply.records, 'record')} of {reply.user}"),
    control.TimeRepaired: lambda reply, now: (
        [],
        f"{_counted(reply.messages, 'message')} and {_counted(reply.users, 'account')} had times in the future"
        if reply.messages or reply.users
        else "nothing lies in the future",
    ),
    control.Acts: lambda reply, now: ([], _counted(reply.count, "act")),
}
