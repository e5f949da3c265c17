"""People: who is online or away, mutes, blocks and preferences, and reports of users."""

from msgspec import Struct

from chat_server.protocol.accounts import ActiveBan
from chat_server.protocol.arguments import Key, OnOff, Reason, Target, Username
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.rooms import ChatInfo, Invitation, PendingRequest
from chat_server.protocol.table import command

# Programs show for this long that a user types, and longer if they are told so again.
TYPING_SECONDS = 6
# Noted where somebody is told who is online, or connected, while this node hears no other one.
ONLY_HERE = "this server hears no other one at the moment, and knows only who is connected to it"


class PresenceChanged(Event, frozen=True, tag="presence"):
    user: str
    online: bool
    away: str | None = None


class Typing(Event, frozen=True, tag="typing"):
    """It holds for `TYPING_SECONDS`, or until the user's next message there."""

    chat: str
    user: str
    typing: bool


class Muted(Event, frozen=True, tag="muted"):
    chat: str
    muted: bool


class PreferencesTold(Event, frozen=True, tag="preferences"):
    """All that there are, where there are any; a sign-in returns it before the messages."""

    preferences: dict[str, str]


class PreferenceChanged(Event, frozen=True, tag="preference"):
    """Without a value it is there no more."""

    name: str
    value: str | None = None


class Limit(Struct, frozen=True, omit_defaults=True):
    """How much of a limit is used up; `until` is when it starts anew."""

    used: int
    max: int
    until: str | None = None


class StatusReport(Reply, frozen=True, omit_defaults=True):
    user: str
    active: list[str]
    inactive: list[str]
    chats: list[ChatInfo]
    invitations: list[Invitation]
    join_requests: list[PendingRequest]
    limits: dict[str, Limit]
    at: str
    away: dict[str, str] | None = None
    ban: ActiveBan | None = None
    more: str | None = None
    operator: bool = False
    note: str | None = None


class WhoReport(Reply, frozen=True, omit_defaults=True):
    user: str
    online: bool
    at: str
    last_seen: str | None = None
    away: str | None = None
    note: str | None = None


class AwaySet(Reply, frozen=True, omit_defaults=True):
    away: str | None = None


class MuteSet(Reply, frozen=True, omit_defaults=True):
    chat: str
    muted: bool


class PreferenceSet(Reply, frozen=True, omit_defaults=True):
    name: str
    value: str | None = None


class BlockSet(Reply, frozen=True, omit_defaults=True):
    user: str
    blocked: bool


class BlockList(Reply, frozen=True, omit_defaults=True):
    blocked: list[str]


class Reported(Reply, frozen=True, omit_defaults=True):
    user: str
    reports: int
    limit: int
    note: str | None = None


class PresenceSet(Reply, frozen=True, omit_defaults=True):
    presence: bool


class TypingWatched(Reply, frozen=True, omit_defaults=True):
    watch: bool


class TypingTold(Reply, frozen=True, omit_defaults=True):
    typing: bool


# ---- commands


@command(
    "mute",
    group="Read",
    reply=MuteSet,
    runs="logged",
    fills="chat",
    help="marks a chat as one that does not call, on all your devices",
    example="/mute main",
)
class Mute(Command, frozen=True, tag="mute"):
    chat: Target


@command("unmute", group="Read", reply=MuteSet, runs="logged", fills="chat", help="ends /mute", example="/unmute main")
class Unmute(Command, frozen=True, tag="unmute"):
    chat: Target


@command(
    "preference",
    group="Read",
    reply=PreferenceSet,
    runs="logged",
    help="for clients: keeps a value with your account, for all your devices; without a value it is removed",
    example="/preference level:#team all",
)
class SetPreference(Command, frozen=True, tag="preference"):
    """What the names and values mean is up to the clients."""

    name: Key
    value: Reason | None = None


@command(
    "status",
    group="People",
    reply=StatusReport,
    runs="reading",
    help="who is here, which chats you are in, your limits; after a user, the next users",
    example="/status",
)
class Status(Command, frozen=True, tag="status"):
    after: Username | None = None


@command(
    "who",
    "whois",
    group="People",
    reply=WhoReport,
    runs="reading",
    fills="username",
    help="whether a user is online, or when last seen",
    example="/who bob",
)
class Who(Command, frozen=True, tag="who"):
    username: Username


@command(
    "away",
    "back",
    group="People",
    reply=AwaySet,
    runs="logged",
    seen_by_others=True,
    help="says why you are away, until /back; without a text it ends that",
    example="/away having lunch",
)
class Away(Command, frozen=True, tag="away"):
    text: Reason | None = None


@command(
    "block",
    "ignore",
    group="People",
    reply=BlockSet,
    runs="logged",
    asks="username",
    help="nothing goes between the two of you any more, and the other's mentions do not call you",
    example="/block mallory",
)
class BlockUser(Command, frozen=True, tag="block"):
    username: Username


@command(
    "unblock",
    group="People",
    reply=BlockSet,
    runs="logged",
    asks="username",
    help="ends /block",
    example="/unblock mallory",
)
class UnblockUser(Command, frozen=True, tag="unblock"):
    username: Username


@command(
    "blocked", group="People", reply=BlockList, runs="reading", help="lists whom you have blocked", example="/blocked"
)
class ListBlocked(Command, frozen=True, tag="blocked"):
    pass


@command(
    "report",
    group="People",
    reply=Reported,
    runs="logged",
    adds=True,
    asks="username",
    help="reports a user who misbehaves; reports by several users ban for a while",
    example="/report mallory floods main",
)
class Report(Command, frozen=True, tag="report"):
    username: Username
    reason: Reason | None = None


@command(
    "presence",
    group="People",
    reply=PresenceSet,
    runs="connection",
    usage={"presence": "<on|off>"},
    help="whether this connection is told who comes and goes",
    example="/presence off",
)
class SetPresence(Command, frozen=True, tag="presence"):
    presence: OnOff


@command(
    "watch_typing",
    group="People",
    reply=TypingWatched,
    runs="connection",
    usage={"watch": "<on|off>"},
    help="whether this connection is told who is typing; only programs are, in JSON",
    example="/watch_typing on",
    unlisted=True,
)
class WatchTyping(Command, frozen=True, tag="watch_typing"):
    watch: OnOff


@command(
    "typing",
    group="People",
    reply=TypingTold,
    runs="prepared",
    usage={"typing": "[on|off]"},
    help="tells those in a chat who watch for it that you are typing, for 6 seconds, or that you have stopped",
    example="/typing #ops",
    unlisted=True,
)
class TellTyping(Command, frozen=True, tag="typing"):
    chat: Target
    typing: OnOff = OnOff(True)
