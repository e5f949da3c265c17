"""A session: it connects a pipeline to its transport, the node and the delivery."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from chat_server.action_log import ActionLog
from chat_server.addresses import is_loopback, network_of
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.outbox import Outbox
from chat_server.errors import UNREADABLE, Refusal, no_room_refusal
from chat_server.frontend.intake import STRANGER_LINE_BYTES_MAX
from chat_server.frontend.pipeline import Pipeline
from chat_server.frontend.rate_limits import Allowances, CommandRate
from chat_server.frontend.transport import READ_BYTES_MAX, Transport
from chat_server.log.entries import Logged, MarkSeen
from chat_server.node import Node
from chat_server.prepare import Asker
from chat_server.protocol.base import Command
from chat_server.protocol.connection import SessionInfo
from chat_server.protocol.times import iso
from chat_server.readings import Reading
from chat_server.rules.executor import Outcome
from chat_server.rules.outcomes import Entered, Opened, Page
from chat_server.runtime import Runtime, Task, Timer
from chat_server.settings import Settings
from chat_server.store.database import READ_ERRORS

log = logging.getLogger("chat.session")

_INTERNAL = Refusal("internal", "this failed by a mistake of the server, which is logged")


class Session:
    """It is the transport's handler, the delivery's receiver, the owner of its outbox, and the pipeline's port."""

    def __init__(
        self,
        runtime: Runtime,
        node: Node,
        settings: Settings,
        actions: ActionLog,
        allowances: Allowances,
        transport: Transport,
        address: str,
        on_lost: "Callable[[Session], None]",
    ) -> None:
        """`on_lost` is called when the connection is lost."""
        self.transport = transport
        self.address = address
        self.network = network_of(address)
        self.local = is_loopback(address)
        self.since_ms = node.time.now().at_ms
        self.token: bytes | None = None  # the hash of the one that it came in by
        self._node = node
        self._delivery = node.delivery
        self._runtime = runtime
        self._settings = settings
        self._actions = actions
        self._on_lost = on_lost
        self._timer: Timer | None = None
        self._task: Task[None] | None = None  # of the exclusive command: prepares it, or reads a page
        self._reading: Reading | None = None
        self._page_task: Task[None] | None = None
        now = runtime.monotonic()
        timeout_ms = None if self.local else settings.sign_in_timeout_ms
        self.outbox = Outbox(node.delivery.feed, transport.write, self)
        self.pipeline = Pipeline(
            self,
            self.outbox,
            settings,
            CommandRate(allowances, None if self.local else self.network, now),
            now,
            None if timeout_ms is None else now + timeout_ms / 1000,
        )
        self.number = node.delivery.add(self, self.outbox)
        log.debug("session %d: connected from %s", self.number, address)
        self.pipeline.open()

    # ---- the transport's handler

    @property
    def read_bytes_max(self) -> int:
        return READ_BYTES_MAX if self.outbox.user_id else STRANGER_LINE_BYTES_MAX

    def receive(self, data: memoryview) -> None:
        self.pipeline.receive(data, self._runtime.monotonic())

    def eof(self) -> None:
        self.pipeline.eof(self._runtime.monotonic())

    def blocked(self) -> None:
        self.pipeline.blocked()

    def writable(self) -> None:
        self.pipeline.writable(self._runtime.monotonic())

    def lost(self) -> None:
        log.debug("session %d: disconnected", self.number)
        self.pipeline.lost(self._runtime.monotonic())
        self._delivery.remove(self)
        self._on_lost(self)
        if self._page_task is not None:
            self._page_task.cancel()

    # ---- the delivery's receiver

    def settle(self, outcome: Outcome) -> bytes:
        return self.pipeline.outcome(outcome, self._delivery.began)

    def settled(self) -> None:
        self.pipeline.delivered(self._delivery.began)

    def describe(self) -> SessionInfo:
        return SessionInfo(self.number, self.address, iso(self.since_ms), self.pipeline.client)

    def sign_out(self) -> None:
        self.pipeline.signed_out()
        self.token = None

    def close(self, code: str, reason: str) -> None:
        self.pipeline.close(code, reason, self._runtime.monotonic())

    def abort(self) -> None:
        self.transport.abort()

    # ---- the owner of its outbox

    def find_descriptor(self) -> int:
        return self.transport.find_descriptor()

    def read_page(self, missed: MissedMessages) -> None:
        self._page_task = self._runtime.spawn(self._read_page(missed))

    async def _read_page(self, missed: MissedMessages) -> None:
        try:
            reader = self._node.readers.of(self.number)
            page = await reader.serve(missed.user_id, missed.next_page)
            self._page_task = None
            self.outbox.take_page(missed, page)
        except Exception:
            log.exception("catching up failed; the connection is closed")
            self.abort()

    def went_live(self) -> None:
        self.pipeline.went_live(self._runtime.monotonic())

    # ---- the pipeline's port: commands

    def submit(self, command: Logged, user_id: int, number: int, seen: MarkSeen | None = None) -> None:
        self._node.submit(command, user_id, self.number if number else 0, number, self.network, seen)

    def prepare(self, command: Any) -> None:
        asker = Asker(
            self.outbox.user_id, self.number, self, self.token, self.outbox.format.wants_token, self.pipeline.client
        )
        self._work(lambda: self._node.preparer.prepare(asker, command), self.pipeline.prepared)

    def look_at_upload(self, opened: Opened) -> None:
        self._work(lambda: self._node.transfers.open_upload(opened), self.pipeline.prepared)

    def read(self, query: Any) -> None:
        self._reading = self._node.read(self.outbox.user_id, query)
        self.read_on()

    def read_on(self) -> None:
        reading = self._reading
        assert reading is not None
        self._work(lambda: self._next_page(reading), self.pipeline.page)

    async def _next_page(self, reading: Reading) -> Page:
        page = await reading.next()
        if page.end is not None and self._reading is reading:
            # It holds 2 kB, and most connections ask for nothing after their sign-in.
            self._reading = None
        return page

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _work(self, work: Callable[[], Awaitable[Any]], then: Callable[[Any, float], None]) -> None:
        self._task = self._runtime.spawn(self._run(work, then))

    async def _run(self, work: Callable[[], Awaitable[Any]], then: Callable[[Any, float], None]) -> None:
        """Do the work for the exclusive command, and give the pipeline its result.

        A coroutine that was made but never awaited, as the task was cancelled before it began, Python would warn of.
        """
        try:
            result = await work()
        except Refusal as refusal:
            result, then = refusal, self.pipeline.refused
        except READ_ERRORS as error:
            log.error("the disk failed while something was read for user %d: %s", self.outbox.user_id, error)
            result, then = UNREADABLE, self.pipeline.refused
        except Exception:
            log.exception("a command of user %d failed: this is a bug", self.outbox.user_id)
            result, then = _INTERNAL, self.pipeline.refused
        self._task = None
        try:
            then(result, self._runtime.monotonic())
        except Exception:
            log.exception("session %d failed: this is a bug; it is closed", self.number)
            self.abort()

    # ---- the pipeline's port: bytes and time

    def wake_at(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._runtime.call_later(max(0.0, when - self._runtime.monotonic()), self._wake, when)

    def _wake(self, when: float) -> None:
        self._timer = None
        # The loop counts whole milliseconds, and may call a little early.
        self.pipeline.timer(max(when, self._runtime.monotonic()))

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.transport.resume_reading()

    def is_all_taken(self) -> bool:
        return self.transport.is_all_taken()

    def hang_up(self, on_taken: Callable[[], None] | None) -> None:
        self.transport.hang_up(self._settings.stall_ms / 1000, on_taken)

    # ---- the pipeline's port: the chat around it

    def attach(self, entered: Entered, seq: int) -> None:
        self.token = entered.token
        self._delivery.attach(self, entered.user_id, entered.name, seq, entered.away)

    def detach(self) -> None:
        self._delivery.detach(self)

    def public_limits(self) -> dict[str, Any]:
        return self._node.settings.public_limits()

    def is_stale(self) -> bool:
        return self._delivery.outage.is_on

    def is_log_full(self) -> bool:
        return self._node.is_full

    def why_not(self, command: Command) -> Refusal | None:
        node = self._node
        if not node.has_room(command) and command.adds:
            return no_room_refusal()
        if node.overload.level and not self.local:
            return node.shedding.refusal(command, self.outbox.user_id)
        return None

    def now(self) -> str:
        return self._delivery.now()

    def log_action(self, who: str, verb: str, result: str, seconds: float, id: int, seq: int) -> None:
        self._actions.add(who, verb, result, seconds, self.number, self.address, id, seq)

    # ---- the waiter for a password

    def is_there(self) -> bool:
        """Tell whether anybody may still be at the other side."""
        return not self.pipeline.closing and self.transport.is_there()

    def may_have_left(self) -> bool:
        """Tell whether the other side has ended its side: a script that waits, or a person who has gone."""
        return self.pipeline.has_eof

    # ---- the server's calls

    def unsent_bytes_if_stuck(self) -> int:
        """Return the bytes that a reader who is behind has not taken; 0 for one who is not behind."""
        return self.transport.unsent_bytes() if self.outbox.paused and not self.pipeline.closing else 0

    def stop_reading(self) -> None:
        self.pipeline.stop()

    def fail(self, refusal: Refusal) -> None:
        """See `Pipeline.fail`."""
        self._delivery.connections.remove(self.number)
        self.pipeline.fail(refusal, self._runtime.monotonic())
