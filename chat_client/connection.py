"""The connection: a chat as a stream of typed events and a few calls. For bots, and for the client itself.

    async with connect("localhost:8000", user="bot") as chat:
        async for event in chat:
            if isinstance(event, Message) and event.text == "!ping":
                await chat.send(event.chat, "pong")

Events are the structs of `chat_server.protocol.events` and those of `chat_client.states`. A lost connection is made
again by itself, without a gap and without a message twice; what was sent meanwhile goes out then, never twice.

One task reads the events (`async for`), any number may send. Everything is bounded: who does not read the events makes
the server wait. All methods belong to the loop's thread.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from chat_client.states import AnyEvent, Outgoing, State
from chat_server.protocol.events import CommandForm, Event, Reply, SignedIn


class Returned(NamedTuple):
    """What a command returned: the lines before its reply (messages, mostly), and the reply (a class of
    `chat_server.protocol.events`, or `OtherReply`)."""

    lines: list[Event]
    reply: Reply


class Typed(Struct, frozen=True):
    """A line that a person typed, read by the server's own table of commands.

    `sends`: it takes a `key`, so it goes through `Chat.post` (waits while there is no connection, is never sent
    twice); anything else through `Chat.command` or `Chat.line`.
    """

    verb: str
    arguments: dict[str, Any]
    sends: bool


class Tokens(Protocol):
    """Where tokens are kept between runs. `chat_client.tokens.TokenFile` is one."""

    def get(self, user: str) -> str | None: ...
    def put(self, user: str, token: str) -> None: ...
    def drop(self, user: str) -> None: ...


class Progress(Struct, frozen=True):
    """How far a file has come, in bytes."""

    done: int
    size: int


AskPassword = Callable[[str], Awaitable[str | None]]
OnProgress = Callable[[Progress], None]


class Chat:
    """A signed-in user's chat. Made by `connect`."""

    state: State
    user: str  # the name as the server writes it; "" before the first sign-in was answered
    signed_in: SignedIn | None  # the last `ok` of a sign-in
    commands: Sequence[CommandForm]  # the server's table, from `/format json`; for completion
    limits: dict[str, Any]  # the server's, from `/format json`: text_max, line_max, ...
    server_version: str
    position: int
    history: str

    def __aiter__(self) -> AsyncIterator[AnyEvent]:
        """The events; ends after `Ended`. One task at a time."""
        raise NotImplementedError

    async def command(self, verb: str, /, **arguments: Any) -> Returned:
        """A command by its verb and the names of its arguments: `command("history", chat="main", limit=50)`.

        Arguments that are None are left out. Raises Refused; Disconnected if there is no connection (at once), or
        if it is lost before the reply: then it is not known whether it was done.
        """
        raise NotImplementedError

    async def line(self, line: str) -> Returned:
        """A line as a person types it: `/history main limit 50`. One line; raises as `command`."""
        raise NotImplementedError

    def typed(self, line: str) -> Typed | None:
        """Read a line that starts with `/` (its text may have line breaks). None: no such command, or wrong
        arguments; `line` then brings the server's own words for it."""
        raise NotImplementedError

    async def send(self, target: str, text: str) -> Reply:
        """Send a message and wait until the server has it; the reply has `id` and `at`.

        While there is no connection it waits with the others, in order. Raises Refused, and Disconnected if it is
        discarded or the chat is closed before that.
        """
        raise NotImplementedError

    def post(self, verb: str, /, **arguments: Any) -> Outgoing:
        """Put a sending command (one that takes a `key`: send, send_all, reply, send_delayed) in line; returns at once.

        What becomes of it comes as `Outgoing` events with the same key. A message of one's own that was sent here comes
        as no `Message` event, but for two cases: it changes later, or the connection was lost before the answer came
        (then the `Message` may come before the `Outgoing` that is `sent`; both have the same id). Raises
        Disconnected if OUTGOING_MAX wait already.
        """
        raise NotImplementedError

    async def settled(self, key: str) -> Outgoing:
        """Wait until it is sent, failed or discarded."""
        raise NotImplementedError

    @property
    def outgoing(self) -> list[Outgoing]:
        """All that is waiting or held, in order."""
        raise NotImplementedError

    @property
    def held(self) -> list[Outgoing]:
        raise NotImplementedError

    def confirm(self, key: str | None = None) -> None:
        """Send what is held: this one, or all."""
        raise NotImplementedError

    def discard(self, key: str | None = None) -> None:
        """Do not send what is held, or waits: this one, or all that are held."""
        raise NotImplementedError

    def reconnect(self) -> None:
        """Try at once, if it waits for the next try."""
        raise NotImplementedError

    async def connected(self) -> None:
        """Wait until there is a connection. Raises Disconnected if there will be none."""
        raise NotImplementedError

    async def send_file(self, target: str, path: Path, *, progress: OnProgress | None = None) -> Reply:
        """Send a file; goes on where it was after a lost connection. The reply has `id` and `file`.

        Cancel the task to cancel the upload. Raises Refused, OSError.
        """
        raise NotImplementedError

    async def get_file(
        self, file_id: int, folder: Path, *, name: str | None = None, progress: OnProgress | None = None
    ) -> Path:
        """Fetch a file into the folder, under its own name or `name`; goes on where it was after a lost connection.

        Never leaves the folder, never overwrites: `photo (2).png`. The sha256 is checked. The path of the file. Cancel
        the task to cancel; what came so far is removed. Raises Refused, OSError.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Say goodbye. What still waits to be sent is lost: look at `outgoing` before."""
        raise NotImplementedError


def connect(
    servers: str | Sequence[str],
    *,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    position: int | None = None,
    tokens: Tokens | None = None,
    ask_password: AskPassword | None = None,
    tls: ssl.SSLContext | bool = False,
    client: str | None = None,
    patient: bool = False,
) -> AbstractAsyncContextManager[Chat]:
    """Connect and sign in: `async with connect("localhost:8000", user="bot") as chat`.

    `servers`: `host:port`, several of them with commas or as a list (those of one cluster, tried in turn). `token` (or
    the one in `tokens`) is tried first, then `user` with `password`. `ask_password` is called with a line for the
    person (`bob has a password`, `wrong password`) when the server wants one; None from it gives up. `position` with
    `token` goes on from an earlier run. `client` is shown in `/sessions`. The first connection of all raises
    CannotConnect or Refused, or is tried again and again if `patient`.

    Inside it, `chat.user` and `chat.signed_in` are known, unless so much was missed that it must be read first.
    """
    raise NotImplementedError
