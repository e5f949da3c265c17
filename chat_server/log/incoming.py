"""The reading of a replicated log: its records in order, checked, from stream to stream."""

import hashlib
import logging
from collections.abc import Callable

from chat_server.log.entries import WrongBatch
from chat_server.log.stream import NotAppended, Position, Records, StreamLost, StreamRecord, Streams
from chat_server.runtime import Runtime, Task

log = logging.getLogger("chat.log")

# After this time without a record, the stream is asked whether it has more: a subscription may end without a word.
QUIET_SECONDS = 5.0
# A gap is read again after this time. If it is still there after so many tries, the stream itself has it.
GAP_SECONDS = 0.5
GAP_TRIES_MAX = 10
DIGEST_BYTES = 16


def digest_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


class Incoming:
    """Each reading begins with the record that was executed last, to check that the stream still has the same one."""

    def __init__(self, runtime: Runtime, streams: Streams, position: Position, digest: bytes) -> None:
        """`position` is that of the batch executed last, and `digest` that of its record."""
        # That of the last record that was given out.
        self.position = position
        self._runtime = runtime
        self._streams = streams
        self._executed, self._digest = position, digest
        self._records: Records | None = None
        self._next: Task[StreamRecord] | None = None
        self._is_checked = False
        self._gaps = 0
        self._wake = runtime.event()

    def note_executed(self, position: Position, digest: bytes) -> None:
        """The batch given out last was executed. In another stream than that of its record, the log goes on there."""
        self._executed, self._digest = position, digest
        if position.stream != self.position.stream:
            self.position = position
            self.read_again()

    def read_again(self) -> None:
        """Give up the subscription, and begin another where it was."""
        if self._records is not None:
            self._records.close()
            self._records = None
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._wake.set()

    def wake(self) -> None:
        """Have `next` look at `is_over` again."""
        self._wake.set()

    def close(self) -> None:
        self.read_again()

    async def next(self, is_over: Callable[[], bool]) -> StreamRecord | None:
        """Wait for the next record; None once it is over. Raises WrongBatch where the log cannot be gone on with."""
        while not is_over():
            record = await self._next_record()
            if record is not None and await self._is_next(record):
                self.position = record.position
                return record
        return None

    async def _next_record(self) -> StreamRecord | None:
        """Wait for the next record of the subscription; None if it has to be decided anew whether to wait at all."""
        if self._records is None:
            stream, sequence = self._executed
            self._is_checked = not sequence
            self._records = self._streams.read(Position(stream, max(0, sequence - 1)))
        if self._next is None:
            self._next = self._runtime.spawn(self._records.next())
            self._next.add_done_callback(lambda _: self._wake.set())
        try:
            async with self._runtime.timeout(QUIET_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            await self._look_for_more()
        self._wake.clear()
        task = self._next
        if task is None or not task.done():
            return None
        self._next = None
        try:
            return task.result()
        except StreamLost as lost:
            raise self._lost(str(lost)) from None

    async def _is_next(self, record: StreamRecord) -> bool:
        """Tell whether the record follows the last one. One that was given out before does not."""
        position = record.position
        if not self._is_checked:
            if position != self._executed:
                await self._bridge_gap(position)
                return False
            if digest_of(record.data) != self._digest:
                raise WrongBatch(
                    f"batch {position} of the log is not the one that this node has executed: the log is another one,"
                    " or was put back to an earlier state; start this node from a snapshot of the log's own nodes"
                )
            self._is_checked = True
            return False
        if position.sequence <= self.position.sequence:
            return False
        if position.sequence > self.position.sequence + 1:
            await self._bridge_gap(position)
            return False
        self._gaps = 0
        return True

    async def _bridge_gap(self, position: Position) -> None:
        """Read again what a gap before this place has left out. Raises WrongBatch if the stream itself has the gap."""
        self._gaps += 1
        if self._gaps >= GAP_TRIES_MAX:
            raise self._lost(f"{self.position} is followed by {position}")
        log.warning("%s of the log was followed by %s; it is read again", self.position, position)
        self.read_again()
        await self._runtime.sleep(GAP_SECONDS)

    async def _look_for_more(self) -> None:
        """Begin another subscription if this one does not give all that the stream has."""
        try:
            last = await self._streams.last(self.position.stream)
        except NotAppended:
            return
        except StreamLost as lost:
            raise self._lost(str(lost)) from None
        end = Position(self.position.stream, last)
        if self.position < end and (self._next is None or not self._next.done()):
            log.warning("the log has come to %s, and nothing has come since %s", end, self.position)
            self.read_again()

    def _lost(self, what: str) -> WrongBatch:
        return WrongBatch(
            f"what follows {self._executed} in the log is not there any more ({what}); start this node from a snapshot"
        )
