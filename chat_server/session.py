"""A session: one connection, from its first byte to its last. Lines in, commands on, replies out in their order.

Commands that only go into the log follow each other there without waiting, so that a program may pipeline. Every other
command waits for those before it and holds back those after it. Nothing is read from a connection that has enough to
do, or that does not take what it is sent.
"""

import asyncio
import fcntl
import logging
import struct
import termios
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from msgspec import Struct

from chat_server import __version__
from chat_server.actions import ActionLog
from chat_server.delivery.blocks import render
from chat_server.delivery.outbox import Outbox
from chat_server.entries import EndTokens, Logged, Seen
from chat_server.errors import Refusal
from chat_server.node import Node
from chat_server.prepare import PREPARED, Asker, Prepared, hash_token
from chat_server.protocol import PROTOCOL_VERSION, json, text
from chat_server.protocol import commands as c
from chat_server.protocol import events as e
from chat_server.protocol import help as help_texts
from chat_server.protocol.arguments import Target
from chat_server.protocol.lines import LineBuffer, UnendedLine, decode
from chat_server.protocol.parse import Parsed, parse
from chat_server.protocol.times import iso
from chat_server.rules.accounts import Welcome
from chat_server.rules.execute import Outcome
from chat_server.rules.turn import RULES, Entered, Stale
from chat_server.settings import Settings, is_loopback

log = logging.getLogger("chat.session")

# Before signing in.
STRANGER_LINE_BYTES_MAX = 4096
IN_FLIGHT_MAX = 256
# What waits to be executed, past which nothing more is read; half of it, and reading goes on.
WAITING_LINES_MAX = 200
WAITING_BYTES_MAX = 65_536
PREPARE_TRIES_MAX = 5


class Pending(Struct):
    """A command of this session that is in the log. `reply` is said in place of the rule's own."""

    verb: str
    label: str | None
    started: float
    reply: e.Reply | None = None
    done: asyncio.Future[Outcome] | None = None
    signs_out: bool = False


class Session(asyncio.Protocol):
    transport: asyncio.Transport
    outbox: Outbox
    number: int

    def __init__(
        self,
        node: Node,
        settings: Settings,
        actions: ActionLog,
        sessions: "set[Session]",
        no_room: "Callable[[Session], str | None]",
    ) -> None:
        """`sessions` are all there are; `no_room` says why a new one cannot stay."""
        self._no_room = no_room
        self._node = node
        self._settings = settings
        self._actions = actions
        self._sessions = sessions
        self._lines = LineBuffer(settings.line_bytes_max)
        self._next: Parsed | None = None  # taken, but has to wait for what is in flight
        self._in_flight: deque[Pending] = deque()
        self._task: asyncio.Task[None] | None = None  # the command that runs alone
        self._allowance = float(settings.command_burst)
        self._allowance_at = node.clock.monotonic()
        self._refill: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._eof = False
        self._signing_out = False
        self._closing = False
        self._stopping = False
        self._pumping = False
        self._in_order = False  # whether the end of the connection is its user's own wish
        self._marked = 0  # what a person gave a sign of having seen
        self._last: tuple[int, int] | None = None  # at the end: whose it was, and all that was written
        self._talk: Target | None = None
        self._token: str | None = None
        self.name = ""
        self.address = ""
        self.client: str | None = None
        self.since_ms = node.clock.now_ms()

    @property
    def user_id(self) -> int:
        return self.outbox.user_id

    # ---- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        high = self._settings.outbox_bytes_max // 2
        self.transport.set_write_buffer_limits(high=high, low=high // 4)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        self.outbox = Outbox(self._node.hub, self.transport, self.pump)
        self.number = self._node.hub.add(self)
        self._sessions.add(self)
        log.debug("session %d: connected from %s", self.number, self.address)
        why = self._no_room(self)
        if why is not None:
            self.close("busy", why)
            return
        self._say(e.Notice(f"chat-server {__version__}: /sign_in <name> to come in, /help for all commands"))
        timeout_ms = self._settings.sign_in_timeout_ms
        if timeout_ms is not None and not is_loopback(self.address):
            self._timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._sign_in_timeout)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            ended = self._lines.feed(data)
        except UnendedLine:
            self.close("line_too_long", "1 MiB came without a line end")
            return
        if ended:
            self._sign_of_life()
            self.pump()
        self._throttle()

    def eof_received(self) -> bool:
        self._eof = True
        self._in_order = True
        self._sign_of_life()
        self.pump()
        return not self._closing

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()
        self.pump()

    def connection_lost(self, error: Exception | None) -> None:
        """The one place where a session ends."""
        log.debug("session %d: disconnected", self.number)
        if error is None and self._in_order and self._last is not None:
            user_id, position = self._last
            self._node.submit(Seen(position), user_id)
        self._closing = True
        self.outbox.close()
        self._node.hub.remove(self)
        self._sessions.discard(self)
        self._cancel_timer()
        for pending in self._in_flight:
            if pending.done is not None:
                pending.done.cancel()
        if self._task is not None:
            self._task.cancel()

    # ---- closing

    def close(self, code: str, reason: str) -> None:
        """Say why, then hang up once what was written has been taken, or after a while."""
        if self._closing:
            return
        self._say(e.Closing(reason, code))
        self.hang_up()

    def hang_up(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self.user_id and self.outbox.format == "text" and self.outbox.position > self._marked:
            self._last = self.user_id, self.outbox.position
        self._node.hub.detach(self)
        self.outbox.close()
        self._cancel_timer()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self.transport.close()
        # A reader who takes nothing any more would keep the connection for ever.
        self._timer = asyncio.get_running_loop().call_later(self._settings.stall_ms / 1000, self.transport.abort)

    def stop_reading(self) -> None:
        """The server stops: what was not taken yet is not taken any more."""
        self._stopping = True
        if not self._closing and not self._eof and self.transport.is_reading():
            self.transport.pause_reading()

    def _sign_in_timeout(self) -> None:
        if not self.user_id:
            self.close("sign_in_timeout", "nobody signed in; connect again when you want to")

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- commands in

    def pump(self) -> None:
        """Go on with the lines that wait, as far as it may go now."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while not self._closing and self._task is None and self._may_go_on():
                parsed = self._next or self._take()
                if parsed is None:
                    break
                alone = parsed.command is None or type(parsed.command) not in RULES or not self.user_id
                if alone and self._in_flight:
                    self._next = parsed
                    break
                self._next = None
                self._execute(parsed)
        finally:
            self._pumping = False
        self._throttle()
        if self._eof and not self._closing and self._has_nothing_to_do():
            self.hang_up()

    def _may_go_on(self) -> bool:
        if self._stopping or self.outbox.paused or len(self._in_flight) >= IN_FLIGHT_MAX:
            return False
        return self.outbox.live or not self.user_id

    def _has_nothing_to_do(self) -> bool:
        waiting = self._next is not None or len(self._lines) > 0
        return not waiting and not self._in_flight and self._task is None and self.outbox.idle

    def _throttle(self) -> None:
        """Read no more than can be executed soon."""
        if self._closing or self._eof or self._stopping:
            return
        lines, size = len(self._lines), self._lines.pending_bytes
        if lines > WAITING_LINES_MAX or size > WAITING_BYTES_MAX:
            if self.transport.is_reading():
                self.transport.pause_reading()
        elif lines <= WAITING_LINES_MAX // 2 and size <= WAITING_BYTES_MAX // 2 and not self.transport.is_reading():
            self.transport.resume_reading()

    def _take(self) -> Parsed | None:
        """The next command, or what is wrong with its line; None if none may be taken now."""
        while len(self._lines):
            if not self._allowed():
                return None
            limit = self._settings.line_bytes_max
            try:
                line = self._lines.take(limit if self.user_id else min(limit, STRANGER_LINE_BYTES_MAX))
                if not line:
                    self._allowance += 1
                    continue
                return parse(decode(line), text_chars_max=self._settings.text_chars_max, talk=self._talk)
            except Refusal as refusal:
                return Parsed("", None, error=refusal)
        return None

    def _allowed(self) -> bool:
        """Whether the rate of commands leaves room for one more; if not, it goes on when it does."""
        rate = self._settings.command_rate
        if rate is None:
            return True
        now = self._node.clock.monotonic()
        refill_per_s = rate.count / (rate.window_ms / 1000)
        self._allowance = min(
            float(self._settings.command_burst), self._allowance + (now - self._allowance_at) * refill_per_s
        )
        self._allowance_at = now
        if self._allowance >= 1:
            self._allowance -= 1
            return True
        if self._refill is None:
            wait = (1 - self._allowance) / refill_per_s
            self._refill = asyncio.get_running_loop().call_later(wait, self._refilled)
        return False

    def _refilled(self) -> None:
        self._refill = None
        self.pump()

    def _execute(self, parsed: Parsed) -> None:
        command = parsed.command
        started = self._node.clock.monotonic()
        try:
            if command is None:
                raise parsed.error or AssertionError
            self._check_signed_in(command)
        except Refusal as refusal:
            self._reply(parsed, refusal, started)
            return
        kind = type(command)
        if kind in RULES:
            self._submit(parsed, command, started)
        elif kind in LOCAL:
            try:
                reply = LOCAL[kind](self, command)
            except Refusal as refusal:
                self._reply(parsed, refusal, started)
                return
            self._reply(parsed, reply, started)
            if kind is c.Quit:
                self._in_order = True
                self.hang_up()
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(parsed, command, started))

    def _check_signed_in(self, command: c.Command) -> None:
        if isinstance(command, c.SignIn | c.Resume):
            if self.user_id:
                raise Refusal("already_signed_in", f"you are {self.name} here; /sign_out first")
        elif not self.user_id and not command.spec.before_sign_in:
            raise Refusal("not_signed_in", "sign in first: /sign_in <username>")

    def _submit(
        self,
        parsed: Parsed,
        command: Any,
        started: float,
        reply: e.Reply | None = None,
        done: "asyncio.Future[Outcome] | None" = None,
        signs_out: bool = False,
    ) -> None:
        self._in_flight.append(Pending(parsed.verb, parsed.label, started, reply, done, signs_out))
        self._node.submit(command, self.user_id, self.number, self.address)

    # ---- replies out

    def _say(self, event: e.Event, label: str | None = None) -> None:
        self.outbox.write(render(event, self.outbox.format, self._node.hub.today(), label))

    def _reply(self, parsed: Parsed, reply: e.Reply | Refusal, started: float) -> None:
        self.outbox.write(self._render(reply, parsed.verb, parsed.label, started))

    def _render(self, reply: e.Reply | Refusal, verb: str, label: str | None, started: float) -> bytes:
        """The final reply's bytes; it is also what the log of actions tells."""
        seconds = self._node.clock.monotonic() - started
        result = reply.code if isinstance(reply, Refusal) else "ok"
        self._actions.add(self.name, verb or "-", result, seconds, self.number)
        if isinstance(reply, Refusal):
            if self.outbox.format == "json":
                return json.refusal(reply, verb, label)
            return text.refusal(reply, label)
        if self.outbox.format == "json":
            return json.reply(reply, verb, label)
        return text.reply(reply, verb, label, self._node.hub.today())

    def settle(self, outcome: Outcome) -> bytes:
        pending = self._in_flight.popleft()
        result = outcome.result
        if pending.done is not None and not pending.done.done():
            pending.done.set_result(outcome)
        if isinstance(result, Entered):
            self._enter(result, outcome.seq)
            return b""
        if isinstance(result, Stale):
            return b""
        reply = result if isinstance(result, Refusal) else pending.reply or result
        assert reply is not None
        self._signing_out = pending.signs_out and not isinstance(result, Refusal)
        return self._render(reply, pending.verb, pending.label, pending.started)

    def settled(self) -> None:
        if self._signing_out:
            self._signing_out = False
            self._node.hub.detach(self)
            self.name, self._token, self._talk = "", None, None
        self.pump()

    def fail(self, refusal: Refusal) -> None:
        """Nothing in flight will ever be known to be done."""
        while self._in_flight:
            pending = self._in_flight.popleft()
            if pending.done is not None:
                pending.done.cancel()
            self.outbox.write(self._render(refusal, pending.verb, pending.label, pending.started))

    # ---- commands that run alone

    async def _run(self, parsed: Parsed, command: c.Command, started: float) -> None:
        try:
            if isinstance(command, c.SignOut):
                await self._sign_out(parsed, command, started)
            elif type(command) in PREPARED:
                await self._run_prepared(parsed, command, started)
            else:
                await self._run_reading(parsed, command, started)
        except Refusal as refusal:
            self._reply(parsed, refusal, started)
        except Exception:
            log.exception("%s of user %d failed: this is a bug", parsed.verb, self.user_id)
            self._reply(parsed, Refusal("internal", "this failed by a mistake of the server, which is logged"), started)
        finally:
            self._task = None
            if self.outbox.holding:
                self.outbox.release()
            if not self._closing:
                self.pump()

    async def _run_reading(self, parsed: Parsed, query: Any, started: float) -> None:
        self.outbox.hold()
        reply = await self._answer(parsed, query, started)
        if reply is None:
            return
        self._reply(parsed, reply, started)
        if isinstance(query, c.Talk):
            self._talk = query.target

    async def _answer(self, parsed: Parsed, query: Any, started: float) -> e.Reply | None:
        """Write the lines that the query returns; its reply, None if a logged command has brought that."""
        reading = self._node.read(self.user_id, query)
        up_to = self.outbox.position
        while (page := await reading.next()).events is not None:
            if not await self.outbox.drained():
                raise asyncio.CancelledError
            today = self._node.hub.today()
            lines = [render(event, self.outbox.format, today, parsed.label) for event in page.events]
            self.outbox.write(b"".join(lines))
            if isinstance(query, Welcome):
                self.outbox.note_shown(page.events, up_to)
        if isinstance(page.end, tuple):
            command, reply = page.end
            await self._submitted(parsed, command, started, reply)
            return None
        return page.end

    async def _submitted(
        self, parsed: Parsed, command: Logged, started: float, reply: e.Reply | None = None, *, signs_out: bool = False
    ) -> Outcome:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._submit(parsed, command, started, reply, done, signs_out)
        return await done

    async def _run_prepared(self, parsed: Parsed, command: c.Command, started: float) -> None:
        for _ in range(PREPARE_TRIES_MAX):
            asker = Asker(self.user_id, self.address, self._token, self.outbox.format == "json")
            prepared = await self._node.preparer.prepare(asker, command)
            outcome = await self._submitted(parsed, prepared.command, started)
            if not isinstance(outcome.result, Stale):
                break
        else:
            raise Refusal("busy", "this account is being changed from somewhere else; try again")
        if isinstance(outcome.result, Entered):
            await self._welcome(parsed, command, prepared, outcome, started)
        elif isinstance(outcome.result, e.AccountDeleted):
            for session in self._own_sessions():
                session.close("account_deleted", "this account was deleted")

    # ---- signing in and out

    def _enter(self, entered: Entered, seq: int) -> None:
        if self._closing:
            return
        self.name = entered.name
        self._marked = 0
        self._node.hub.attach(self, entered.user_id, entered.name, seq)
        self._cancel_timer()

    async def _welcome(
        self, parsed: Parsed, command: c.Command, prepared: Prepared, outcome: Outcome, started: float
    ) -> None:
        assert isinstance(outcome.result, Entered)
        self._token = prepared.token
        position = command.position if isinstance(command, c.Resume) else None
        query = Welcome(outcome.result.new, outcome.seq, position, prepared.token)
        reply = await self._answer(parsed, query, started)
        if reply is not None:
            self._reply(parsed, reply, started)

    def _own_sessions(self) -> "list[Session]":
        return [cast(Session, receiver) for receiver in self._node.hub.of_user(self.user_id)]

    async def _sign_out(self, parsed: Parsed, command: c.SignOut, started: float) -> None:
        """Here, or everywhere, or on one of the user's connections: their tokens end, the others are closed."""
        number = command.session.number if command.session else self.number
        chosen = [session for session in self._own_sessions() if number in (None, session.number)]
        if not chosen:
            raise Refusal("bad_argument", f"you have no session {number}; /sessions lists them")
        hashes = None if number is None else [hash_token(each._token) for each in chosen if each._token]
        others = [session for session in chosen if session is not self]
        reply = e.SignedOut(len(others))
        await self._submitted(parsed, EndTokens(hashes), started, reply, signs_out=self in chosen)
        for session in others:
            session.close("signed_out", "signed out from another connection")

    # ---- what a person has seen

    def _sign_of_life(self) -> None:
        """Who types has seen what stands above: a text session's read markers follow."""
        if self.outbox.live and self.outbox.format == "text" and not self._unsent_bytes():
            self._mark_seen(self.outbox.position)

    def _mark_seen(self, position: int) -> None:
        if self.user_id and position > self._marked:
            self._marked = position
            self._node.submit(Seen(position), self.user_id)

    def _unsent_bytes(self) -> int:
        """What was written but is not at the peer yet: in the transport, and in the kernel."""
        unsent = self.transport.get_write_buffer_size()
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
            unsent += queued
        return unsent

    def unsent_bytes_if_stuck(self) -> int:
        """What a reader leaves lying who is behind; 0 for one who is not."""
        return self._unsent_bytes() if self.outbox.paused and not self.transport.is_closing() else 0

    # ---- commands that concern this connection alone

    def _help(self, command: c.Help) -> e.Reply:
        return e.HelpText(help_texts.one(command.command) if command.command else help_texts.overview())

    def _set_format(self, command: c.SetFormat) -> e.Reply:
        self.client = (command.client or "")[:64] or self.client
        self.outbox.set_format(command.format)
        if command.format == "text":
            return e.FormatSet("text")
        return e.FormatSet(
            format="json",
            server="chat-server",
            version=__version__,
            protocol=PROTOCOL_VERSION,
            commands=help_texts.forms(),
            limits=self._settings.told(),
        )

    def _ping(self, command: c.Ping) -> e.Reply:
        return e.Pong(command.word)

    def _presence(self, command: c.Presence) -> e.Reply:
        self.outbox.presence = command.presence
        return e.PresenceSet(command.presence)

    def _list_sessions(self, command: c.ListSessions) -> e.Reply:
        return e.SessionList(
            [
                e.Connection(each.number, each.address, iso(each.since_ms), each.client, each is self)
                for each in self._own_sessions()
            ][:1000]
        )

    def _quit(self, command: c.Quit) -> e.Reply:
        return e.Goodbye()


LOCAL: dict[type, Any] = {
    c.Help: Session._help,
    c.SetFormat: Session._set_format,
    c.Ping: Session._ping,
    c.Presence: Session._presence,
    c.ListSessions: Session._list_sessions,
    c.Quit: Session._quit,
}
