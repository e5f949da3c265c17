"""A log that outlives its node: what was in line when the server was killed is executed at the next start.

So are the logs that several nodes read. What has been submitted stands, and replies may find their askers gone.
"""

from collections import deque
from typing import Any

from chat_server.log.entries import Batch, Entry
from chat_server.log.local import LocalLog


class Kept:
    """What stays of the log when a process ends."""

    def __init__(self) -> None:
        self.waiting: deque[Entry] = deque()
        self.batches: list[Batch] = []

    def open(self, *args: Any, applied: int, **kwargs: Any) -> "KeptLog":
        return KeptLog(self, *args, applied=applied, **kwargs)


class KeptLog(LocalLog):
    def __init__(self, kept: Kept, *args: Any, applied: int, **kwargs: Any) -> None:
        super().__init__(*args, applied=applied, **kwargs)
        self._waiting = kept.waiting
        self._kept = kept
        self._given = applied

    async def next_batch(self) -> Batch | None:
        """Those that were ordered before the last process ended, and may be executed already, come first."""
        if self._given == len(self._kept.batches):
            batch = await super().next_batch()
            if batch is None:
                return None
            self._kept.batches.append(batch)
        self._given += 1
        self._number = max(self._number, self._given)
        return self._kept.batches[self._given - 1]

    def amend(self, batch: Batch, entries: list[Entry]) -> Batch | None:
        return None
