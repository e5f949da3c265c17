"""The pipeline of one session: lines in, commands on, replies out in the order of the lines. It does no I/O itself.

Commands that only go into the log follow each other there without waiting, so that a program may pipeline. Every other
command waits for those before it and holds back those after it: it is *exclusive*.

Inputs are method calls, most of them with the time; what is to be done is asked of the `Port`. Whatever takes time is
answered by a later input, never within the call that asks for it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from chat_server import __version__
from chat_server.delivery.outbox import Outbox
from chat_server.errors import Refusal
from chat_server.frontend.connection_commands import CONNECTION_COMMANDS, check_signed_in
from chat_server.frontend.intake import Intake
from chat_server.frontend.port import Port
from chat_server.frontend.rate_limits import CommandRate
from chat_server.log.entries import ForgetNotices, Logged, MarkSeen
from chat_server.protocol.accounts import Resume, SignIn
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.files import Upload
from chat_server.protocol.lines import TELNET_MARK, UnendedLine, decode
from chat_server.protocol.messages import Changed, Comment, Send, SendAll, Sent, Talk
from chat_server.protocol.parse import Parsed, parse
from chat_server.protocol.table import TABLE
from chat_server.rules.accounts import Welcome
from chat_server.rules.executor import Outcome
from chat_server.rules.moderation import Barred
from chat_server.rules.outcomes import Entered, Opened, Page, Prepared, Stale, Then
from chat_server.rules.registry import RULES
from chat_server.settings import Settings

IN_FLIGHT_MAX = 256
PREPARE_TRIES_MAX = 5
LINES_A_TURN_MAX = 256
# While the log is full, each connection looks again after this time.
LOG_FULL_SECONDS = 0.5
# A chunk of a file that has so many takes nothing off the rate of commands.
FREE_CHUNK_BYTES = 8192
# A change goes to all who see the message, with the names of all who reacted: so many names cost as much as a command.
NAMES_A_COMMAND = 256
# These take along what was seen. Nobody comes to a chat or leaves it by them, which decides who is told of the marker.
MESSAGES = (SendAll, Send, Comment)


Pending = tuple[str, str | None, float, Callable[[Any], Reply] | None, bool]
"""A command of this session that is in the log: its verb, its label, when it began, what makes the reply out of that of
the rule, and whether it is exclusive. One without a verb is not a user's, and has no reply.

A tuple, since each message makes one and takes it apart, which costs a third of what a Struct does.
"""


class Exclusive(Struct):
    """The command that runs alone: it is being prepared, is in the log, or is answered by the pages of a query."""

    parsed: Parsed
    command: Any
    started: float
    tries_left: int = PREPARE_TRIES_MAX
    prepared: Prepared | None = None
    outcome: Outcome | None = None  # of the batch that is being delivered
    query: Any = None
    up_to: int = 0  # everything up to this seq had been shown when the query began


class Pipeline:
    def __init__(
        self, port: Port, outbox: Outbox, settings: Settings, rate: CommandRate, now: float, sign_in_by: float | None
    ) -> None:
        """`sign_in_by` is the deadline of the sign-in. The port MUST be ready for calls."""
        self.outbox = outbox
        self.settings = settings
        # The name of the session's user, and the name that its program gives itself.
        self.name = ""
        self.client: str | None = None
        self.closing = False
        self.has_eof = False
        self.port = port
        self._now = now  # the time of the current input
        self._intake = Intake(settings.line_bytes_max, rate)
        self._stopping = False
        self._hangs_up_in_order = False  # the other side wants the end
        self._next: Parsed | None = None  # taken, but waits for what is in flight
        self._in_flight: dict[int, Pending] = {}  # by number
        self._number = 0  # of the last command that was logged
        self._exclusive: Exclusive | None = None
        self._tried_name = ""  # the name of the sign-in under way
        self._going_on = False
        self._is_reading = True
        self._marked = 0  # the seq up to which the person has shown signs of having read
        self._seen: MarkSeen | None = None  # is logged next, with the line's message if it is one
        self._shown_from = 0  # unread messages up to this seq were not shown, since a position was given
        self._talk: Target | None = None
        # The times at which something is due even without another input.
        self._sign_in_by = sign_in_by
        self._go_on_at: float | None = None
        self._wakes_at: float | None = None

    @property
    def user_id(self) -> int:
        """0 before signing in. Each message reads it of the outbox itself, since a property is a call of a function."""
        return self.outbox.user_id

    # ---- inputs: the connection

    def open(self) -> None:
        self._say(Notice(f"chat-server {__version__}: /sign_in <name> to come in, /help for all commands"))
        self._arm()

    def receive(self, data: bytes | memoryview, now: float) -> None:
        if self.closing:
            return
        self._now = now
        try:
            # A line behind a sign-in may be as long as a line of a user.
            stranger = not (self.outbox.user_id or self.is_busy() or self._intake.has_line())
            has_line = self._intake.feed(data, stranger=stranger)
            if self._intake.lines.is_mark_wanted and not self.outbox.paused:
                self._intake.lines.is_mark_wanted = False
                self.outbox.write(TELNET_MARK)
            if has_line:
                self._mark_what_was_seen()
                self._go_on()
            else:
                self._throttle()
        except UnendedLine:
            self.close("line_too_long", "1 MiB came without a line end", now)

    def eof(self, now: float) -> None:
        """Nothing more will come. Finish the commands that were taken, then hang up."""
        self._now = now
        self.has_eof = self._hangs_up_in_order = True
        self._mark_what_was_seen()
        self._go_on()

    def blocked(self) -> None:
        """Write no more than necessary until the other side has taken something."""
        self.outbox.pause()

    def writable(self, now: float) -> None:
        self._now = now
        self.outbox.resume()
        self._go_on()

    def went_live(self, now: float) -> None:
        """The outbox has come up with the chat."""
        self._now = now
        self._go_on()

    def timer(self, now: float) -> None:
        """The time that was given to `Port.wake_at` has come."""
        self._now = now
        self._wakes_at = None
        if self.closing:
            return
        if self._sign_in_by is not None and now >= self._sign_in_by:
            self._sign_in_by = None
            if not self.user_id:
                self.close("sign_in_timeout", "nobody signed in; connect again when you want to", now)
        if self._go_on_at is not None and now >= self._go_on_at:
            self._go_on_at = None
        self._go_on()
        self._arm()

    def stop(self) -> None:
        """Take no more commands: the server stops."""
        self._stopping = True
        if self._is_reading and not self.closing and not self.has_eof:
            self._is_reading = False
            self.port.pause_reading()

    def fail(self, refusal: Refusal, now: float) -> None:
        """Refuse everything in flight: whether it was done will never be known. `close` MUST follow."""
        self._now = now
        in_flight, self._in_flight = self._in_flight, {}
        for verb, label, started, _, _ in in_flight.values():
            if verb:
                self.outbox.write_at_end(self._render(refusal, verb, label, started))

    def close(self, code: str, reason: str, now: float) -> None:
        """Send the reason, then hang up."""
        self._now = now
        if not self.closing:
            self.outbox.write_at_end(self.outbox.format.event(Closing(reason, code), self.port.now()))
            self._hang_up()

    def lost(self, now: float) -> None:
        """The connection is gone. Outcomes may still come; all other inputs are over."""
        self._now = now
        self.closing = True
        self._intake.close(self.user_id, now)
        self._drop_exclusive()
        self.port.wake_at(None)
        self.outbox.close()

    # ---- inputs: what was asked for

    def outcome(self, outcome: Outcome, now: float) -> bytes:
        """Take the outcome of a logged command; return the bytes of its reply, which the caller writes in place."""
        self._now = now
        origin, result = outcome.entry.origin, outcome.result
        assert origin is not None
        verb, label, started, make_reply, is_exclusive = self._in_flight.pop(origin.number)
        if is_exclusive and self._exclusive is not None:
            self._exclusive.outcome = outcome
        if isinstance(result, Refusal) and (not verb or outcome.entry.seen is not None):
            # Perhaps what was seen is not noted, so it is with the next sign of life.
            self._marked = 0
        if not verb:
            return b""
        # Not isinstance, which takes 0.2 µs to tell that a Struct is not another one.
        if type(result) is Sent:
            seq = self._marked + 1
            if result.id == seq:
                # Only the session's own message came since then, so there is nothing new to read.
                self._marked = seq
        elif type(result) is Entered:
            self._enter(result, outcome.seq)
            return b""
        elif type(result) is Opened or type(result) is Stale:
            return b""
        elif type(result) is Changed and result.message and (reactions := result.message.reactions):
            self._charge(sum(map(len, reactions.values())) / NAMES_A_COMMAND)
        reply = result if make_reply is None or isinstance(result, Refusal) else make_reply(result)
        assert reply is not None
        return self._render(reply, verb, label, started)

    def delivered(self, now: float) -> None:
        """The batch of the last outcomes has been delivered, and the replies to them have been written."""
        self._now = now
        exclusive = self._exclusive
        if exclusive is not None and exclusive.outcome is not None:
            outcome, exclusive.outcome = exclusive.outcome, None
            self._finish_logged(exclusive, outcome)
        elif self._next is None and self._is_reading and not self.has_eof and not self._intake.has_line():
            # As nearly always: nothing waited for the outcome.
            return
        self._go_on()

    def signed_out(self) -> None:
        self.port.detach()
        self.name, self._talk = "", None

    def prepared(self, prepared: Prepared | Reply, now: float) -> None:
        """Log what was prepared for the exclusive command, or send its reply if it is done already."""
        self._now = now
        exclusive = self._exclusive
        if exclusive is None:
            return
        if isinstance(prepared, Reply):
            self._reply(exclusive.parsed, prepared, exclusive.started)
            self._end_exclusive()
        else:
            exclusive.prepared = prepared
            self._submit_exclusive(exclusive, prepared.command, prepared.reply)

    def page(self, page: Page, now: float) -> None:
        """Show the next page of the query."""
        self._now = now
        if self._exclusive is not None:
            self._show(self._exclusive, page)

    def refused(self, refusal: Refusal, now: float) -> None:
        """Refuse the exclusive command: it cannot be prepared, or its query cannot be answered."""
        self._now = now
        if self._exclusive is not None:
            self._refuse_exclusive(self._exclusive, refusal)

    # ---- which commands may run

    def is_busy(self) -> bool:
        """Tell whether a command that was taken has no reply yet."""
        return self._next is not None or bool(self._in_flight) or self._exclusive is not None

    def _go_on(self) -> None:
        """Execute the waiting lines, as far as is allowed now."""
        if self._going_on:
            return
        self._going_on = True
        try:
            # What one turn adds to a full log is bounded, so it is asked once.
            lines_left, is_log_full = LINES_A_TURN_MAX, self.port.is_log_full()
            while not (self.closing or is_log_full) and self._exclusive is None and self._may_go_on():
                if not lines_left:
                    # The other sessions first.
                    self._go_on_at = self._now
                    self._arm()
                    break
                lines_left -= 1
                parsed = self._next or self._take()
                if parsed is None:
                    break
                command = parsed.command
                error = parsed.error if command is None else self.port.why_not(command)
                if self._seen is not None and (error is not None or type(command) not in MESSAGES):
                    self._submit_seen()
                if self._in_flight and (error is not None or type(command) not in RULES):
                    # What is refused is answered now, or after a look at the store: behind those in the log.
                    self._next = parsed
                    break
                self._next = None
                self._execute(parsed, error)
        finally:
            self._going_on = False
        if self._seen is not None:
            self._submit_seen()
        self._throttle()
        if self.has_eof and not self.closing and self._has_nothing_to_do():
            self._hang_up()

    def _may_go_on(self) -> bool:
        outbox = self.outbox
        if self._stopping or outbox.paused or len(self._in_flight) >= IN_FLIGHT_MAX:
            return False
        return outbox.live or not outbox.user_id

    def _has_nothing_to_do(self) -> bool:
        return not self.is_busy() and not self._intake.has_line() and self.outbox.is_idle

    def _take(self) -> Parsed | None:
        """Take the next command, or the refusal of its line; None if none may be taken now."""
        try:
            line = self._intake.take(self.outbox.user_id, self._now)
            if line is not None:
                return parse(decode(line), text_chars_max=self.settings.text_chars_max, talk=self._talk)
        except Refusal as refusal:
            return Parsed("", None, error=refusal)
        if self._intake.turn_at is not None:
            self._arm()
        return None

    def _charge(self, commands: float) -> None:
        """Count what was done as so many more commands, so that the next ones wait longer, or shorter if negative."""
        self._intake.charge(self.user_id, commands, self._now)

    def _throttle(self) -> None:
        """Read no more than can be executed soon."""
        if self.closing or self.has_eof or self._stopping:
            return
        is_log_full = self.port.is_log_full()
        stranger = not self.outbox.user_id
        wants_more = not is_log_full and not self._intake.is_full(stranger=stranger, busy=self.is_busy())
        if is_log_full:
            # Nobody says when there is room again.
            self._go_on_at = self._now + LOG_FULL_SECONDS
            self._arm()
        if wants_more != self._is_reading:
            self._is_reading = wants_more
            if wants_more:
                self.port.resume_reading()
            else:
                self.port.pause_reading()

    def _arm(self) -> None:
        turn_at = self._intake.turn_at
        if turn_at is not None and turn_at <= self._now:
            # Something else holds up the line now.
            turn_at = None
        deadlines = (self._sign_in_by, turn_at, self._go_on_at)
        wakes_at = min((each for each in deadlines if each is not None), default=None)
        if wakes_at != self._wakes_at:
            self._wakes_at = wakes_at
            self.port.wake_at(wakes_at)

    # ---- commands

    def _execute(self, parsed: Parsed, error: Refusal | None) -> None:
        """`error` is why it cannot be done, as far as that is known here."""
        command: Any = parsed.command
        if self._intake.is_browser and isinstance(command, SignIn | Resume):
            # A page that somebody reads on this machine may post lines to loopback: where accounts need no password,
            # they were executed.
            self.close("http", "a web page may have written this sign-in; nothing of it was executed", self._now)
            return
        try:
            verb = parsed.verb
            if verb:
                check_signed_in(self, TABLE[verb].who)
            if error is not None:
                if not verb or not TABLE[verb].seen_by_others:
                    raise error
                command = Barred(error)
            elif type(command) in CONNECTION_COMMANDS:
                command = CONNECTION_COMMANDS[type(command)](self, command)
        except Refusal as refusal:
            self._reply(parsed, refusal, self._now)
            return
        if type(command) in RULES:
            self._submit(command, (verb, parsed.label, self._now, None, False))
        elif isinstance(command, Reply):
            self._reply(parsed, command, self._now)
            if TABLE[verb].hangs_up:
                self._hangs_up_in_order = True
                self._hang_up()
        else:
            self._begin_exclusive(Exclusive(parsed, command, self._now))

    def _submit(self, command: Logged, pending: Pending) -> None:
        self._number += 1
        self._in_flight[self._number] = pending
        seen, self._seen = self._seen, None
        self.port.submit(command, self.outbox.user_id, self._number, seen)

    # ---- the exclusive command

    def _begin_exclusive(self, exclusive: Exclusive) -> None:
        self._exclusive = exclusive
        command = exclusive.command
        if isinstance(command, Command) and command.spec.runs == "prepared":
            self._tried_name = command.claimed_name
            if command.carried_bytes:
                # Replies pace the chunks of files: the more bytes a chunk has, the less it counts against the rates.
                self._charge(-min(1.0, command.carried_bytes / FREE_CHUNK_BYTES))
            self.port.prepare(command)
        else:
            self._read(exclusive, command)

    def _submit_exclusive(
        self, exclusive: Exclusive, command: Logged, reply: Callable[[Any], Reply] | None = None
    ) -> None:
        parsed = exclusive.parsed
        self._submit(command, (parsed.verb, parsed.label, exclusive.started, reply, True))

    def _finish_logged(self, exclusive: Exclusive, outcome: Outcome) -> None:
        """Go on after the outcome: its reply has been written, unless something else has to come first."""
        result = outcome.result
        if isinstance(result, Stale):
            exclusive.tries_left -= 1
            if exclusive.tries_left:
                self.port.prepare(exclusive.command)
            else:
                refusal = Refusal("busy", "this account is being changed from somewhere else; try again")
                self._refuse_exclusive(exclusive, refusal)
        elif isinstance(result, Entered):
            assert exclusive.prepared is not None
            position = exclusive.prepared.position
            self._shown_from = min(position or 0, outcome.seq)
            self._read(exclusive, Welcome(result.new, outcome.seq, position, exclusive.prepared.token))
        elif isinstance(result, Opened):
            self.port.look_at_upload(result)
        else:
            self._end_exclusive()

    def _read(self, exclusive: Exclusive, query: Any) -> None:
        # Also for a reply without lines: see `_Meanwhile` in `delivery/outbox.py`.
        self.outbox.hold()
        exclusive.query = query
        exclusive.up_to = self.outbox.position
        self.port.read(query)

    def _show(self, exclusive: Exclusive, page: Page) -> None:
        """Write a page, and the reply behind the last one, as fast as the other side takes them; then go on."""

        def shown(written: bool) -> None:
            if written and self._exclusive is exclusive:
                if isinstance(exclusive.query, Welcome):
                    self.outbox.note_shown(page.events, exclusive.up_to)
                self._go_on_reading(exclusive, page.end)

        self.outbox.write_paced(self._lines_of(exclusive, page), shown)

    def _lines_of(self, exclusive: Exclusive, page: Page) -> Iterator[bytes]:
        parsed = exclusive.parsed
        yield from self.outbox.lines(page.events, self.port.now(), parsed.label)
        if isinstance(page.end, Reply):
            yield self._render(page.end, parsed.verb, parsed.label, exclusive.started)

    def _go_on_reading(self, exclusive: Exclusive, end: Reply | Then | None) -> None:
        if end is None:
            self.port.read_on()
        elif isinstance(end, Reply):
            if isinstance(exclusive.query, Talk):
                self._talk = exclusive.query.target
            self._end_exclusive()
        else:
            command, reply = end
            if isinstance(command, ForgetNotices):
                self.outbox.note_told(command.notices)
            self._submit_exclusive(exclusive, command, lambda _: reply)

    def _refuse_exclusive(self, exclusive: Exclusive, refusal: Refusal) -> None:
        self._reply(exclusive.parsed, refusal, exclusive.started)
        self._end_exclusive()

    def _end_exclusive(self) -> None:
        self._exclusive = None
        self._tried_name = ""
        self.outbox.release()
        self._go_on()

    def _drop_exclusive(self) -> None:
        if self._exclusive is not None:
            self._exclusive = None
            self.port.give_up()

    # ---- replies out

    def _say(self, event: Event) -> None:
        self.outbox.write(self.outbox.format.event(event, self.port.now()))

    def _reply(self, parsed: Parsed, reply: Reply | Refusal, started: float) -> None:
        self.outbox.reply(self._render(reply, parsed.verb, parsed.label, started))

    def _render(self, reply: Reply | Refusal, verb: str, label: str | None, started: float) -> bytes:
        """Render the final reply, and add it to the log of actions."""
        result, id, seq, now = "ok", 0, 0, ""
        if type(reply) is Sent:
            # The most frequent reply has no time that depends on today's date.
            id = reply.id
        else:
            now = self.port.now()
            if type(reply) is Changed:
                id, seq = reply.id, reply.seq
            elif isinstance(reply, Refusal):
                result = reply.code
            elif type(reply) is Upload:
                id = reply.id or 0
        if not verb or not TABLE[verb].unlisted:
            self.port.log_action(self.name or self._tried_name, verb or "-", result, self._now - started, id, seq)
        return self.outbox.format.answer(reply, verb, label, now)

    # ---- signing in, and what a person has seen

    def _enter(self, entered: Entered, seq: int) -> None:
        if self.closing:
            return
        self.name = entered.name
        self._marked = 0
        self.port.attach(entered, seq)

    def _mark_what_was_seen(self) -> None:
        """Move the read markers of a text session: a person who types has read what stands above."""
        outbox = self.outbox
        if not (outbox.live and outbox.format.activity_marks_read and outbox.position > self._marked):
            return
        if outbox.holding:
            # What is pushed while a command is answered has not been written yet.
            return
        if self.user_id and self.port.is_all_taken():
            self._marked = outbox.position
            self._seen = MarkSeen(self._marked, self._shown_from)

    def _submit_seen(self) -> None:
        """Log what was seen as a command, so that what follows is answered after it: no message takes it along."""
        seen, self._seen = self._seen, None
        assert seen is not None
        self._submit(seen, ("", None, 0.0, None, False))

    # ---- the end

    def _hang_up(self) -> None:
        """End the session once the other side has taken what was written, or after a while."""
        outbox, port = self.outbox, self.port
        user_id, last = self.user_id, None
        if outbox.live and outbox.format.activity_marks_read and outbox.position > self._marked:
            last = MarkSeen(outbox.position, self._shown_from)
        port.detach()
        self.closing = True
        self._drop_exclusive()
        outbox.close()

        def mark_last() -> None:
            if last is not None:
                port.submit(last, user_id, 0)

        port.hang_up(mark_last if self._hangs_up_in_order else None)
