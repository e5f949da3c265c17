"""The log of a cluster: streams that all nodes read, and that each of them writes its batches into.

All decisions are made here and in `incoming` and `outgoing`; NATS is behind the ports (`stream`). A node has one batch
in flight. Only the stream itself tells whether it has the batch, which is sent again under the same number until it has
been executed here. What the stream has twice is executed once.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from chat_server.chat_time import ClusterTime
from chat_server.errors import Refusal, StartError, not_done_refusal
from chat_server.log import Withdraw
from chat_server.log.codec import ENTRIES_BYTES_MAX, NotOurs, decode, encode, encode_entry
from chat_server.log.entries import Batch, EndStream, Entry, Identity, OrderedBatch, Verdict, WrongBatch
from chat_server.log.incoming import Incoming, digest_of
from chat_server.log.outgoing import WAITING_BYTES_MAX, Flight, Line, Waiting
from chat_server.log.stream import FateUnknown, NotAppended, Position, StreamLost, StreamRecord, Streams
from chat_server.log.versions import VERSION
from chat_server.protocol.times import Now
from chat_server.runtime import Future, Runtime, Task

log = logging.getLogger("chat.log")

# How long a command waits for the log. An election of the stream's leader takes 4 to 9 seconds; without a connection to
# any server there is less to hope for.
HOLD_SECONDS = 12.0
HOLD_UNCONNECTED_SECONDS = 5.0
WATCH_SECONDS = 0.25
# A try that failed is repeated after the first time; one that was acknowledged but not executed, after the second.
AGAIN_SECONDS = 0.25
ACKED_AGAIN_SECONDS = 5.0
# Two clocks that differ by more are worth a warning, this often.
CLOCKS_DIFFER_MS = 2_000
WARN_SECONDS = 600.0

_NOT_DONE = not_done_refusal("this server cannot reach the others; try again in a moment")
_HELD_UP = not_done_refusal("this server is held up by its own disk; try again in a moment, or another server")
_BEHIND = Refusal(
    "unavailable", "this server cannot reach the others, and may be behind; try again in a moment", done=False
)
_UNKNOWN = Refusal(
    "unavailable",
    "not known whether it was sent; look with /history, or send it again with the same key",
)


class ReplicatedLog:
    def __init__(
        self,
        runtime: Runtime,
        streams: Streams,
        time: ClusterTime,
        node: str,
        *,
        history: str | None,
        position: Position,
        digest: bytes,
        version: Callable[[], int] = lambda: 0,
        on_executed: Callable[[Position, Now], None] = lambda position, now: None,
    ) -> None:
        """`history`, `position` and `digest` are those of the store: of a new one None, (0, 0) and b"".

        `version` tells the version that the log has there, 0 before the first batch. `on_executed` is called with each
        place up to which everything has been executed, in their order, and with the times there.
        """
        # How many messages of the stream were not this chat's.
        self.strays = 0
        # Everything up to here was executed, or passed over as a stray.
        self.position = position if position.stream else Position(1, 0)
        self._runtime = runtime
        self._streams = streams
        self._time = time
        self._node = node
        self._history = history
        self._version = version
        self._new_history = ""  # for a log without any batch
        self._identity: Identity | None = None
        self._nonce = b""
        self._number = 1  # of the next batch
        self._incoming = Incoming(runtime, streams, self.position, digest)
        self._line = Line()
        self._flight: Flight | None = None
        self._changed = runtime.event()
        self._tasks: dict[Task[None], None] = {}
        self._on_executed = on_executed
        self._withdraw: Withdraw = lambda entries, refusal: None
        self._waiting_for: list[tuple[Position, Future[None]]] = []
        self._unconnected_since: float | None = None
        self._was_connected = True
        self._warned_at = float("-inf")
        self._is_closed = self._is_abandoned = False
        self._bug: BaseException | None = None

    # ---- the start

    async def open(self) -> None:
        """Find the stream where the store is in the log; the first node makes the first one.

        Raises NotAppended while that cannot be learnt, and StartError.
        """
        stream = self.position.stream
        there = await self._streams.list()
        if stream not in there and (there or self.position != (1, 0)):
            raise StartError(
                f"stream {stream} of the log, which this node has to go on with, is not there any more: start it from a"
                " snapshot"
            )
        await self._streams.begin(stream)

    async def end(self) -> Position:
        """Return the end of the stream that is being read. Raises NotAppended, StreamLost."""
        stream = self.position.stream
        return Position(stream, await self._streams.last(stream))

    def join(self, identity: Identity, nonce: bytes, history: str) -> None:
        """Write into the log from now on, as a new start of the node. `history` is for a log without any batch."""
        self._identity, self._nonce, self._new_history = identity, nonce, history

    def begin(self, withdraw: Withdraw) -> None:
        assert self._identity is not None
        self._withdraw = withdraw
        self._spawn(self._keep_sending())
        self._spawn(self._keep_watching())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._runtime.spawn(work)
        self._tasks[task] = None
        task.add_done_callback(self._end_task)

    def _end_task(self, task: Task[None]) -> None:
        """A bug ends the reading, too: a node that writes nothing more would go on, and refuse all that people say."""
        del self._tasks[task]
        if not task.cancelled() and (bug := task.exception()):
            self._bug = self._bug or bug
            self._incoming.wake()

    # ---- entries in

    @property
    def is_full(self) -> bool:
        return self.waiting_bytes >= WAITING_BYTES_MAX

    @property
    def backlog_seconds(self) -> float:
        # What waits, waits for NATS, and has bounds of its own: see `is_full` and `_keep_watching`.
        return 0.0

    @property
    def waiting_bytes(self) -> int:
        """Of entries that wait, and of those in flight."""
        return self._line.bytes + (self._flight.bytes if self._flight else 0)

    @property
    def waiting_seconds(self) -> float:
        """For how long the oldest of them has waited."""
        since = self._flight.since if self._flight else self._line.since
        return 0.0 if since is None else self._runtime.monotonic() - since

    def submit(self, entry: Entry) -> None:
        if self._is_closed:
            return
        data = encode_entry(entry)
        if len(data) > ENTRIES_BYTES_MAX:
            # Nobody is answered within the call.
            refusal = Refusal("too_large", f"this takes {len(data)} bytes, and a batch of the log {ENTRIES_BYTES_MAX}")
            self._runtime.call_soon(self._withdraw, [entry], refusal)
            return
        self._line.add(Waiting(entry, data, self._runtime.monotonic()))
        self._changed.set()

    def amend(self, ordered: OrderedBatch, entries: list[Entry]) -> OrderedBatch | None:
        return None

    # ---- batches out

    async def next_batch(self) -> OrderedBatch | None:
        ordered = await self._next(self._is_over)
        if self._bug is not None:
            raise self._bug
        return ordered

    async def next_before(self, end: Position) -> OrderedBatch | None:
        """The next batch up to this place; None once the log has been executed so far. Raises WrongBatch."""
        return await self._next(lambda: self.position >= end)

    async def _next(self, is_over: Callable[[], bool]) -> OrderedBatch | None:
        while (record := await self._incoming.next(is_over)) is not None:
            batch = self._read(record)
            if batch is not None:
                return OrderedBatch(batch, record.position, record.at_ms, digest=digest_of(record.data))
            self._advance(record.position)
        return None

    def _is_over(self) -> bool:
        is_done = self._is_closed and not self._line and self._flight is None
        return is_done or self._is_abandoned or self._bug is not None

    def _read(self, record: StreamRecord) -> Batch | None:
        """Return the batch of a record; None for a stray. Raises WrongBatch."""
        flight = self._flight
        if flight is not None and record.node == self._node and record.data == flight.data:
            flight.is_found = True
            return flight.batch
        try:
            batch = decode(record, self._history)
        except NotOurs as stray:
            self.strays += 1
            if self.strays in (1, 10, 100) or self.strays % 1000 == 0:
                log.warning("message %s of the log is passed over: %s (%d so far)", record.position, stray, self.strays)
            return None
        if batch.node == self._node:
            # Nobody waits for it any more: an earlier process sent it, or it was withdrawn.
            batch = replace(batch, entries=[replace(entry, origin=None) for entry in batch.entries])
        return batch

    def note_executed(self, ordered: OrderedBatch, verdict: Verdict, position: Position, now: Now) -> int:
        batch, told = ordered.batch, 0
        if verdict == "executed":
            self._time.follow(now)
            self._history = batch.history
        self._on_executed(position, now)
        self._incoming.note_executed(position, ordered.digest)
        if batch.node == self._node and self._identity is not None:
            told = self._settle(ordered, verdict)
        if self._flight is not None and self._history not in (None, self._flight.batch.history):
            # Two nodes began at once, and the other one's chat is the one that has begun.
            self._flight = self._make_flight(self._flight.waiting, self._flight.told)
            self._changed.set()
        if position.stream != ordered.position.stream:
            # Nobody will execute what is on its way to the old stream.
            self._changed.set()
        self._advance(position)
        return told

    def _settle(self, ordered: OrderedBatch, verdict: Verdict) -> int:
        """Learn what became of a batch of this node. Return how many of its entries are answered. Raises WrongBatch."""
        assert self._identity is not None
        batch, flight = ordered.batch, self._flight
        own = (*self._identity, self._nonce)
        if (batch.node, batch.incarnation, batch.nonce) != own:
            if verdict == "executed" and batch.incarnation >= self._identity.incarnation:
                raise WrongBatch(
                    f"another process has begun as node {self._node} (start {batch.incarnation}), so this one ends"
                )
            return 0
        if verdict != "executed":
            if flight is not None and flight.is_found:
                raise WrongBatch(f"batch {batch.number} of this node was {verdict}, by a mistake of the server")
            return 0
        self._number = batch.number + 1
        self._changed.set()
        if flight is None:
            return 0
        if not flight.is_found:
            # An earlier batch with this number is in the stream, although the server said that it was not taken.
            self._flight = self._make_flight(flight.waiting, flight.told)
            return 0
        self._flight = None
        self._warn_of_clocks(ordered)
        return flight.told

    def _advance(self, position: Position) -> None:
        self.position = position
        reached = [future for target, future in self._waiting_for if target <= position]
        if reached:
            self._waiting_for = [each for each in self._waiting_for if each[0] > position]
            for future in reached:
                if not future.done():
                    future.set_result(None)

    def _warn_of_clocks(self, ordered: OrderedBatch) -> None:
        """Warn where the log's time of a batch is not between its sending and now: one of the clocks is wrong."""
        now_ms, monotonic = self._runtime.now_ms(), self._runtime.monotonic()
        behind_ms = max(ordered.at_ms - now_ms, ordered.batch.sent_ms - ordered.at_ms)
        if behind_ms > CLOCKS_DIFFER_MS and monotonic - self._warned_at > WARN_SECONDS:
            self._warned_at = monotonic
            log.warning(
                "this machine's clock and that of the log's leader differ by %.1f s; the log's is shown",
                behind_ms / 1000,
            )

    # ---- catching up

    async def catch_up(self) -> None:
        try:
            async with self._runtime.timeout(HOLD_SECONDS):
                while True:
                    stream = self.position.stream
                    try:
                        await self._reach(await self.end())
                    except StreamLost:
                        if stream == self.position.stream:
                            raise
                        continue
                    # The end of a stream leads to the next one.
                    if stream == self.position.stream:
                        return
        except (NotAppended, StreamLost, TimeoutError):
            raise _BEHIND from None

    async def _reach(self, target: Position) -> None:
        if self.position < target:
            reached: Future[None] = self._runtime.future()
            self._waiting_for.append((target, reached))
            await reached

    # ---- sending

    async def _keep_sending(self) -> None:
        while not self._is_over():
            self._changed.clear()
            flight = self._flight
            if flight is None and self._line:
                flight = self._flight = self._make_flight(self._line.take())
            wait = None
            if flight is not None and not flight.is_found and self.position.stream not in flight.sending:
                wait = flight.again_at - self._runtime.monotonic()
                if wait <= 0 or flight.stream != self.position.stream:
                    self._begin_sending(flight, self.position.stream)
                    wait = None
            if wait is None:
                await self._changed.wait()
                continue
            try:
                async with self._runtime.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _make_flight(self, waiting: list[Waiting], told: int = 0) -> Flight:
        assert self._identity is not None
        entries = [each.entry for each in waiting]
        now_ms = self._runtime.now_ms()
        own = (self._history or self._new_history, *self._identity, self._nonce, self._number)
        batch = Batch(*own, now_ms, entries, self._version() or VERSION)
        return Flight(batch, encode(batch, [each.data for each in waiting]), waiting, told=told)

    def _begin_sending(self, flight: Flight, stream: int) -> None:
        # Noted before the task runs: what is withdrawn until then would still be sent, and is not certainly undone.
        flight.stream = stream
        flight.sending = [*flight.sending, stream]
        self._spawn(self._send(flight, stream))

    async def _send(self, flight: Flight, stream: int) -> None:
        """Try once. What comes of it is learnt from the stream."""
        # NATS drops what it was given before under this name, for a while.
        unique = f"{self._node}-{flight.batch.incarnation}-{digest_of(flight.data).hex()}-{flight.acks}"
        pause = AGAIN_SECONDS
        # Of several nodes that begin at once, one begins the chat, and the others find it.
        after = self.position.sequence if self._history is None else None
        try:
            await self._streams.append(stream, self._node, flight.data, unique, after)
            flight.may_be_there, pause = True, ACKED_AGAIN_SECONDS
            flight.acks += 1
        except NotAppended as error:
            log.debug("batch %d was not taken: %s", flight.batch.number, error)
        except FateUnknown as error:
            log.debug("batch %d may have been taken: %s", flight.batch.number, error)
            flight.may_be_there = True
        except Exception:
            log.exception(
                "batch %d may have been taken, by a bug in the sending; it is sent again", flight.batch.number
            )
            flight.may_be_there, pause = True, ACKED_AGAIN_SECONDS
        finally:
            flight.sending = [each for each in flight.sending if each != stream]
            flight.again_at = self._runtime.monotonic() + pause
            self._changed.set()

    # ---- what waits for too long

    async def _keep_watching(self) -> None:
        while not self._is_over():
            await self._runtime.sleep(WATCH_SECONDS)
            now, is_connected = self._runtime.monotonic(), self._streams.is_connected
            if is_connected and not self._was_connected:
                # It may be another cluster's, or have been put back to an earlier state.
                self._incoming.read_again()
            if is_connected:
                self._unconnected_since = None
            elif self._was_connected or self._unconnected_since is None:
                self._unconnected_since = now
            self._was_connected = is_connected
            self._withdraw_late(now)

    def _withdraw_late(self, now: float) -> None:
        def is_over(since: float) -> bool:
            if now - since >= HOLD_SECONDS:
                return True
            unconnected = self._unconnected_since
            return unconnected is not None and now - max(since, unconnected) >= HOLD_UNCONNECTED_SECONDS

        flight = self._flight
        if flight is not None and flight.waiting and is_over(flight.waiting[0].since):
            # What was found is being executed, which a full disk or a lock may hold up for long.
            if flight.may_be_there or flight.is_found or flight.sending or flight.told:
                self._tell(flight.tell(is_over), _UNKNOWN)
            else:
                self._flight = None
                self._line.give_back(flight.waiting)
                self._changed.set()
        is_held_up = self._incoming.position > self.position and self._streams.is_connected
        self._tell(self._line.withdraw(is_over), _HELD_UP if is_held_up else _NOT_DONE)
        if self._is_over():
            self._incoming.wake()

    def _tell(self, entries: list[Entry], refusal: Refusal) -> None:
        if entries:
            log.warning("%d commands are answered before the log: %s", len(entries), refusal.text)
            self._withdraw(entries, refusal)

    # ---- the chain of streams

    async def begin_next_stream(self) -> None:
        """Make the next stream, and have the log go on there. Raises NotAppended, StartError."""
        next_stream = self.position.stream + 1
        await self._streams.begin(next_stream)
        self.submit(Entry(EndStream(next_stream)))

    async def delete_streams(self, before: int) -> None:
        """Delete the streams before this one: snapshots cover them. Raises NotAppended."""
        for stream in await self._streams.list():
            if stream < min(before, self.position.stream):
                await self._streams.delete(stream)
                log.info("stream %d of the log is deleted: the last snapshots have all of it", stream)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self, *, abandon: bool = False) -> None:
        self._is_closed = True
        self._changed.set()
        if abandon:
            self._is_abandoned = True
            for task in self._tasks:
                task.cancel()
            self._incoming.close()
        self._incoming.wake()
