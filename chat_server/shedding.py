"""The shedding of load by a node: how long its commands wait, whom it refuses, what its log says."""

import logging

from chat_server.delivery.delivery import Delivery
from chat_server.errors import Refusal
from chat_server.log import Log
from chat_server.overload import LEVELS, MESSAGES, READINGS, SIGNALS, Overload
from chat_server.protocol.base import Command
from chat_server.runtime import Runtime
from chat_server.store import operators
from chat_server.store.database import READ_ERRORS
from chat_server.store.readers import Readers

log = logging.getLogger("chat.load")


class Shedding:
    """It is told of each batch, and looks at the load when the node says so."""

    def __init__(self, runtime: Runtime, overload: Overload, queue: Log, readers: Readers, delivery: Delivery) -> None:
        self._runtime = runtime
        self._overload = overload
        self._queue = queue
        self._readers = readers
        self._delivery = delivery
        # When the batch under way was begun, how long the last one took, and the longest since the last look.
        self._batch_begun: float | None = None
        self._last_batch = self._longest_batch = 0.0
        # Operators are refused nothing. They are looked up when refusals begin.
        self._operators: frozenset[int] = frozenset()

    @property
    def level(self) -> int:
        return self._overload.level

    def begin_batch(self, now: float) -> None:
        self._batch_begun = now

    def end_batch(self, now: float, *, is_on_disk: bool) -> None:
        """It was executed and delivered; or it was stuck and given up, and then its time says nothing of the next."""
        assert self._batch_begun is not None
        self._last_batch = now - self._batch_begun if is_on_disk else 0.0
        self._longest_batch = max(self._longest_batch, self._last_batch)
        self._batch_begun = None

    def look(self, lag: float) -> None:
        """Take note of how long commands wait; `lag` is how much later than it should the loop came here."""
        now, begun = self._runtime.monotonic(), self._batch_begun
        batch, self._longest_batch = self._longest_batch, 0.0
        stuck = 0.0
        if begun is not None:
            # If a batch takes longer than the time between two looks, most see none end: at 3 s each no level began.
            batch, stuck = max(batch, self._last_batch), now - begun
        wait = max(lag, batch, self._queue.backlog_seconds)
        before = self.level
        if not self._overload.note(wait, stuck, now):
            return
        if self.level != before:
            waited, words = f"commands wait for {max(wait, stuck):.1f} s", LEVELS[self.level].words
            log.warning("overload, level %d of %d: %s; %s", self.level, len(LEVELS) - 1, waited, words)
        self._delivery.put_off_signals(self._overload.is_shed(SIGNALS))
        if self._overload.is_shed(READINGS) or self._overload.is_shed(MESSAGES):
            self._runtime.spawn(self.learn_operators())

    async def learn_operators(self) -> None:
        try:
            self._operators = frozenset(await self._readers.pick().run(operators.ids))
        except READ_ERRORS as error:
            log.error("the operators cannot be read, so they are refused like everybody: %s", error)

    def refusal(self, command: Command, user_id: int) -> Refusal | None:
        """Return why an overloaded server does not take this command of a user now; None if it does."""
        if user_id in self._operators:
            return None
        if command.spec.adds and self._overload.is_shed(MESSAGES):
            return self._overload.refusal_of(MESSAGES)
        if command.spec.costly and self._overload.is_shed(READINGS):
            return self._overload.refusal_of(READINGS)
        return None
