"""A session: what is said over one connection. Lines in, commands on, replies out in their order.

Commands that only go into the log follow each other there without waiting, so that a program may pipeline. Every other
command waits for those before it and holds back those after it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from chat_server import __version__
from chat_server.action_log import ActionLog
from chat_server.addresses import is_loopback, network_of
from chat_server.delivery.blocks import render, render_reply
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.outbox import Outbox
from chat_server.disk_space import no_room
from chat_server.errors import UNREADABLE, Refusal
from chat_server.frontend.connection_commands import LOCAL, check_signed_in
from chat_server.frontend.rate_limits import Allowance, Allowances
from chat_server.frontend.transport import READ_BYTES_MAX, Transport
from chat_server.log.entries import EndTokens, Logged, Seen, Told, adds
from chat_server.node import Node
from chat_server.prepare import PREPARED, Asker, Prepared
from chat_server.protocol.accounts import Resume, SignedOut, SignIn, SignOut
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.connection import Closing, Notice, Quit
from chat_server.protocol.files import Chunk, SendFile
from chat_server.protocol.lines import LineBuffer, UnendedLine, decode
from chat_server.protocol.messages import Changed, Sent, Talk
from chat_server.protocol.parse import Parsed, parse
from chat_server.protocol.table import TABLE
from chat_server.rules.accounts import Welcome
from chat_server.rules.executor import Outcome
from chat_server.rules.moderation import Barred
from chat_server.rules.outcomes import Entered, Opened, Stale
from chat_server.rules.registry import RULES
from chat_server.settings import Settings
from chat_server.store.database import DISK_ERRORS, LOCKED

log = logging.getLogger("chat.session")

IN_FLIGHT_MAX = 256
PREPARE_TRIES_MAX = 5
LINES_A_TURN_MAX = 256
# All who see a message are told of its change with the names of all who reacted: so many cost as much as a command.
NAMES_A_COMMAND = 256
# What may wait to be executed, past which nothing more is read.
WAITING_BYTES_MAX = 65_536
# Of a line before signing in. Then no more than this is read at once, nor kept, nor waits behind a sign-in.
STRANGER_LINE_BYTES_MAX = 4096
# A chunk of a file that has so many takes nothing off the rate of commands.
FREE_CHUNK_BYTES = 8192


Finish = Callable[[Any], Reply]


class Pending(Struct):
    """A command of this session that is in the log.

    `reply` makes what is said out of the rule's own; `silent`: nobody asked for it and nobody is answered.
    """

    verb: str
    label: str | None
    started: float
    reply: Finish | None = None
    done: asyncio.Future[Outcome] | None = None
    silent: bool = False


class Session:
    def __init__(
        self,
        node: Node,
        settings: Settings,
        actions: ActionLog,
        allowances: Allowances,
        sessions: "set[Session]",
        transport: Transport,
        address: str,
        left: Callable[[], None],
    ) -> None:
        """`sessions` are all there are; `left` is called when the connection is lost."""
        self.hub = node.hub
        self.settings = settings
        self.transport = transport
        self.address = address
        self.network = network_of(address)
        self.local = is_loopback(address)
        self.since_ms = node.clock.now_ms()
        # Whose it is, and what program it says that it is.
        self.name = ""
        self.client: str | None = None
        self.token: bytes | None = None
        self.closing = False
        self._node = node
        self._clock = node.clock
        self._actions = actions
        self._allowances = allowances
        self._sessions = sessions
        self._left = left
        self._lines = LineBuffer(settings.line_bytes_max)
        now = self._clock.monotonic()
        self._buckets = allowances.of_connection(now)
        if not self.local:
            self._buckets += allowances.of_network(self.network, now)
        self._command_wait: asyncio.TimerHandle | None = None
        self._has_waited = False
        self._sign_in: asyncio.TimerHandle | None = None
        self._eof = False
        self._stopping = False
        self._in_order = False  # whether the end is the wish of the other side
        self._next: Parsed | None = None  # taken, but has to wait for what is in flight
        self._in_flight: dict[int, Pending] = {}  # by number, the oldest first
        self._logged = 0  # how many commands of this session went into the log
        self._task: asyncio.Task[None] | None = None  # the command that runs alone
        self._going_on = False
        self._marked = 0  # what a person gave a sign of having seen
        self._shown_from = 0  # what is unread up to here was not shown, since a position was given
        self._last: tuple[int, Seen] | None = None  # at the end: whose it was, and all that was written
        self._talk: Target | None = None
        self._tried = ""  # the name of a sign-in that is under way
        self.abort = transport.abort
        self.outbox = Outbox(self.hub, transport.write, self)
        self.number = self.hub.add(self)
        sessions.add(self)
        log.debug("session %d: connected from %s", self.number, address)
        self.say(Notice(f"chat-server {__version__}: /sign_in <name> to come in, /help for all commands"))
        timeout_ms = settings.sign_in_timeout_ms
        if timeout_ms is not None and not self.local:
            self._sign_in = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._sign_in_timeout)

    @property
    def user_id(self) -> int:
        """0 before signing in."""
        return self.outbox.user_id

    # ---- the transport's calls

    @property
    def read_bytes_max(self) -> int:
        return READ_BYTES_MAX if self.user_id else STRANGER_LINE_BYTES_MAX

    def receive(self, data: memoryview) -> None:
        try:
            # What comes behind a sign-in may be as long as a line of a user.
            may_enter = self.user_id or self.is_busy() or self._lines.has_line()
            if self._lines.feed(data, None if may_enter else STRANGER_LINE_BYTES_MAX):
                self._lines_came()
        except UnendedLine:
            self.close("line_too_long", "1 MiB came without a line end")
        self._throttle()

    def eof(self) -> None:
        self._eof = self._in_order = True
        self._lines_came()

    def _lines_came(self) -> None:
        """Whole lines wait, or no more will come."""
        self._sign_of_life()
        self.go_on()

    def blocked(self) -> None:
        self.outbox.pause()

    def writable(self) -> None:
        self.outbox.resume()
        self.go_on()

    def lost(self) -> None:
        self.closing = True
        if self._command_wait is not None:
            self.charge(-1.0)
        for timer in (self._command_wait, self._sign_in):
            if timer is not None:
                timer.cancel()
        log.debug("session %d: disconnected", self.number)
        self.outbox.close()
        self.hub.remove(self)
        self._sessions.discard(self)
        self._left()
        for pending in self._in_flight.values():
            if pending.done is not None:
                pending.done.cancel()
        if self._task is not None:
            self._task.cancel()

    def _sign_in_timeout(self) -> None:
        if not self.user_id:
            self.close("sign_in_timeout", "nobody signed in; connect again when you want to")

    # ---- who waits for a password, and who takes nothing

    def is_there(self) -> bool:
        """Whether anybody may still be at the other side."""
        return not self.closing and self.transport.is_there()

    def may_have_left(self) -> bool:
        """Whether the other side said that nothing more comes: a script that waits, or somebody who has gone."""
        return self._eof

    def unsent_bytes_if_stuck(self) -> int:
        """What a reader leaves lying who is behind; 0 for one who is not."""
        return self.transport.unsent_bytes() if self.outbox.paused and not self.closing else 0

    # ---- the end

    def close(self, code: str, reason: str) -> None:
        """Say why, then hang up."""
        if not self.closing:
            self.say(Closing(reason, code))
            self.hang_up()

    def hang_up(self, *, in_order: bool = False) -> None:
        """End the connection once what was written has been taken, or after a while.

        `in_order`: it is the wish of the other side, which has then seen all that it took.
        """
        if self.closing:
            return
        in_order |= self._in_order
        if self.outbox.live and self.outbox.format == "text" and self.outbox.position > self._marked:
            self._last = self.user_id, Seen(self.outbox.position, self._shown_from)
        self.hub.detach(self)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self.closing = True
        self.outbox.close()
        self.transport.hang_up(self.settings.stall_ms / 1000, self._taken if in_order else None)

    def _taken(self) -> None:
        if self._last is not None:
            user_id, seen = self._last
            self._node.submit(seen, user_id)

    def stop_reading(self) -> None:
        """The server stops: what was not taken yet is not taken any more."""
        self._stopping = True
        self.transport.pause_reading()

    # ---- lines in

    def take_line(self, line_bytes_max: int) -> bytes | None:
        """The next line that is not empty; None if none waits or the rate of commands leaves no room for one yet.

        Raises Refusal `line_too_long` in place of one that is.
        """
        return self._lines.take(line_bytes_max) if self._lines.has_line() and self._allowed() else None

    def _allowed(self) -> bool:
        """Take one command off what the rates allow. Over them nothing is refused: the line waits for its turn."""
        if self._command_wait is not None:
            return False
        if self._has_waited:
            self._has_waited = False
            return True
        now = self._clock.monotonic()
        wait = max((each.reserve(now) for each in self._all_buckets(now)), default=0.0)
        if wait <= 0:
            return True
        self._command_wait = asyncio.get_running_loop().call_later(wait, self._has_its_turn)
        return False

    def _all_buckets(self, now: float) -> list[Allowance]:
        if not self.user_id:
            return self._buckets
        return self._buckets + self._allowances.of_user(self.user_id, now)

    def discount(self, chunk_bytes: int) -> None:
        """Chunks of files are paced by their answers: the more one carries, the less it takes off the rates."""
        self.charge(-min(1.0, chunk_bytes / FREE_CHUNK_BYTES))

    def charge(self, commands: float) -> None:
        """What was done cost the others as much as so many more commands: the next ones wait for longer, or shorter."""
        for each in self._all_buckets(self._clock.monotonic()):
            each.give_back(-commands)

    def _has_its_turn(self) -> None:
        self._command_wait = None
        self._has_waited = True
        self.go_on()

    def _throttle(self) -> None:
        """Read no more than can be executed soon."""
        if self._stopping:
            return
        # An unfinished line has its own bound, and is waited for; behind a sign-in its bound is not known yet.
        stranger = not self.user_id
        held_up = self._lines.has_line() or (stranger and self.is_busy())
        if held_up and self._lines.pending_bytes >= (STRANGER_LINE_BYTES_MAX if stranger else WAITING_BYTES_MAX):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    # ---- commands in

    def go_on(self) -> None:
        """Execute the lines that wait, as far as it may be now."""
        if self._going_on:
            return
        self._going_on = True
        try:
            turns = LINES_A_TURN_MAX
            while not self.closing and self._task is None and self._may_go_on():
                if not turns:
                    # The others first.
                    asyncio.get_running_loop().call_soon(self.go_on)
                    break
                turns -= 1
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
            self._going_on = False
        self._throttle()
        if self._eof and not self.closing and self._has_nothing_to_do():
            self.hang_up()

    def is_busy(self) -> bool:
        return self._next is not None or bool(self._in_flight) or self._task is not None

    def _may_go_on(self) -> bool:
        if self._stopping or self.outbox.paused or len(self._in_flight) >= IN_FLIGHT_MAX:
            return False
        return self.outbox.live or not self.user_id

    def _has_nothing_to_do(self) -> bool:
        waiting = self._next is not None or self._lines.has_line()
        return not waiting and not self._in_flight and self._task is None and self.outbox.idle

    def _take(self) -> Parsed | None:
        """The next command, or what is wrong with its line; None if there is none to be taken now."""
        limit = self.settings.line_bytes_max
        try:
            line = self.take_line(limit if self.user_id else min(limit, STRANGER_LINE_BYTES_MAX))
            return (
                None
                if line is None
                else parse(decode(line), text_chars_max=self.settings.text_chars_max, talk=self._talk)
            )
        except Refusal as refusal:
            return Parsed("", None, error=refusal)

    def _execute(self, parsed: Parsed) -> None:
        command: Any = parsed.command
        started = self._clock.monotonic()
        try:
            check_signed_in(self, parsed.verb)
            error = parsed.error or self._no_room_for(parsed)
            if error is not None:
                if not parsed.verb or not TABLE[parsed.verb].seen_by_others:
                    raise error
                command = Barred(error)
            elif type(command) in LOCAL:
                self._reply(parsed, LOCAL[type(command)](self, command), started)
        except Refusal as refusal:
            self._reply(parsed, refusal, started)
            return
        kind = type(command)
        if kind in RULES:
            self._submit(parsed, command, started)
        elif kind is Quit:
            self.hang_up(in_order=True)
        elif kind not in LOCAL:
            self._task = asyncio.get_running_loop().create_task(self._run(parsed, command, started))

    def _no_room_for(self, parsed: Parsed) -> Refusal | None:
        """What is said to a command that would store something new on a disk that has no room for it."""
        if parsed.command is None or not adds(parsed.command):
            return None
        wanted = parsed.command.size if isinstance(parsed.command, SendFile) else 0
        return None if self._node.space.has_room(wanted) else no_room()

    def _submit(
        self,
        parsed: Parsed,
        command: Any,
        started: float,
        reply: Finish | None = None,
        done: "asyncio.Future[Outcome] | None" = None,
    ) -> None:
        number = self._expect(Pending(parsed.verb, parsed.label, started, reply, done))
        self._node.submit(command, self.user_id, self.number, number, "" if self.local else self.network)

    def _expect(self, pending: Pending) -> int:
        """The number under which the outcome of what goes into the log now will come back."""
        self._logged += 1
        self._in_flight[self._logged] = pending
        return self._logged

    # ---- replies out

    def say(self, event: Event) -> None:
        self.outbox.write(render(event, self.outbox.format, self.hub.now()))

    def _reply(self, parsed: Parsed, reply: Reply | Refusal, started: float) -> None:
        self.outbox.reply(self._render(reply, parsed.verb, parsed.label, started))

    def _render(self, reply: Reply | Refusal, verb: str, label: str | None, started: float) -> bytes:
        """The final reply's bytes; it is also what the log of actions tells."""
        seconds = self._clock.monotonic() - started
        result = reply.code if isinstance(reply, Refusal) else "ok"
        self._actions.add(self.name or self._tried, verb or "-", result, seconds, self.number, self.address)
        # The commonest reply says no time that depends on today's date.
        now = "" if type(reply) is Sent else self.hub.now()
        return render_reply(reply, self.outbox.format, now, verb, label)

    def settle(self, outcome: Outcome) -> bytes:
        assert outcome.entry.origin is not None
        pending = self._in_flight.pop(outcome.entry.origin.number)
        result = outcome.result
        if pending.done is not None and not pending.done.done():
            pending.done.set_result(outcome)
        if isinstance(result, Entered):
            self._enter(result, outcome.seq)
        if isinstance(result, Entered | Opened | Stale) or pending.silent:
            return b""
        reply = result if isinstance(result, Refusal) or pending.reply is None else pending.reply(result)
        assert reply is not None
        if isinstance(result, Changed) and result.message and (reactions := result.message.reactions):
            self.charge(sum(map(len, reactions.values())) / NAMES_A_COMMAND)
        if isinstance(result, Sent) and result.id == self._marked + 1:
            # Nothing but one's own message came since: there is nothing new to have seen.
            self._marked = result.id
        return self._render(reply, pending.verb, pending.label, pending.started)

    def settled(self) -> None:
        self.go_on()

    def fail(self, refusal: Refusal) -> None:
        """Nothing in flight will ever be known to be done, whatever still comes of it."""
        self.hub.sessions.pop(self.number, None)
        pendings, self._in_flight = self._in_flight, {}
        for pending in pendings.values():
            if pending.done is not None:
                pending.done.cancel()
            if not pending.silent:
                self.outbox.write(self._render(refusal, pending.verb, pending.label, pending.started))

    async def _write_paced(self, lines: Iterable[bytes]) -> bool:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.outbox.write_paced(lines, lambda written: None if done.done() else done.set_result(written))
        return await done

    went_live = go_on

    def read_page(self, missed: MissedMessages) -> None:
        self._page = asyncio.get_running_loop().create_task(self._read_page(missed))

    async def _read_page(self, missed: MissedMessages) -> None:
        try:
            reader = self._node.readers.of(self.number)
            self.outbox.take_page(missed, await reader.serve(missed.user_id, missed.next_page))
        except Exception:
            log.exception("catching up failed; the connection is closed")
            self.abort()

    # ---- commands that run alone

    async def _run(self, parsed: Parsed, command: Any, started: float) -> None:
        if isinstance(command, SignIn):
            self._tried = command.username.name
        try:
            if isinstance(command, SignOut):
                await self._sign_out(parsed, command, started)
            elif type(command) in PREPARED:
                await self._run_prepared(parsed, command, started)
            else:
                await self._run_reading(parsed, command, started)
        except Refusal as refusal:
            self._reply(parsed, refusal, started)
        except (*DISK_ERRORS, LOCKED) as error:
            log.error("the disk failed while %s of user %d was read: %s", parsed.verb, self.user_id, error)
            self._reply(parsed, UNREADABLE, started)
        except Exception:
            log.exception("%s of user %d failed: this is a bug", parsed.verb, self.user_id)
            self._reply(parsed, Refusal("internal", "this failed by a mistake of the server, which is logged"), started)
        finally:
            self._task = None
            self._tried = ""
            self.outbox.release()
            if not self.closing:
                self.go_on()

    async def _run_reading(self, parsed: Parsed, query: Any, started: float) -> None:
        reply = await self._answer(parsed, query, started)
        if reply is None:
            return
        await self._write_paced([self._render(reply, parsed.verb, parsed.label, started)])
        if isinstance(query, Talk):
            self._talk = query.target

    async def _answer(self, parsed: Parsed, query: Any, started: float) -> Reply | None:
        """Write the lines that the query returns; its reply, None if a logged command has brought that."""
        self.outbox.hold()
        reading = self._node.read(self.user_id, query)
        up_to = self.outbox.position
        while (page := await reading.next()).events is not None:
            now = self.hub.now()
            events = filter(self.outbox.may_show, page.events)
            lines = (render(event, self.outbox.format, now, parsed.label) for event in events)
            if not await self._write_paced(lines):
                raise asyncio.CancelledError
            if isinstance(query, Welcome):
                self.outbox.note_shown(page.events, up_to)
        if isinstance(page.end, tuple):
            command, reply = page.end
            if isinstance(command, Told):
                self.outbox.note_told(command.notices)
            await self._submitted(parsed, command, started, lambda _: reply)
            return None
        return page.end

    async def _submitted(self, parsed: Parsed, command: Logged, started: float, reply: Finish | None = None) -> Outcome:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._submit(parsed, command, started, reply, done)
        return await done

    async def _run_prepared(self, parsed: Parsed, command: Command, started: float) -> None:
        if isinstance(command, Chunk):
            self.discount(len(command.base64))
        for _ in range(PREPARE_TRIES_MAX):
            wants_token = self.outbox.format == "json"
            asker = Asker(self.user_id, self.number, self, self.local, self.token, wants_token)
            prepared = await self._node.preparer.prepare(asker, command)
            if isinstance(prepared, Reply):
                self._reply(parsed, prepared, started)
                return
            outcome = await self._submitted(parsed, prepared.command, started, prepared.reply)
            if not isinstance(outcome.result, Stale):
                break
        else:
            raise Refusal("busy", "this account is being changed from somewhere else; try again")
        if isinstance(outcome.result, Entered):
            await self._welcome(parsed, command, prepared, outcome, started)
        elif isinstance(outcome.result, Opened):
            self._reply(parsed, await self._node.transfers.opened(outcome.result), started)

    # ---- signing in and out

    def _enter(self, entered: Entered, seq: int) -> None:
        if self.closing:
            return
        self.name = entered.name
        self._marked = 0
        self.hub.attach(self, entered.user_id, entered.name, seq, entered.away)

    async def _welcome(
        self, parsed: Parsed, command: Command, prepared: Prepared, outcome: Outcome, started: float
    ) -> None:
        assert isinstance(outcome.result, Entered)
        position = command.position if isinstance(command, Resume) else None
        self._shown_from = min(position or 0, outcome.seq)
        query = Welcome(outcome.result.new, outcome.seq, position, prepared.token)
        reply = await self._answer(parsed, query, started)
        if reply is not None:
            self._reply(parsed, reply, started)

    async def _sign_out(self, parsed: Parsed, command: SignOut, started: float) -> None:
        """Here, or everywhere, or on one of the user's connections."""
        number = command.session.number if command.session else self.number
        tokens = {receiver.number: receiver.token for receiver in self.hub.of_user(self.user_id)}
        if number is not None and number not in tokens:
            raise Refusal("bad_argument", f"you have no session {number}; /sessions lists them")
        ending = EndTokens(None) if number is None else EndTokens(number, tokens[number])
        await self._submitted(parsed, ending, started, lambda _: self._signed_out())

    def _signed_out(self) -> Reply:
        return SignedOut(sum(receiver is not self for receiver in self.hub.ending(self.user_id)))

    def sign_out(self) -> None:
        self.hub.detach(self)
        self.name, self.token, self._talk = "", None, None

    # ---- what a person has seen

    def _sign_of_life(self) -> None:
        """Who types has seen what stands above: a text session's read markers follow."""
        if self.outbox.live and self.outbox.format == "text" and self.transport.is_all_taken():
            self._mark_seen(self.outbox.position)

    def _mark_seen(self, position: int) -> None:
        if self.user_id and position > self._marked:
            self._marked = position
            # It stands in line like a command, so that what the line asks for is answered after it.
            number = self._expect(Pending("", None, 0.0, silent=True))
            self._node.submit(Seen(position, self._shown_from), self.user_id, self.number, number)
