"""Commands that concern one connection alone. They read no store and log nothing."""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, cast

from msgspec import Raw
from msgspec.json import encode

from chat_server import __version__
from chat_server.delivery.outbox import Outbox
from chat_server.errors import Refusal
from chat_server.frontend.port import Port
from chat_server.handlers import Handlers
from chat_server.protocol import PROTOCOL_VERSION
from chat_server.protocol.base import Reply, Role
from chat_server.protocol.connection import (
    CommandForm,
    FormatSet,
    Goodbye,
    Help,
    HelpText,
    Ping,
    Pong,
    Quit,
    SetFormat,
)
from chat_server.protocol.formats import FORMATS
from chat_server.protocol.help import command_forms, help_text, overview
from chat_server.protocol.people import PresenceSet, SetPresence, TypingWatched, WatchTyping

CLIENT_CHARS_MAX = 64


class Speaker(Protocol):
    """The pipeline that a command came to, as far as these commands use it."""

    name: str
    client: str | None
    outbox: Outbox
    port: Port

    @property
    def user_id(self) -> int: ...


CONNECTION_COMMANDS: Handlers[Callable[[Speaker, Any], Reply]] = Handlers("connection")
connection_command = CONNECTION_COMMANDS.register


def check_signed_in(here: Speaker, who: Role) -> None:
    """Refuse a command that needs a sign-in, or must not have one, before any other check of it. Raises Refusal."""
    if here.outbox.user_id:
        if who == "strangers":
            raise Refusal("already_signed_in", f"you are {here.name} here; /sign_out first")
    elif who not in ("strangers", "anyone"):
        raise Refusal("not_signed_in", "sign in first: /sign_in <username>")


# Strangers may ask for both as often as the rate of commands allows, and to make them anew takes 0.25 ms.
_overview = cache(overview)
_forms = cache(lambda: cast(list[CommandForm], Raw(encode(command_forms()))))


@connection_command(Help)
def show_help(here: Speaker, command: Help) -> Reply:
    return HelpText(help_text(command.command) if command.command else _overview())


@connection_command(SetFormat)
def set_format(here: Speaker, command: SetFormat) -> Reply:
    here.client = (command.client or "")[:CLIENT_CHARS_MAX] or here.client
    format = FORMATS[command.format]
    here.outbox.set_format(format)
    if not format.tells_commands:
        return FormatSet(format.name)
    return FormatSet(
        format=format.name,
        server="chat-server",
        version=__version__,
        protocol=PROTOCOL_VERSION,
        commands=_forms(),
        limits=here.port.public_limits(),
        stale=here.port.is_stale(),
    )


@connection_command(Ping)
def ping(here: Speaker, command: Ping) -> Reply:
    return Pong(command.word)


@connection_command(SetPresence)
def set_presence(here: Speaker, command: SetPresence) -> Reply:
    here.outbox.presence = command.presence
    return PresenceSet(command.presence)


@connection_command(WatchTyping)
def watch_typing(here: Speaker, command: WatchTyping) -> Reply:
    here.outbox.watches_typing = command.watch
    return TypingWatched(command.watch)


@connection_command(Quit)
def say_goodbye(here: Speaker, command: Quit) -> Reply:
    return Goodbye()
