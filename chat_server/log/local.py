"""The log of a single node: its own queue.

Each turn takes everything that waits as one batch. The transaction that executes the batch makes it durable; there is
no second file to write. While one batch is on its way to the disk, the next one gathers, so the busier the server is,
the more messages share an fsync.
"""

from collections import deque

from msgspec.structs import replace

from chat_server.chat_time import ChatTime
from chat_server.log.entries import Batch, Entry, Identity
from chat_server.runtime import Runtime

# Of one batch. Bounds how long a turn takes, and what is written to one connection at once.
ENTRIES_MAX = 1000
TEXT_CHARS_MAX = 49_152


class LocalLog:
    def __init__(self, runtime: Runtime, time: ChatTime, identity: Identity, *, history: str, applied: int) -> None:
        """`applied` is the number of the batch that the store executed last."""
        self._runtime = runtime
        self._time = time
        self._begins = (history, *identity)
        self._number = applied
        self._waiting: deque[Entry] = deque()
        self._wake = runtime.event()
        self._closed = False

    def submit(self, entry: Entry) -> None:
        if not self._closed:
            self._waiting.append(entry)
            self._wake.set()

    async def next_batch(self) -> Batch | None:
        # More came in while the last batch was delivered: one look at the sockets makes this batch larger.
        await self._runtime.sleep(0)
        while not self._waiting:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        self._number += 1
        return Batch(*self._begins, self._number, *self._time.now(), self._take())

    def _take(self) -> list[Entry]:
        entries: list[Entry] = []
        chars = 0
        while self._waiting and len(entries) < ENTRIES_MAX and chars < TEXT_CHARS_MAX:
            entry = self._waiting.popleft()
            entries.append(entry)
            chars += len(getattr(entry.command, "text", None) or "")
        return entries

    def amend(self, batch: Batch, entries: list[Entry]) -> Batch | None:
        # A batch is ordered by its commit, which has not happened. Nobody else knows of it.
        assert batch.number == self._number
        self._number = batch.number if entries else batch.number - 1
        return replace(batch, entries=entries)

    def close(self) -> None:
        self._closed = True
        self._wake.set()
