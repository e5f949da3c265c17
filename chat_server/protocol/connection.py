"""One connection: help, format, sessions, and the notices of the server."""

from typing import Any

from msgspec import Struct

from chat_server.protocol.arguments import FormatName, Reason, Word
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.table import command


class Notice(Event, frozen=True, tag="notice"):
    """`unread`: the numbers that it tells; `chat` and `owner`: a private chat has a new owner; `by`: the operator who
    announces it; `stale`: whether what this connection is shown is old, and `as_of`, from when it is.
    """

    text: str
    unread: dict[str, int] | None = None
    chat: str | None = None
    owner: str | None = None
    by: str | None = None
    stale: bool | None = None
    as_of: str | None = None


# So begins the reason of `closing` with the code `banned`. A connection that is refused has the text format, where no
# code stands.
ADDRESS_BANNED = "your address is banned"


class Closing(Event, frozen=True, tag="closing"):
    reason: str
    code: str


class HelpText(Reply, frozen=True, omit_defaults=True):
    help: list[str]


class CommandForm(Struct, frozen=True):
    """A command as `/format json` describes it to a program."""

    verb: str
    aliases: tuple[str, ...]
    usage: str
    help: str
    group: str
    example: str
    arguments: list[dict[str, Any]]


class FormatSet(Reply, frozen=True, omit_defaults=True):
    """`stale`: the node has lost its cluster, and lets nobody in."""

    format: str
    server: str | None = None
    version: str | None = None
    protocol: int | None = None
    commands: list[CommandForm] | None = None
    limits: dict[str, Any] | None = None
    stale: bool = False


class Pong(Reply, frozen=True, omit_defaults=True):
    word: str | None = None


class SessionInfo(Struct, frozen=True, omit_defaults=True):
    """One of the user's connections; `this` marks the one that asks."""

    session: int
    address: str
    since: str
    client: str | None = None
    this: bool = False


class SessionList(Reply, frozen=True, omit_defaults=True):
    """In a cluster, `unanswered` names the nodes that did not answer in time, whose connections are missing here."""

    sessions: list[SessionInfo]
    unanswered: list[str] | None = None
    note: str | None = None


class Goodbye(Reply, frozen=True, omit_defaults=True):
    pass


# ---- commands


@command(
    "help",
    group="Connection",
    reply=HelpText,
    runs="connection",
    who="anyone",
    help="this list, or one command with an example",
    example="/help send_delayed",
)
class Help(Command, frozen=True, tag="help"):
    command: Word | None = None


@command(
    "format",
    group="Connection",
    reply=FormatSet,
    runs="connection",
    who="anyone",
    usage={"format": "<text|json>"},
    help="what this connection receives: text for people, JSON lines for programs",
    example="/format json",
)
class SetFormat(Command, frozen=True, tag="format"):
    format: FormatName
    client: Word | None = None


@command(
    "ping",
    group="Connection",
    reply=Pong,
    runs="connection",
    who="anyone",
    help="answers; a barrier for scripts",
    example="/ping here",
)
class Ping(Command, frozen=True, tag="ping"):
    word: Word | None = None


@command(
    "sessions",
    group="Connection",
    reply=SessionList,
    runs="prepared",
    help="lists your connections",
    example="/sessions",
)
class ListSessions(Command, frozen=True, tag="sessions"):
    pass


@command(
    "quit",
    "close",
    "exit",
    group="Connection",
    reply=Goodbye,
    runs="connection",
    who="anyone",
    help="says goodbye",
    example="/quit",
    hangs_up=True,
)
class Quit(Command, frozen=True, tag="quit"):
    reason: Reason | None = None
