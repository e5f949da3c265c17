"""The log of a node that is alone: its own queue. Each turn takes all that waits as one batch.

What makes it durable is the transaction that executes it; there is no second file to write. While one batch is on its
way to the disk the next one gathers, so the busier the server, the more messages share an fsync.
"""

import asyncio
from collections import deque

from chat_server.chat_time import ChatTime
from chat_server.log.entries import Batch, Entry

# Of one batch. Bounds how long a turn takes, and what is written to one connection at once.
ENTRIES_MAX = 1000
TEXT_CHARS_MAX = 49_152


class LocalLog:
    def __init__(self, time: ChatTime, *, applied: int) -> None:
        """`applied` is the number of the last batch that the store has executed."""
        self._time = time
        self._number = applied
        self._waiting: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def submit(self, entry: Entry) -> None:
        if not self._closed:
            self._waiting.append(entry)
            self._wake.set()

    async def next_batch(self) -> Batch | None:
        # While the last batch was delivered, more came in: one look at the sockets makes this one larger.
        await asyncio.sleep(0)
        while not self._waiting:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        self._number += 1
        return Batch(self._number, *self._time.now(), self._take())

    def _take(self) -> list[Entry]:
        entries: list[Entry] = []
        chars = 0
        while self._waiting and len(entries) < ENTRIES_MAX and chars < TEXT_CHARS_MAX:
            entry = self._waiting.popleft()
            entries.append(entry)
            chars += len(getattr(entry.command, "text", None) or "")
        return entries

    def close(self) -> None:
        self._closed = True
        self._wake.set()
