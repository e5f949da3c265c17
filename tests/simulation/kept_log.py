"""A log that outlives its node: what was in line when the server was killed is executed by the next process.

So are the logs that several nodes read. Some of the entries are still under way to it when the next process starts, and
those who asked for them are gone, though sessions with their numbers may be there.
"""

from collections import deque
from typing import Any, cast

from chat_server.log import Log
from chat_server.log.entries import Entry, OrderedBatch
from chat_server.log.local import LocalLog
from chat_server.log.stream import Position
from tests.fake_runtime import FakeRuntime

UNDER_WAY_SECONDS_MAX = 3.0


class Kept:
    """What stays of the log when a process ends."""

    def __init__(self, machine: FakeRuntime) -> None:
        self.waiting: deque[Entry] = deque()
        # The one that is being executed, or was executed last.
        self.ordered: OrderedBatch | None = None
        self._machine = machine
        self._log: KeptLog | None = None

    def open(self, *args: Any, position: Position, **kwargs: Any) -> Log:
        if self.ordered is not None and self.ordered.position > position:
            self.waiting.extendleft(reversed(self.ordered.batch.entries))
        random = self._machine.random
        count = random.choice([0, random.randint(0, len(self.waiting)), len(self.waiting)])
        under_way = [self.waiting.pop() for _ in range(count)]
        self._machine.call_later(random.uniform(0, UNDER_WAY_SECONDS_MAX), self._arrive, under_way[::-1])
        self._log = KeptLog(self, *args, position=position, **kwargs)
        return cast(Log, self._log)

    def _arrive(self, entries: list[Entry]) -> None:
        assert self._log is not None
        self.waiting += entries
        self._log.wake()


class KeptLog:
    """A local log, but for what it keeps and that nothing is amended."""

    def __init__(self, kept: Kept, *args: Any, **kwargs: Any) -> None:
        self._log = LocalLog(*args, **kwargs)
        self._log._waiting = kept.waiting
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def wake(self) -> None:
        self._log._wake.set()

    async def next_batch(self) -> OrderedBatch | None:
        ordered = await self._log.next_batch()
        if ordered is not None:
            self._kept.ordered = ordered
        return ordered

    def amend(self, ordered: OrderedBatch, entries: list[Entry]) -> OrderedBatch | None:
        return None
