"""The supervisor of the connection: it tries servers in turn, signs in, resumes and pauses.

Tells the states in the order that `chat_client.sdk.events` describes. `link` is there from a sign-in's `ok` until the
connection is lost; `on_ready` and `on_lost` are called on either.
"""

import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeGuard

from msgspec import Struct

from chat_client.sdk.alternatives import Alternatives
from chat_client.sdk.backoff import Backoff
from chat_client.sdk.credentials import Credentials
from chat_client.sdk.errors import CannotConnect, ChatError, Disconnected, Refused
from chat_client.sdk.event_queue import EventQueue
from chat_client.sdk.events import Connected, Connecting, Ended, Forgotten, Lost, State, TokenNotKept
from chat_client.sdk.link import Answer, Link, LinkLost, Request, TurnedAway
from chat_client.sdk.position import Position
from chat_client.sdk.runtime import CancelledError, Future, Runtime
from chat_client.sdk.server_address import Server
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, CommandForm, FormatSet, Notice
from chat_server.protocol.messages import Message

LINE_BYTES_MAX = 1 << 16
BANNED = "banned"
# The codes with which a server closes a connection that must not be made again.
FINAL = frozenset(("signed_out", "account_deleted", BANNED))


class _OtherHistory(Exception):
    """The position was of another database: what was missed has to be asked for again, without a position."""


class Hooks(Struct, frozen=True):
    """What the supervisor calls when there is a connection, when it is lost, when the server has another history (what
    it knew before is forgotten), and when the server has its cluster back."""

    on_ready: Callable[[], None]
    on_lost: Callable[[], None]
    on_forgotten: Callable[[], None]
    on_recovered: Callable[[], None]


class Supervisor:
    def __init__(
        self,
        runtime: Runtime,
        servers: Sequence[Server],
        credentials: Credentials,
        tls: ssl.SSLContext | None,
        client: str,
        position: Position,
        backoff: Backoff,
        patient: bool,
        events: EventQueue,
        hooks: Hooks,
    ) -> None:
        self._runtime = runtime
        self.state: State = Connecting(str(servers[0]), 1)
        self.signed_in: SignedIn | None = None
        self.commands: Sequence[CommandForm] = ()
        self.limits: dict[str, Any] = {}
        self.server_version = ""
        self._link: Link | None = None
        self.position, self.credentials = position, credentials
        self.entered: Future[None] = runtime.future()
        self._hooks = hooks
        self._servers, self._tls, self._client = deque(servers), tls, client  # in the order in which they are tried
        self.alternatives = Alternatives(runtime, servers, tls)
        self._going_to: Server | None = None
        self._backoff, self._events = backoff, events
        self._tries_left = None if patient else len(servers)  # until the first sign-in
        self._failures: list[str] = []  # since the first server was tried
        self._final: tuple[str, str] | None = None
        self._greeted = False
        self._try_now = runtime.event()

    @property
    def link(self) -> Link | None:
        """The connection, once signed in; None as soon as it is lost."""
        return None if self._link is None or self._link.closed else self._link

    @property
    def line_bytes_max(self) -> int:
        line_max = self.limits.get("line_max")
        return line_max if isinstance(line_max, int) else LINE_BYTES_MAX

    def try_now(self) -> None:
        self._try_now.set()

    def finish(self, code: str, why: str) -> None:
        """This connection is the last one."""
        self._final = self._final or (code, why)
        if self.link is not None:
            self.link.hang_up()

    def end(self, code: str, why: str) -> None:
        """Nothing more comes. Only the first call says why."""
        if not isinstance(self.state, Ended):
            self._set(Ended(code, why))
        self._events.end()

    # ---- the task

    async def run(self) -> None:
        """Ends after `Ended`, or with the first connection's error in `entered`."""
        attempt = 0
        while True:
            server = self._servers[0]
            self._servers.rotate(-1)
            attempt += 1
            self._set(Connecting(str(server), attempt))
            error = await self._one_connection(server)
            if error is None:
                continue
            if isinstance(self.state, Connected):
                attempt = 0
            if self._refuses_entry(error):
                self.entered.set_exception(self._all_failures(error))
                self.entered.exception()  # nobody asks where the program is being ended
                self._events.end()
                return
            if self._final is not None:
                self.end(*self._final)
                return
            if self._going_to is not None:
                self._servers.rotate(-self._servers.index(self._going_to))
                self._set(Lost(str(error), self._runtime.elapsed(), str(self._going_to)))
                self._going_to = None
                continue
            await self._pause(error, tried_all=attempt % len(self._servers) == 0)

    async def _one_connection(self, server: Server) -> ChatError | None:
        """Returns at its end: why it ended, or None if it has to be made again at once."""
        self._greeted = False
        try:
            has_others = len(self._servers) > 1
            link = await Link.open(
                self._runtime, server, self._tls, self._take_pushed, self._room, has_others=has_others
            )
        except LinkLost as lost:
            return CannotConnect(f"{server}: {lost}")
        reading = self._runtime.spawn(link.run())
        leaving = self._runtime.spawn(self._leave_in_trouble(link, server))
        try:
            with suppress(Disconnected):  # the reader knows why
                await self._sign_in(link, server)
            await reading
        except LinkLost as lost:
            if isinstance(lost, TurnedAway):
                self._final = self._final or (BANNED, str(lost))
            return CannotConnect(f"{server}: {lost}")
        except Refused as refused:
            if not refused.is_passing:
                self._final = self._final or (refused.code, refused.text)
            return refused
        except _OtherHistory:
            pass
        finally:
            reading.cancel()
            leaving.cancel()
            self.alternatives.begin_anew()
            self._link = None
            self._hooks.on_lost()
            await link.close()
            for task in (reading, leaving):
                with suppress(CancelledError, LinkLost):
                    await task
        return None

    async def _leave_in_trouble(self, link: Link, server: Server) -> None:
        """Leave a server that has been of no use for long, once another one is sound."""
        if len(self._servers) > 1:
            self._going_to = await self.alternatives.find(server)
            link.hang_up("it takes nothing for now")

    def _refuses_entry(self, error: ChatError) -> bool:
        """Before the first sign-in an error is an exception of `connect`, unless it is patient."""
        if self.entered.done():
            return False
        if self._final is not None:
            return True
        if self.credentials.has_asked and (self._greeted or _is_too_fast(error)):
            # The person may have typed a password for longer than the server waits, or has to wait for another try.
            self.credentials.has_asked = False
            self._tries_left = self._tries_left and len(self._servers)
            return False
        self._failures.append(str(error))
        if self._tries_left is not None:
            self._tries_left -= 1
        return self._tries_left == 0

    def _all_failures(self, error: ChatError) -> ChatError:
        """Several servers may each have failed in their own way."""
        if isinstance(error, Refused) or len(self._failures) < 2:
            return error
        return CannotConnect("; ".join(self._failures))

    async def _pause(self, error: ChatError, tried_all: bool) -> None:
        seconds = self._backoff.next_pause(self._runtime.uniform) if tried_all else 0.0
        if _is_too_fast(error):
            seconds = max(seconds, _retry_in(error))
        self._set(Lost(str(error), self._runtime.elapsed() + seconds))
        self._try_now.clear()
        if _is_too_fast(error) and self.credentials.count_down is not None and not self.entered.done():
            await self.credentials.count_down("too many wrong passwords", seconds)
            return
        with suppress(TimeoutError):
            async with self._runtime.timeout(seconds):
                await self._try_now.wait()

    def _set(self, state: State) -> None:
        self.state = state
        self._events.put(state)

    async def _room(self) -> None:
        if self._events.full:
            self._enter()
        await self._events.room()

    def _enter(self) -> None:
        if not self.entered.done():
            self.entered.set_result(None)

    # ---- signing in

    async def _sign_in(self, link: Link, server: Server) -> None:
        """Raises Refused, Disconnected, LinkLost, _OtherHistory."""
        await link.wait_for_greeting()
        self._greeted = True
        format_json = {"format": "json", "client": self._client}
        link.command("format", format_json, Request(lambda answer: self._take_format(link, answer)))
        while True:
            position = self.position.seq if self.position.history else None
            verb, arguments = self.credentials.attempt(server, position)
            resumed = verb == "resume" and position is not None
            answered: Future[Answer] = self._runtime.future()
            on_answer = partial(self._take_sign_in, link, server, resumed, answered)
            link.command(verb, arguments, Request(on_answer, partial(self._take_missed, resumed)))
            answer = await answered
            match answer:
                case SignedIn():
                    if self.link is None:
                        raise _OtherHistory
                    return
                case Refused():
                    await self.credentials.take_refusal(answer)
                case Disconnected():
                    raise answer
                case _:
                    raise LinkLost("the server speaks another protocol")

    def _take_format(self, link: Link, answer: Answer) -> None:
        if isinstance(answer, FormatSet):
            self.commands = answer.commands or ()
            self.limits = answer.limits or {}
            self.server_version = answer.version or ""

    def _take_sign_in(
        self, link: Link, server: Server, resumed: bool, answered: Future[Answer], answer: Answer
    ) -> None:
        """Before anything that comes after it is read."""
        if isinstance(answer, SignedIn):
            self.signed_in = answer
            not_kept = self.credentials.accept(answer.user, answer.token)
            if self.position.take_sign_in(answer.seq, answer.history):
                self._events.put(Forgotten())
                self._hooks.on_forgotten()
            else:
                self._link = link
                link.line_bytes_max = self.line_bytes_max
                self._backoff.reset()
                self._set(Connected(str(server), answer, resumed))
                self._hooks.on_ready()
                if not_kept is not None:
                    self._events.put(TokenNotKept(not_kept))
                self._enter()
        if not answered.done():
            answered.set_result(answer)

    # ---- what comes

    def _take_missed(self, resumed: bool, event: Event) -> None:
        if not isinstance(event, Message) or self.position.take_missed(event, in_order=resumed):
            self._events.put(event)

    def take_confirmed(self, event: Event) -> None:
        """An event that a reply told on this connection."""
        if not isinstance(event, Message) or self.position.take_confirmed(event):
            self._events.put(event, is_own=True)

    def _take_pushed(self, event: Event) -> None:
        if isinstance(event, Closing) and event.code in FINAL:
            self._final = self._final or (event.code, event.reason)
            if event.code != BANNED:
                self.credentials.end()
        if isinstance(event, Notice) and event.stale is not None:
            if event.stale:
                self.alternatives.begin_trouble()
            else:
                self.alternatives.end_trouble()
                self._hooks.on_recovered()
        if not isinstance(event, Message) or self.position.take_pushed(event):
            self._events.put(event)


def _is_too_fast(error: ChatError) -> TypeGuard[Refused]:
    return isinstance(error, Refused) and error.code == "too_fast"


def _retry_in(refused: Refused) -> float:
    """As a distance: the clocks of the two machines may tell different times."""
    seconds = refused.fields.get("retry_in")
    return float(seconds) if isinstance(seconds, int | float) else 0.0
