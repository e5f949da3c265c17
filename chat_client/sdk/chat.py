"""A chat as a stream of typed events and a few calls, for bots and for the client itself.

    async with connect("localhost:8000", user="bot") as chat:
        async for event in chat:
            if isinstance(event, Message) and event.text == "!ping":
                await chat.send(event.chat, "pong")

Events are the structs of `chat_server.protocol` and those of `chat_client.sdk.events`. A lost connection is made
again by itself, without a gap and without a message twice; what was sent meanwhile goes out then, never twice.

One task reads the events (`async for`), any number may send. Everything is bounded: if the events are not read, the
server has to wait. All methods belong to the loop's thread.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from chat_client.sdk import codec, confirmations, transfers
from chat_client.sdk.backoff import Backoff
from chat_client.sdk.credentials import Ask, CountDown, Credentials, Tokens
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.event_queue import EventQueue
from chat_client.sdk.events import AnyEvent, Ended, Lost, Outgoing, State
from chat_client.sdk.link import Answer, Link, Request
from chat_client.sdk.position import Position
from chat_client.sdk.runtime import CancelledError, Future, Runtime, Task, Timer
from chat_client.sdk.send_queue import SendQueue
from chat_client.sdk.server_address import read as read_servers
from chat_client.sdk.supervisor import Hooks, Supervisor
from chat_client.sdk.transfers import OnProgress, Progress
from chat_client.sdk.typed_line import Typed, find, read
from chat_server import __version__
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import Sent

__all__ = ["Ask", "Chat", "OnProgress", "Progress", "Returned", "Tokens", "Typed", "connect"]


class Returned(NamedTuple):
    """What a command returned: the lines before its reply (messages, mostly), and the reply (a class of
    `chat_server.protocol`, or `OtherReply`)."""

    lines: list[Event]
    reply: Reply


GOODBYE_SECONDS_MAX = 2.0


class _File(Struct, frozen=True):
    path: Path
    progress: OnProgress | None


class Chat:
    """A signed-in user's chat. Made by `connect`."""

    def __init__(
        self, runtime: Runtime, make_supervisor: Callable[[EventQueue, Hooks], Supervisor], backoff: Backoff
    ) -> None:
        self.runtime = runtime
        self._events = EventQueue(runtime, lambda: bool(self._waiting), self._give_up)
        self._queue = SendQueue()
        self._files: dict[str, _File] = {}  # the files that wait, by the keys of their commands
        self._uploads: dict[str, Task[None]] = {}
        self._uploading: set[Task[None]] = set()  # and those that are being cancelled
        self._backoff = backoff  # after `unavailable` and `busy`
        self._resuming: Timer | None = None
        self._waiting: set[Future[Any]] = set()  # for answers
        self.is_own = False  # whether a command on this very connection caused the last event
        self._settling: dict[str, list[Future[Outgoing]]] = {}
        self._changed = runtime.event()  # whether there is a connection
        hooks = Hooks(self._on_ready, self._on_lost, self._on_forgotten, self._on_recovered)
        self._supervisor = make_supervisor(self._events, hooks)
        self._task = runtime.spawn(self._run())

    # ---- what is known

    @property
    def state(self) -> State:
        return self._supervisor.state

    @property
    def signed_in(self) -> SignedIn | None:
        """The last `ok` of a sign-in."""
        return self._supervisor.signed_in

    @property
    def commands(self) -> Sequence[CommandForm]:
        """The server's table, from `/format json`; for completion."""
        return self._supervisor.commands

    @property
    def limits(self) -> dict[str, Any]:
        """The server's limits, from `/format json`: text_max, line_max, ..."""
        return self._supervisor.limits

    @property
    def server_version(self) -> str:
        return self._supervisor.server_version

    @property
    def user(self) -> str:
        """The name as the server writes it; "" before the first sign-in was answered."""
        return self.signed_in.user if self.signed_in else ""

    @property
    def token(self) -> str | None:
        return self._supervisor.credentials.token

    @property
    def position(self) -> int | None:
        return self._supervisor.position.seq

    @property
    def history(self) -> str:
        return self._supervisor.position.history

    def __aiter__(self) -> AsyncIterator[AnyEvent]:
        """The events; ends after `Ended`. One task at a time."""
        return self

    async def __anext__(self) -> AnyEvent:
        event, self.is_own = await self._events.next()
        return event

    # ---- commands

    async def command(self, verb: str, /, **arguments: Any) -> Returned:
        """A command by its verb and the names of its arguments: `command("history", chat="main", limit=50)`.

        Arguments that are None are left out. Raises Refused; Disconnected if there is no connection (at once), or
        if it is lost before the reply: then it is not known whether it was done.
        """
        return await self._request(verb, arguments, lambda link, request: link.command(verb, arguments, request))

    def tell_typing(self, chat: str, typing: bool = True) -> None:
        """Tell others that the user types in a chat, or does not any more; nobody, where there is no connection.

        It is written before this returns, so that a message that is posted next ends it: an indicator that came behind
        the message would stay for seconds.
        """
        if (link := self._supervisor.link) is not None:
            link.command("typing", {"chat": chat, "typing": typing}, Request(lambda answer: None))

    async def line(self, line: str) -> Returned:
        """A line as a person types it: `/history main limit 50`. One line; raises as `command`."""
        if not line.startswith("/") or "\n" in line:
            raise Refused("bad_argument", "a command is one line that starts with /")
        word, typed = line.split(" ", 1)[0], self.typed(line)
        if word.lower() == "/format":
            raise Refused("bad_argument", "this connection stays JSON")
        form = find(word, self.commands)
        verb, arguments = form.verb if form else "", typed.arguments if typed else {}
        return await self._request(verb, arguments, lambda link, request: link.line(line, request))

    def typed(self, line: str) -> Typed | None:
        """Read a line that starts with `/` (its text may have line breaks). None: no such command, or wrong
        arguments; `line` then brings the server's own words for it."""
        return read(line, self.commands)

    def _ready_link(self) -> Link:
        if self._supervisor.link is None:
            raise Disconnected(self._no_connection())
        return self._supervisor.link

    def _no_connection(self) -> str:
        why = self.state.why if isinstance(self.state, Lost | Ended) else "it is being made"
        return f"there is no connection: {why}"

    def _settle_request(
        self, verb: str, arguments: dict[str, Any], request: Request, answer: Future[Answer], what: Answer
    ) -> None:
        if isinstance(what, Refused) and what.code == "not_signed_in":
            self._supervisor.finish("signed_out", "signed out")
        elif isinstance(what, Reply):
            if verb == "delete_account" or (verb == "sign_out" and arguments.get("session") in (None, "all")):
                self._supervisor.credentials.end()
                self._supervisor.finish("signed_out", "account deleted" if verb == "delete_account" else "signed out")
            elif verb == "quit":
                self._supervisor.finish("closed", "goodbye")
            for event in confirmations.events(verb, arguments, list(request.lines), what, self.user):
                self._supervisor.take_confirmed(event)
        if not answer.done():
            answer.set_result(what)

    async def _request(self, verb: str, arguments: dict[str, Any], write: Callable[[Link, Request], None]) -> Returned:
        """Have `write` write a command; return what it returns. Raises as `command`."""
        answer: Future[Answer] = self.runtime.future()
        request = Request(lambda what: self._settle_request(verb, arguments, request, answer, what))
        write(self._ready_link(), request)
        what = await self._wait(answer)
        if isinstance(what, ChatError):
            raise what
        return Returned(list(request.lines), what)

    async def _wait(self, future: Future[Any]) -> Any:
        self._waiting.add(future)
        self._events.nudge()
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _give_up(self) -> None:
        """Fail all calls that wait, since so many events have come that they must be taken first."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(Disconnected("too many events wait to be read; the answer is behind them"))

    # ---- sending

    async def send(self, target: str, text: str) -> Reply:
        """Send a message and wait until the server has it; the reply has `id` and `at`.

        While there is no connection it waits with the others, in order. Raises Refused, and Disconnected if it is
        discarded or the chat is closed before that.
        """
        return await self._wait_for_reply(self.post("send", target=target, text=text).key)

    async def _wait_for_reply(self, key: str) -> Reply:
        settled = await self.wait_until_settled(key)
        if settled.reply is None:
            raise settled.error or Disconnected("discarded: it was not sent")
        return settled.reply

    def post(self, verb: str, /, **arguments: Any) -> Outgoing:
        """Put a sending command (one that takes a `key`: send, send_all, reply, send_delayed) in line; returns at once.

        What becomes of it comes as `Outgoing` events with the same key. A message of one's own that was sent here comes
        as no `Message` event, but for two cases: it changes later, or the connection was lost before the answer came
        (then the `Message` may come before the `Outgoing` that is `sent`; both have the same id). Raises
        Disconnected if OUTGOING_MAX wait already, or the chat has ended; Refused `line_too_long`.
        """
        line_bytes = len(codec.encode(verb, {**arguments, "key": "k" * 64}, "l" * 32))
        if line_bytes > self._supervisor.line_bytes_max:
            raise Refused("line_too_long", f"that is too long for one message ({line_bytes} bytes); send it as a file")
        return self._post(self.runtime.key(), verb, arguments)

    def _post(self, key: str, verb: str, arguments: dict[str, Any]) -> Outgoing:
        if isinstance(self.state, Ended):
            raise Disconnected(self._no_connection())
        command = self._queue.add(key, verb, arguments, self.runtime.elapsed(), self.runtime.now())
        self._pump()
        return command

    async def wait_until_settled(self, key: str) -> Outgoing:
        """Wait until it is sent, failed or discarded. Raises Disconnected if the chat ends before that, and KeyError
        for what does not wait (any more)."""
        if self._queue.find(key) is None:
            raise KeyError(key)
        future: Future[Outgoing] = self.runtime.future()
        self._settling.setdefault(key, []).append(future)
        settled: Outgoing = await self._wait(future)
        return settled

    @property
    def outgoing(self) -> list[Outgoing]:
        """All that is waiting or held, in order."""
        return self._queue.all()

    @property
    def held(self) -> list[Outgoing]:
        return self._queue.held()

    def confirm(self, key: str | None = None) -> None:
        """Send what is held: this one, or all."""
        self._tell(self._queue.confirm(key, self.runtime.elapsed()))
        self._pump()

    def discard(self, key: str | None = None) -> None:
        """Do not send this command, or any that is held. A command that is on its way is not taken back, except for a
        file with this key, which is cancelled."""
        self._tell(self._queue.discard(key))

    def _pump(self) -> None:
        """Send what may go out."""
        link = self._supervisor.link
        if link is None:
            return
        for command in self._queue.take(self.runtime.elapsed()):
            if command.key in self._files:
                upload = self._uploads[command.key] = self.runtime.spawn(self._upload(command))
                self._uploading.add(upload)
                upload.add_done_callback(self._uploading.discard)
                continue
            request = Request(partial(self._settle_command, command.key))
            try:
                link.command(command.verb, {**command.arguments, "key": command.key}, request)
            except Refused as refused:
                self.runtime.call_soon(self._settle_command, command.key, refused)

    def _settle_command(self, key: str, answer: Answer) -> None:
        """A sending command was answered, or the connection broke."""
        match answer:
            case Refused(code="unavailable" | "busy"):
                if answer.code == "unavailable":
                    self._supervisor.alternatives.begin_trouble()
                self._tell(self._queue.put_back(key, answer))
                if self._resuming is None:
                    pause = self._backoff.next_pause(self.runtime.uniform)
                    self._resuming = self.runtime.call_later(pause, self._go_on)
                return
            case Disconnected():
                return
            case ChatError():
                changed = self._queue.fail(key, answer)
            case _:
                id_ = answer.id if isinstance(answer, Sent | Upload) else None
                is_shown = id_ is not None and not self._supervisor.position.note_sent(id_)
                changed = self._queue.settle(key, answer, is_shown=is_shown)
                self._supervisor.alternatives.end_trouble()
        self._backoff.reset()
        self._tell(changed)
        self._pump()

    def _go_on(self) -> None:
        """After a pause, or on a new connection."""
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None
        self._tell(self._queue.go_on(self.runtime.elapsed()))
        self._pump()

    def _tell(self, changed: list[Outgoing]) -> None:
        for command in changed:
            self._events.put(command)
            if command.state not in ("waiting", "held"):
                self._files.pop(command.key, None)
                if upload := self._uploads.pop(command.key, None):
                    upload.cancel()
                for future in self._settling.pop(command.key, ()):
                    if not future.done():
                        future.set_result(command)

    # ---- files

    async def send_file(self, target: str, path: Path, *, progress: OnProgress | None = None) -> Reply:
        """Send a file and wait until the server has it; the reply has `id` and `file`.

        It waits in line with the messages, and goes on where it was after a lost connection. Cancel the task to cancel
        it. Raises Refused, Disconnected if it is discarded or the chat ends, ChatError, OSError.
        """
        key = self.post_file(target, path, progress=progress).key
        try:
            return await self._wait_for_reply(key)
        except CancelledError:
            self.discard(key)
            raise

    def post_file(self, target: str, path: Path, *, progress: OnProgress | None = None) -> Outgoing:
        """Put a file in line, as `post` does a message; `discard` with its key cancels it. Messages that are sent
        later do not wait for its end. Raises OSError, ChatError, Refused for what cannot be sent at all."""
        arguments = {"target": target, **transfers.describe_file(path, self.limits)}
        key = self.runtime.key()
        self._files[key] = _File(path, progress)
        try:
            return self._post(key, "send_file", arguments)
        except Disconnected:
            del self._files[key]
            raise

    async def _upload(self, command: Outgoing) -> None:
        file = self._files[command.key]

        def on_open() -> None:
            self._queue.mark_opened(command.key)
            self._pump()

        answer: Answer
        try:
            answer = await transfers.send(
                self, file.path, command.arguments, command.key, file.progress, on_open, self._backoff.fresh()
            )
        except ChatError as error:
            answer = error
        except OSError as error:
            answer = ChatError(f"{file.path.name}: {error.strerror or error}")
        except Exception as error:  # `progress` is the caller's, and whoever waits for the file must not wait for ever
            answer = ChatError(f"{file.path.name}: {error!r}; it is not known whether it was sent")
            answer.done = None
            self.runtime.report("an upload failed", error)
        self._uploads.pop(command.key, None)
        self._settle_command(command.key, answer)

    async def get_file(
        self, file_id: int, folder: Path, *, name: str | None = None, progress: OnProgress | None = None
    ) -> Path:
        """Fetch a file into the folder, under its own name or `name`; goes on where it was after a lost connection.

        Never leaves the folder, never overwrites: `photo (2).png`. The sha256 is checked. The path of the file. Cancel
        the task to cancel; what came so far is removed. Raises Refused, Disconnected, ChatError, OSError.
        """
        return await transfers.fetch(self, file_id, folder, name, progress)

    # ---- the connection

    def reconnect(self) -> None:
        """Try at once, if it waits for the next try."""
        self._supervisor.try_now()

    async def wait_until_connected(self) -> None:
        """Wait until there is a connection. Raises Disconnected if there will be none."""
        while self._supervisor.link is None:
            if isinstance(self.state, Ended):
                raise Disconnected(self._no_connection())
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Say goodbye. What still waits to be sent is lost: look at `outgoing` before."""
        if not self._task.done():
            await self._cancel_uploads()  # before the goodbye, after which the server hears nothing
            if self._supervisor.link is not None:
                with suppress(ChatError, TimeoutError):
                    async with self.runtime.timeout(GOODBYE_SECONDS_MAX):
                        await self.command("quit")
            self._task.cancel()
        await self.runtime.wait([self._task])
        if not self._task.cancelled() and (bug := self._task.exception()) is not None:
            raise bug

    async def _run(self) -> None:
        try:
            await self._supervisor.run()
        finally:
            self._supervisor.end("closed", "closed")
            if not self._supervisor.entered.done():
                self._supervisor.entered.set_exception(Disconnected("closed"))
                self._supervisor.entered.exception()  # nobody may be asking any more
            self._changed.set()
            if self._resuming is not None:
                self._resuming.cancel()
            for key, futures in self._settling.items():
                for future in futures:
                    if not future.done():
                        future.set_exception(self._no_outcome(key))
            await self._cancel_uploads()

    async def _cancel_uploads(self) -> None:
        for upload in self._uploads.values():
            upload.cancel()
        self._uploads.clear()
        await self.runtime.wait(self._uploading)

    def _no_outcome(self, key: str) -> Disconnected:
        """The error for callers that wait for this command when there is no further try."""
        command = self._queue.find(key)
        if command is not None and command.in_doubt:
            return Disconnected(f"{self._no_connection()}; it is not known whether it was sent", None)
        return Disconnected(f"{self._no_connection()}; it was not sent")

    def _on_ready(self) -> None:
        self._changed.set()
        self._backoff.reset()
        self._go_on()

    def _on_recovered(self) -> None:
        """What the server could not take goes out at once; in a long outage the pauses have grown to a minute."""
        self._backoff.reset()
        if self._resuming is not None:
            self._go_on()

    def _on_forgotten(self) -> None:
        self._tell(self._queue.hold_doubtful())

    def _on_lost(self) -> None:
        for upload in self._uploads.values():
            upload.cancel()  # it is in line again
        self._uploads.clear()
        self._queue.lose_connection(self.runtime.elapsed())


@asynccontextmanager
async def connect(
    servers: str | Sequence[str],
    *,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    position: int | None = None,
    history: str = "",
    tokens: Tokens | None = None,
    code: str | None = None,
    ask_password: Ask | None = None,
    ask_code: Ask | None = None,
    count_down: CountDown | None = None,
    register: bool = True,
    tls: ssl.SSLContext | bool = False,
    client: str = f"chat-client/{__version__}",
    patient: bool = False,
    backoff: Backoff | None = None,
    runtime: Runtime | None = None,
) -> AsyncIterator[Chat]:
    """Connect and sign in: `async with connect("localhost:8000", user="bot") as chat`.

    `servers`: `host:port`, several of them with commas or as a list (those of one cluster, tried in turn). `token` (or
    the one in `tokens`) is tried first, then `user` with `password`. `ask_password` is called with a line for the
    person (`bob has a password`, `wrong password`) when the server wants one; None from it gives up. `code` (or what
    `ask_code` returns) is the invitation with which an account is made where the server wants that. After too many
    wrong ones `count_down` is called with a line and the seconds until one is asked again. Without `register` a name
    that has no account is refused (`unknown_user`), so that a typing error makes none. `position` and `history` with
    `token` go on from an earlier run. `client` is shown in `/sessions`. The first connection of all
    raises CannotConnect or Refused, or is tried again and again if `patient`. ValueError for what is no server.
    `runtime` is for tests.

    Inside it, `chat.user` and `chat.signed_in` are known, unless so much was missed that it must be read first.
    """
    addresses = read_servers(servers)
    credentials = Credentials(user, password, token, tokens, ask_password, count_down, register, code, ask_code)
    context = ssl.create_default_context() if tls is True else tls or None
    backoff, runtime = backoff or Backoff(), runtime or Runtime()
    seen = Position(position, history)
    make_supervisor = partial(Supervisor, runtime, addresses, credentials, context, client, seen, backoff, patient)
    chat = Chat(runtime, make_supervisor, backoff.fresh())
    try:
        await runtime.wait([chat._supervisor.entered])
        chat._supervisor.entered.result()
        yield chat
    finally:
        await chat.close()
