"""The ports of a replicated log in memory: servers that keep streams, objects and subscriptions, with seeded faults.

    servers = MemoryServers(machine)                 one for all nodes of a test
    streams = MemoryStreams(servers, runtime, "n1")  what node n1 has of them; `runtime` is its process's
    servers.trouble = Trouble(refused=0.1, ...)      faults by chance
    servers.cut_off("n1"); servers.elect(6.0)        faults on purpose

What happens at the servers goes on when a process is killed or stopped; what a process learns of it comes by its own
runtime, and waits there until the process goes on.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from chat_server.log.stream import (
    FateUnknown,
    NotAppended,
    ObjectMissing,
    Position,
    StreamLost,
    StreamRecord,
)
from chat_server.runtime import Runtime
from tests.fake_runtime import FakeRuntime

# How long a request takes that nobody answers.
PATIENCE_SECONDS = 5.0


@dataclass
class Trouble:
    """How probable each fault is; `seconds_max` is the longest way between a node and a server."""

    seconds_max: float = 0.02
    refused: float = 0.0  # certainly not taken
    lost: float = 0.0  # not taken, and nobody says so
    late: float = 0.0  # taken after the sender has given up
    forgotten: float = 0.0  # taken, and the ack is lost
    repeated: float = 0.0  # taken twice
    dropped: float = 0.0  # acknowledged, and lost at the servers
    restarted: float = 0.0  # a subscription gives everything once more
    skipped: float = 0.0  # a subscription leaves something out
    silent: float = 0.0  # a subscription gives nothing any more


class MemoryServers:
    def __init__(self, machine: FakeRuntime) -> None:
        self.machine = machine
        self.random = machine.random
        self.trouble = Trouble()
        self.streams: dict[int, list[StreamRecord]] = {}
        self.ended: set[int] = set()  # those that were deleted
        self.buckets: dict[str, dict[str, bytes]] = {}
        # The leader's clock against the machine's. Another leader has another clock.
        self.clock_ms = 0
        self._seen: set[tuple[int, str]] = set()
        self._cut_off: set[str] = set()
        self._no_leader_until = 0.0
        self._readers: list[MemoryRecords] = []
        self._listeners: dict[str, list[tuple[MemoryBus, Callable[[bytes], None]]]] = defaultdict(list)
        self._answerers: dict[str, list[tuple[MemoryBus, Callable[[bytes], bytes | None]]]] = defaultdict(list)

    # ---- on purpose

    def cut_off(self, node: str) -> None:
        self._cut_off.add(node)

    def join_again(self, node: str) -> None:
        self._cut_off.discard(node)
        self._tell_readers()

    def elect(self, seconds: float) -> None:
        """There is no leader for so long, and nothing is taken."""
        self._no_leader_until = max(self._no_leader_until, self.machine.monotonic() + seconds)

    def put(self, stream: int, node: str, data: bytes) -> int:
        """A message that lands, whoever sent it."""
        records = self.streams[stream]
        position = Position(stream, len(records) + 1)
        records.append(StreamRecord(position, node, self.machine.now_ms() + self.clock_ms, data))
        self._tell_readers()
        return position.sequence

    # ---- for the nodes

    def is_reached_by(self, node: str) -> bool:
        return node not in self._cut_off

    def has_leader(self) -> bool:
        return self.machine.monotonic() >= self._no_leader_until

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def way(self) -> float:
        return self.random.uniform(0, self.trouble.seconds_max)

    def take(self, stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
        """Append it unless it was before, as far as that is remembered. Raises NotAppended."""
        if stream not in self.streams:
            raise NotAppended(f"stream {stream} is not there")
        if (stream, unique) in self._seen:
            return len(self.streams[stream])
        if after not in (None, len(self.streams[stream])):
            raise NotAppended(f"message {after} is not the last one")
        self._seen.add((stream, unique))
        if self.chance(self.trouble.dropped):
            return len(self.streams[stream]) + 1
        if self.chance(self.trouble.repeated):
            self.put(stream, node, data)
        return self.put(stream, node, data)

    def take_late(self, stream: int, node: str, data: bytes) -> None:
        if stream in self.streams:
            self.put(stream, node, data)

    def subscribe(self, records: "MemoryRecords") -> None:
        self._readers.append(records)

    def unsubscribe(self, records: "MemoryRecords") -> None:
        if records in self._readers:
            self._readers.remove(records)

    def _tell_readers(self) -> None:
        for each in list(self._readers):
            each.tell()

    def delete(self, stream: int) -> None:
        self.streams.pop(stream, None)
        self.ended.add(stream)
        self._tell_readers()


class MemoryStreams:
    """What one process has of the streams."""

    def __init__(self, servers: MemoryServers, runtime: Runtime, node: str) -> None:
        self._servers = servers
        self._runtime = runtime
        self._node = node

    @property
    def is_connected(self) -> bool:
        return self._servers.is_reached_by(self._node)

    async def _ask(self) -> None:
        """The way there and back. Raises NotAppended if nobody answers."""
        await self._runtime.sleep(self._servers.way())
        if not (self.is_connected and self._servers.has_leader()):
            await self._runtime.sleep(PATIENCE_SECONDS if self.is_connected else 0.1)
            raise NotAppended("nobody answers")

    async def list(self) -> list[int]:
        await self._ask()
        return sorted(self._servers.streams)

    async def begin(self, stream: int) -> None:
        await self._ask()
        assert stream not in self._servers.ended, "a stream that was deleted is begun again"
        self._servers.streams.setdefault(stream, [])

    async def delete(self, stream: int) -> None:
        await self._ask()
        self._servers.delete(stream)

    async def last(self, stream: int) -> int:
        await self._ask()
        if stream not in self._servers.streams:
            raise StreamLost(f"stream {stream} is not there")
        return len(self._servers.streams[stream])

    async def append(self, stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
        servers, trouble = self._servers, self._servers.trouble
        assert node == self._node, "a node may only send as itself"
        if not self.is_connected:
            await self._runtime.sleep(0.05)
            raise NotAppended("no server is connected")
        await self._runtime.sleep(servers.way())
        if not servers.has_leader():
            await self._runtime.sleep(servers.random.uniform(0, PATIENCE_SECONDS))
            raise (NotAppended if servers.chance(0.5) else FateUnknown)("there is no leader")
        if servers.chance(trouble.refused):
            raise NotAppended("it is refused")
        if not self.is_connected or servers.chance(trouble.lost):
            await self._runtime.sleep(servers.random.uniform(0, PATIENCE_SECONDS))
            raise FateUnknown("nobody answers")
        if servers.chance(trouble.late):
            late = servers.random.uniform(0, 2 * PATIENCE_SECONDS)
            servers.machine.call_later(late, servers.take_late, stream, node, data)
            await self._runtime.sleep(servers.random.uniform(0, PATIENCE_SECONDS))
            raise FateUnknown("nobody answers")
        sequence = servers.take(stream, node, data, unique, after)
        await self._runtime.sleep(servers.way())
        if not self.is_connected or servers.chance(trouble.forgotten):
            await self._runtime.sleep(servers.random.uniform(0, PATIENCE_SECONDS))
            raise FateUnknown("the ack is lost")
        return sequence

    def read(self, after: Position) -> "MemoryRecords":
        return MemoryRecords(self._servers, self._runtime, self._node, after)


class MemoryRecords:
    def __init__(self, servers: MemoryServers, runtime: Runtime, node: str, after: Position) -> None:
        self._servers = servers
        self._runtime = runtime
        self._node = node
        self._stream, self._given = after
        self._told = runtime.event()
        self._is_silent = False
        servers.subscribe(self)

    def tell(self) -> None:
        self._runtime.call_later(self._servers.way(), self._told.set)

    async def next(self) -> StreamRecord:
        servers, trouble = self._servers, self._servers.trouble
        while True:
            records = servers.streams.get(self._stream)
            if records is None and servers.is_reached_by(self._node):
                raise StreamLost(f"stream {self._stream} is not there")
            if records is not None and servers.is_reached_by(self._node) and not self._is_silent:
                if self._given and servers.chance(trouble.restarted):
                    self._given = 0
                if self._given < len(records):
                    self._is_silent = servers.chance(trouble.silent)
                    self._given += 1
                    if servers.chance(trouble.skipped):
                        continue
                    return records[self._given - 1]
            self._told.clear()
            await self._told.wait()

    def close(self) -> None:
        self._servers.unsubscribe(self)


class MemoryBus:
    """What one process has of the bus."""

    def __init__(self, servers: MemoryServers, runtime: Runtime, node: str) -> None:
        self._servers = servers
        self._runtime = runtime
        self._node = node

    def _later(self, function: Callable[[bytes], object], data: bytes) -> None:
        """What was sent before a cut may still arrive, and what is sent in it does not."""
        if self._servers.is_reached_by(self._node):
            self._runtime.call_later(self._servers.way(), function, data)

    def publish(self, topic: str, data: bytes) -> None:
        if self._servers.is_reached_by(self._node):
            for bus, received in self._servers._listeners[topic]:
                bus._later(received, data)

    def subscribe(self, topic: str, received: Callable[[bytes], None]) -> None:
        self._servers._listeners[topic].append((self, received))

    def answer(self, topic: str, answered: Callable[[bytes], bytes | None]) -> None:
        self._servers._answerers[topic].append((self, answered))

    async def ask(self, topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
        answers: list[bytes] = []
        enough = self._runtime.event()

        def take(answer: bytes) -> None:
            answers.append(answer)
            if len(answers) >= answers_max:
                enough.set()

        if self._servers.is_reached_by(self._node):
            for bus, answered in self._servers._answerers[topic]:

                def reply(data: bytes, answered: Callable[[bytes], bytes | None] = answered) -> None:
                    answer = answered(data)
                    if answer is not None:
                        self._later(take, answer)

                bus._later(reply, data)
        try:
            async with self._runtime.timeout(seconds):
                await enough.wait()
        except TimeoutError:
            pass
        return answers[:answers_max]


class MemoryObjects:
    """What one process has of the buckets."""

    def __init__(self, servers: MemoryServers, runtime: Runtime, node: str) -> None:
        self._servers = servers
        self._streams = MemoryStreams(servers, runtime, node)

    async def buckets(self) -> list[str]:
        await self._streams._ask()
        return sorted(self._servers.buckets)

    async def begin(self, bucket: str) -> None:
        await self._streams._ask()
        self._servers.buckets.setdefault(bucket, {})

    async def delete_bucket(self, bucket: str) -> None:
        await self._streams._ask()
        self._servers.buckets.pop(bucket, None)

    async def names(self, bucket: str) -> list[str]:
        await self._streams._ask()
        return sorted(self._servers.buckets.get(bucket, {}))

    async def put(self, bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
        content = b"".join([chunk async for chunk in chunks])
        await self._streams._ask()
        if bucket not in self._servers.buckets:
            raise NotAppended(f"bucket {bucket} is not there")
        self._servers.buckets[bucket][name] = content
        if self._servers.chance(self._servers.trouble.forgotten):
            raise FateUnknown("the ack is lost")

    async def get(self, bucket: str, name: str) -> AsyncIterator[bytes]:
        await self._streams._ask()
        content = self._servers.buckets.get(bucket, {}).get(name)
        if content is None:
            raise ObjectMissing(f"{bucket} has no {name}")
        for start in range(0, len(content), 1024):
            yield content[start : start + 1024]

    async def delete(self, bucket: str, name: str) -> None:
        await self._streams._ask()
        self._servers.buckets.get(bucket, {}).pop(name, None)
