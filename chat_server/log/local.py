"""The log of a single node: its own queue.

Each turn takes everything that waits as one batch. The transaction that executes the batch makes it durable; there is
no second file to write. While one batch is on its way to the disk, the next one gathers, so the busier the server is,
the more messages share an fsync.
"""

from collections import deque

from msgspec.structs import replace

from chat_server.chat_time import ChatTime
from chat_server.log import Withdraw, count_text_chars
from chat_server.log.entries import (
    ENTRIES_MAX,
    TEXT_CHARS_MAX,
    Batch,
    Entry,
    Identity,
    OrderedBatch,
    Verdict,
    WrongBatch,
)
from chat_server.log.stream import Position
from chat_server.protocol.times import Now
from chat_server.runtime import Runtime

# As long as a look at the sockets finds more, another one follows, up to so many. With 400 people who write, batches of
# 55 messages became those of 75, and each message takes 148 µs of the processor, with all writes, where it took 161.
LOOKS_MAX = 8


class LocalLog:
    # The bounds of the connections bound what waits here.
    is_full = False

    def __init__(
        self, runtime: Runtime, time: ChatTime, identity: Identity, *, history: str, position: Position
    ) -> None:
        """`position` is that of the batch that the store executed last."""
        self._runtime = runtime
        self._time = time
        self._begins = (history, *identity, b"")
        self._position = position
        self._number = 0
        self._waiting: deque[Entry] = deque()
        # How many entries were taken. Whenever a batch left some to wait: how many had come by then, and the time.
        self._taken = 0
        self._left_at: deque[tuple[int, float]] = deque()
        self._wake = runtime.event()
        self._closed = False

    @property
    def backlog_seconds(self) -> float:
        return self._runtime.monotonic() - self._left_at[0][1] if self._left_at else 0.0

    def submit(self, entry: Entry) -> None:
        if not self._closed:
            if not self._waiting:
                self._wake.set()
            self._waiting.append(entry)

    def begin(self, withdraw: Withdraw) -> None:
        pass

    async def next_batch(self) -> OrderedBatch | None:
        # More came in while the last batch was delivered: a look at the sockets makes this batch larger.
        await self._runtime.sleep(0)
        while not self._waiting:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        seen, looks = 0, LOOKS_MAX
        while looks and seen < len(self._waiting) < ENTRIES_MAX:
            seen, looks = len(self._waiting), looks - 1
            await self._runtime.sleep(0)
        if not self._waiting:
            # The log was abandoned meanwhile.
            return None
        at_ms, elapsed_ms = self._time.now()
        self._count(1)
        batch = Batch(*self._begins, self._number, at_ms, self._take())
        return OrderedBatch(batch, self._position, at_ms, elapsed_ms)

    def _count(self, batches: int) -> None:
        self._number += batches
        stream, sequence = self._position
        self._position = Position(stream, sequence + batches)

    def _take(self) -> list[Entry]:
        entries: list[Entry] = []
        chars = 0
        while self._waiting and len(entries) < ENTRIES_MAX and chars < TEXT_CHARS_MAX:
            entry = self._waiting.popleft()
            entries.append(entry)
            chars += count_text_chars(entry)
        self._note_backlog(len(entries))
        return entries

    def _note_backlog(self, taken: int) -> None:
        """Once a batch, so that no entry needs the time at which it came."""
        self._taken += taken
        while self._left_at and self._left_at[0][0] <= self._taken:
            self._left_at.popleft()
        if self._waiting:
            self._left_at.append((self._taken + len(self._waiting), self._runtime.monotonic()))

    def note_executed(self, ordered: OrderedBatch, verdict: Verdict, position: Position, now: Now) -> int:
        if verdict != "executed":
            raise WrongBatch(
                f"batch {ordered.position} is not the one that the database expects: something else has changed it"
            )
        return 0

    def amend(self, ordered: OrderedBatch, entries: list[Entry]) -> OrderedBatch | None:
        # A batch is ordered by its commit, which has not happened. Nobody else knows of it.
        assert ordered.position == self._position
        if not entries:
            self._count(-1)
        return replace(ordered, batch=replace(ordered.batch, entries=entries))

    async def catch_up(self) -> None:
        """Nobody else writes into this log."""

    def close(self, *, abandon: bool = False) -> None:
        self._closed = True
        if abandon:
            self._waiting.clear()
            self._left_at.clear()
        self._wake.set()
