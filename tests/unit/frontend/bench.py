"""A pipeline on a bench: the test is the connection, the log, the node and the clock around it, and answers at will.

bench = Bench()
bench.sign_in()
bench.say("/send_all hi")      one line, with its end
bench.deliver()                all that is in the log is executed, as one batch
bench.lines                    what was written
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.outbox import Outbox
from chat_server.delivery.shown_states import OwnState
from chat_server.errors import Refusal, no_room_refusal
from chat_server.frontend.pipeline import Pipeline
from chat_server.frontend.rate_limits import Allowances, CommandRate
from chat_server.log.entries import EndTokens, Enter, Entry, Logged, MarkSeen, Origin, SetPassword
from chat_server.protocol.accounts import PasswordSet, SignedIn, SignedOut, SignIn, SignOut
from chat_server.protocol.base import Command
from chat_server.protocol.connection import ListSessions, Pong, SessionInfo, SessionList
from chat_server.protocol.messages import Message, SendAll, Sent
from chat_server.rules.accounts import Welcome
from chat_server.rules.executor import Outcome
from chat_server.rules.moderation import Barred
from chat_server.rules.outcomes import Entered, Opened, Page, Prepared
from chat_server.setting_kinds import Rate
from chat_server.settings import load, resolve
from chat_server.store.stretches import Stretch

NOON = "2026-11-21T12:00:00.000Z"
BLOCK_BYTES_MAX = 400
REFUSAL = Refusal("banned", "you are banned")
# A reply to a labelled command: `+ @k1 sent #1`, `- @k1 banned: ...`, `{"type":"ok","re":"ping","label":"k1"}`.
_TEXT_REPLY = re.compile(r"^([+-]) @(\w+) (\w+)")
_JSON_REPLY = re.compile(r'^\{"type":"(ok|error)".*"label":"(\w+)"(?:,"code":"(\w+)")?')


def message(number: int) -> Message:
    return Message(id=number, seq=number, chat="main", from_="bob", at=NOON, text=f"yours {number}")


def texts(logged: list[Logged]) -> list[str]:
    return [command.text for command in logged if isinstance(command, SendAll)]


class Bench:
    """It is the pipeline's port, the feed and the owner of its outbox.

    `rate` is that of commands; `sign_in_by` when somebody must have signed in.
    """

    def __init__(
        self, *, rate: Rate | None = None, burst: int = 1, sign_in_by: float | None = None, **changed: Any
    ) -> None:
        self.clock = 100.0
        self.taken = b""  # what was written
        self.stuck = False  # the other side takes nothing: what is written from here on blocks
        self.log: deque[tuple[Logged, int, int, MarkSeen | None]] = deque()  # as `submit` is called
        self.logged: list[Logged] = []
        self.work: tuple[str, Any] | None = None  # what is being prepared or read, and what for
        self.work_begun: list[str] = []
        self.missed: MissedMessages | None = None  # the page that the outbox asked for
        self.wakes_at: float | None = None
        self.reading = True
        self.hung_up = False
        self.when_taken: Callable[[], None] | None = None
        self.aborted = False
        self.closed = 0  # other sessions, by a sign-out
        self.room_bytes = 1 << 30
        self.log_is_full = False
        self.all_taken = True
        self.actions: list[tuple[str, str, str, float]] = []
        self.own_sessions: list[SessionInfo] = []
        self.delivered = 0
        self.write_bytes_max = BLOCK_BYTES_MAX
        self.messages: list[Message] = []  # of the others
        allowances = Allowances(rate, burst)
        self.outbox = Outbox(self, self._send, self)
        self.pipeline = Pipeline(
            self,
            self.outbox,
            replace(resolve({}, {}), **changed),
            CommandRate(allowances, None, self.clock),
            self.clock,
            sign_in_by,
        )
        self.pipeline.open()

    # ---- what the test does

    def say(self, *lines: str) -> None:
        self.receive("".join(f"{line}\n" for line in lines).encode())

    def receive(self, data: bytes) -> None:
        self.pipeline.receive(data, self.clock)

    def eof(self) -> None:
        self.pipeline.eof(self.clock)

    def deliver(self, count: int | None = None, result: Callable[[Logged], Any] | None = None) -> None:
        """So many commands of the log become one batch: it is executed and delivered, as `Delivery` does it."""
        batch = [self.log.popleft() for _ in range(len(self.log) if count is None else min(count, len(self.log)))]
        for command, user_id, number, seen in batch:
            if number:
                self._settle(Entry(command, user_id, Origin("node", 1, 7, number), seen=seen), result or self.result_of)
        self.outbox.catch_up()
        for command, _, number, _ in batch:
            if isinstance(command, EndTokens) and number:
                self.pipeline.signed_out()
        if any(number for _, _, number, _ in batch):
            self.pipeline.delivered(self.clock)

    def _settle(self, entry: Entry, result_of: Callable[[Logged], Any]) -> None:
        own: list[OwnState] = []
        result = result_of(entry.command)
        if isinstance(result, Sent):
            self.delivered = result.id
            own = [OwnState(result.id, result.id, 0)]
        data = self.pipeline.outcome(Outcome(entry, result, [], self.delivered), self.clock)
        if self.outbox.live and not self.outbox.holding:
            self.outbox.send(data)
        else:
            self.outbox.reply_as_of(self.delivered, data, own)

    def result_of(self, command: Logged) -> Any:
        """What comes of it where the test says nothing else."""
        if isinstance(command, SendAll):
            return REFUSAL if command.text == "refused" else Sent(self.delivered + 1, NOON)
        if isinstance(command, Enter):
            return Entered(1, command.name.name, False)
        if isinstance(command, SetPassword):
            return PasswordSet()
        return None if isinstance(command, MarkSeen) else Pong()

    def push(self, count: int = 1) -> None:
        """A batch of so many messages of others is delivered."""
        new = [message(self.delivered + number) for number in range(1, count + 1)]
        self.messages += new
        self.delivered += count
        if self.outbox.live:
            self.outbox.send(b"".join(self.outbox.format.event(each, NOON) for each in new))
        self.outbox.catch_up()

    def answer(self, result: Any = None) -> None:
        """What was being prepared or read is there: this result, or one that fits."""
        assert self.work is not None, "nothing is being prepared or read"
        (kind, what), self.work = self.work, None
        result = self.result_of_work(kind, what) if result is None else result
        if isinstance(result, Refusal):
            self.pipeline.refused(result, self.clock)
        elif kind == "read":
            self.pipeline.page(result, self.clock)
        else:
            self.pipeline.prepared(result, self.clock)

    def result_of_work(self, kind: str, what: Any) -> Any:
        if isinstance(what, Barred):
            return what.refusal
        if kind == "read":
            return Page((), SignedIn("x", False, 0, "h", [], [], []) if isinstance(what, Welcome) else Pong())
        if kind == "upload":
            return Pong()
        if isinstance(what, SignOut):
            return self._sign_out(what)
        if isinstance(what, ListSessions):
            return SessionList(self.own_sessions)
        if isinstance(what, SignIn):
            return Prepared(Enter(what.username, 0, None, False, None))
        return Prepared(SetPassword(0, "hash", None))

    def _sign_out(self, command: SignOut) -> Prepared | Refusal:
        if command.session is not None and command.session.number is not None:
            return Refusal("bad_argument", "you have no such session")
        return Prepared(EndTokens(7), reply=lambda _: SignedOut(self.closed))

    def answer_page(self) -> None:
        """What the outbox asked of the store is there."""
        assert self.missed is not None
        missed, self.missed = self.missed, None
        page = [each for each in self.messages if missed.start < each.seq <= missed.stop]
        missed.is_read = True
        stretch = Stretch(page, [each.seq for each in page], [0] * len(page))
        self.outbox.take_page(missed, [stretch.whole()] if page else [])

    def block(self) -> None:
        self.stuck = True

    def take(self) -> None:
        """The other side takes what waits."""
        self.stuck = False
        if self.outbox.paused:
            self.pipeline.writable(self.clock)

    def advance(self, seconds: float) -> None:
        """Time passes, and the timer goes off when it is due."""
        end, calls = self.clock + seconds, 0
        while self.wakes_at is not None and self.wakes_at <= end:
            calls += 1
            assert calls < 1000, "the timer goes off again and again"
            self.clock, self.wakes_at = max(self.clock, self.wakes_at), None
            self.pipeline.timer(self.clock)
        self.clock = end

    def settle_down(self) -> None:
        """Everything that was asked for is answered, until nothing more happens."""
        self.take()
        while self.log or self.work or self.missed or self.wakes_at is not None:
            if self.work:
                self.answer()
            elif self.missed:
                self.answer_page()
            elif self.log:
                self.deliver()
            else:
                self.advance(3600)

    def sign_in(self, name: str = "alice") -> None:
        self.say(f"/sign_in {name}")
        self.answer()
        self.deliver()
        self.answer()
        assert self.outbox.live
        self.forget()

    def forget(self) -> None:
        """Of what happened so far."""
        self.taken = b""
        self.logged.clear()
        self.work_begun.clear()
        self.actions.clear()

    @property
    def lines(self) -> list[str]:
        return self.taken.decode().splitlines()

    @property
    def replies(self) -> list[tuple[str, str]]:
        """Those to labelled commands, in the order in which they were written: the label, and `ok` or the code."""
        found = []
        for line in self.lines:
            if match := _TEXT_REPLY.match(line):
                found.append((match[2], "ok" if match[1] == "+" else match[3]))
            elif match := _JSON_REPLY.match(line):
                found.append((match[2], match[3] or "ok"))
        return found

    @property
    def shown_ids(self) -> list[int]:
        """Of the messages of others that were written, in their order."""
        return [int(number) for number in re.findall(r"yours (\d+)", self.taken.decode())]

    # ---- the port

    def submit(self, command: Logged, user_id: int, number: int, seen: MarkSeen | None = None) -> None:
        assert not self.hung_up or not number
        assert self.work is None or isinstance(command, MarkSeen), "nothing is logged beside a command that is alone"
        self.log.append((command, user_id, number, seen))
        self.logged += [command] if seen is None else [seen, command]

    def prepare(self, command: Any) -> None:
        self._begin("prepare", command)

    def look_at_upload(self, opened: Opened) -> None:
        self._begin("upload", opened)

    def read(self, query: Any) -> None:
        self._query = query
        self._begin("read", query)

    def read_on(self) -> None:
        self._begin("read", self._query)

    def _begin(self, kind: str, what: Any) -> None:
        assert not self.hung_up
        assert self.work is None, "one thing at a time"
        assert all(isinstance(each, MarkSeen) for each, *_ in self.log), "what is alone waits for what is in the log"
        self.work = kind, what
        self.work_begun.append(kind)

    def give_up(self) -> None:
        self.work = None

    def wake_at(self, when: float | None) -> None:
        self.wakes_at = when

    def pause_reading(self) -> None:
        assert self.reading and not self.hung_up
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading and not self.hung_up
        self.reading = True

    def is_all_taken(self) -> bool:
        return self.all_taken

    def hang_up(self, on_taken: Callable[[], None] | None) -> None:
        assert not self.hung_up, "once"
        self.hung_up = True
        self.when_taken = on_taken

    def attach(self, entered: Entered, seq: int) -> None:
        self.outbox.attach(entered.user_id, seq)

    def detach(self) -> None:
        if self.outbox.user_id:
            self.outbox.detach()

    def public_limits(self) -> dict[str, Any]:
        return load([], {}).public_limits()

    def is_stale(self) -> bool:
        return False

    def is_log_full(self) -> bool:
        return self.log_is_full

    def why_not(self, command: Command) -> Refusal | None:
        return no_room_refusal() if command.adds and command.announced_bytes >= self.room_bytes else None

    def now(self) -> str:
        return NOON

    def log_action(self, who: str, verb: str, result: str, seconds: float, id: int, seq: int) -> None:
        self.actions.append((who, verb, result, round(seconds, 6)))

    # ---- the feed and the owner of the outbox

    def joined(self, outbox: Outbox) -> None:
        pass

    def left(self, outbox: Outbox) -> None:
        pass

    def queue(self, outbox: Outbox) -> None:
        pass

    def find_descriptor(self) -> int:
        raise AssertionError

    def told(self, user_id: int, notices: list[int]) -> None:
        pass

    def read_page(self, missed: MissedMessages) -> None:
        self.missed = missed

    def went_live(self) -> None:
        self.pipeline.went_live(self.clock)

    def abort(self) -> None:
        self.aborted = True

    def _send(self, data: bytes) -> None:
        assert not self.hung_up, "nothing is written after the end"
        self.taken += data
        if self.stuck and not self.outbox.paused:
            self.pipeline.blocked()
