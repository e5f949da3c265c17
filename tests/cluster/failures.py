"""Failures of servers and nodes under load, drawn from a seed: `python -m tests.cluster.failures SEED [COUNT]`.

Three NATS servers and three nodes, each on a machine of its own: a network namespace. Writers send numbered texts to
each node and keep what is answered. Meanwhile servers and nodes are killed, stopped and woken, and cut off from the
others, NATS goes away as a whole, and stray messages are put into the stream; clocks are set, a node is added, another
process takes a node's name, and the log goes on in another stream. In the end everything is there again, and this must
hold:

- all nodes have the same rows in all tables, and so the same messages in the same order;
- each text that was answered `ok` is there exactly once, and none is there twice;
- no text is there that was refused with `done` false and not sent again;
- each has the time at which it was sent, and the chat has not lived for longer than it has.
"""

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from chat_server.log.codec import MAGIC, encode
from chat_server.log.entries import Batch, Due, EndStream, Entry
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.jetstream_api import ApiError, call, open_nats
from chat_server.log.nats_connection import Nats
from chat_server.log.stream import FateUnknown, NotAppended
from chat_server.log.versions import VERSION
from chat_server.runtime import SystemRuntime
from chat_server.store import digests
from chat_server.store.database import open_reader
from tests.cluster.networks import why_not
from tests.cluster.nodes import ChatNode, LocalCluster, SteppedNode
from tests.cluster.servers import NatsServer
from tests.cluster.writers import Writer

OPTIONS = ("--command-rate", "off", "--main-rate-limit", "off", "--message-ttl", "off", "--connections-max", "100")
WRITERS = 6
FAULTS = 3
# Of a node that is stopped, and of NATS that is away.
AWAY_SECONDS = 20.0
STOPPED_SECONDS = 30.0
SETTLE_SECONDS = 90.0
HOUR = timedelta(hours=1)
# A batch is at most this old when the times of a node are read.
BATCH_AGE_MS = 30_000


class Failures:
    """The faults of one seed, and what is needed to put them right again."""

    def __init__(self, cluster: LocalCluster, nats: Nats, chance: random.Random) -> None:
        self._cluster = cluster
        self._nats = nats
        self._chance = chance
        self._kinds: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "kill the stream's leader": self._kill_leader,
            "stop the stream's leader": self._stop_leader,
            "kill another server": self._kill_server,
            "kill a node": self._kill_node,
            "stop a node": self._stop_node,
            "NATS is away": self._lose_nats,
            "stray messages": self._add_strays,
            "a clock is wrong": self._set_clock,
            "a node is added": self._add_node,
            "another process of a name": self._begin_again,
            "the stream ends": self._end_stream,
        }
        if cluster.network is not None:
            self._kinds |= {
                "cut off the stream's leader": self._cut_off_leader,
                "cut off another server": self._cut_off_server,
                "cut off a node": self._cut_off_node,
            }

    async def run(self, kinds: Sequence[str] = ()) -> None:
        """Without any kinds some are drawn."""
        for name in kinds or self._chance.sample(sorted(self._kinds), FAULTS):
            print(f"  {time.monotonic() - BEGUN:6.1f} s  {name}", flush=True)
            await self._kinds[name]()
            await asyncio.sleep(self._chance.uniform(1, 4))

    async def _log(self) -> str:
        """The name of the stream that is written into."""
        while True:
            try:
                names: list[str] = (await call(self._nats, "STREAM.NAMES", {"subject": "log.*.*"}))["streams"]
                return max(names, key=lambda name: int(name.removeprefix("log-")))
            except (NotAppended, ApiError):
                await asyncio.sleep(0.5)

    async def _leader(self) -> NatsServer:
        while True:
            try:
                info = await call(self._nats, f"STREAM.INFO.{await self._log()}")
                return self._cluster.servers.named(info["cluster"]["leader"])
            except (NotAppended, ApiError, KeyError, ValueError):
                await asyncio.sleep(0.5)

    async def _kill_leader(self) -> None:
        leader = await self._leader()
        leader.kill()
        await asyncio.sleep(self._chance.uniform(1, 15))
        leader.start()

    async def _stop_leader(self) -> None:
        leader = await self._leader()
        leader.pause()
        await asyncio.sleep(self._chance.uniform(5, 20))
        leader.resume()

    async def _other_server(self) -> NatsServer:
        leader = await self._leader()
        return self._chance.choice([each for each in self._cluster.servers.all if each is not leader])

    async def _cut_off_leader(self) -> None:
        await self._cut_off((await self._leader()).name)

    async def _cut_off_server(self) -> None:
        await self._cut_off((await self._other_server()).name)

    async def _cut_off_node(self) -> None:
        await self._cut_off(self._chance.choice(self._cluster.nodes).name)

    async def _cut_off(self, name: str) -> None:
        assert self._cluster.network is not None
        self._cluster.network.cut_off(name)
        await asyncio.sleep(self._chance.uniform(5, 25))
        self._cluster.network.join(name)

    async def _kill_server(self) -> None:
        server = await self._other_server()
        server.kill()
        await asyncio.sleep(self._chance.uniform(1, 8))
        server.start()

    async def _kill_node(self) -> None:
        node = self._chance.choice(self._cluster.nodes)
        node.kill()
        await asyncio.sleep(self._chance.uniform(0, 5))
        await asyncio.to_thread(node.start)

    async def _stop_node(self) -> None:
        node = self._chance.choice(self._cluster.nodes)
        node.pause()
        await asyncio.sleep(STOPPED_SECONDS)
        node.resume()

    async def _lose_nats(self) -> None:
        for server in self._cluster.servers.all:
            server.kill()
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(self._cluster.servers.start)

    async def _add_strays(self) -> None:
        number = (await self._log()).removeprefix("log-")
        magic = MAGIC + VERSION.to_bytes(2)
        another = encode(Batch("another", "n3", 99, b"12345678", 1, 0, [Entry(Due(), 0, None)]))
        forged = encode(Batch(self._history(), "n1", 99, b"12345678", 1, 0, [Entry(Due(), 0, None)]))
        for node, data in (
            ("stranger", b"hello"),
            ("n1", b""),
            ("n2", magic + b"\xff" * 100),
            ("n2", magic),
            ("n2", MAGIC + b"\xff" * 100),
            ("n3", another),
            ("n2", forged),
            ("n1", b"x" * 1_000_000),
        ):
            with contextlib.suppress(NotAppended, FateUnknown):
                await self._nats.request(f"log.{number}.{node}", data, 10)

    def _history(self) -> str:
        ((history,),) = self._cluster.nodes[0].rows("SELECT history FROM state")
        return str(history)

    async def _set_clock(self) -> None:
        """A node's clock is set by an hour; it may be set right again, and the node may start anew meanwhile."""
        node = self._chance.choice(self._cluster.nodes)
        assert isinstance(node, SteppedNode)
        node.set_clock(self._chance.choice([-HOUR, HOUR]))
        if self._chance.random() < 0.5:
            node.kill()
            await asyncio.to_thread(node.start)
        await asyncio.sleep(self._chance.uniform(1, 10))
        if self._chance.random() < 0.5:
            node.set_clock(timedelta())

    async def _add_node(self) -> None:
        """It starts from nothing, or from a snapshot and what came after it."""
        if self._chance.random() < 0.5:
            maker = self._chance.choice(self._cluster.nodes)
            async with asyncio.timeout(SETTLE_SECONDS):
                # An election may go on; whoever runs the command by a timer has it done the next time.
                while not await asyncio.to_thread(maker.make_snapshot):
                    await asyncio.sleep(1)
        name = f"n{len(self._cluster.nodes) + 1}"
        node = self._cluster.make_node(self._cluster.directory / name, name)
        await asyncio.to_thread(node.start)
        self._cluster.nodes.append(node)

    async def _begin_again(self) -> None:
        """A second process of a node's name begins, from nothing; the first one ends with a word, when it is awake."""
        place = self._chance.randrange(len(self._cluster.nodes))
        old = self._cluster.nodes[place]
        is_stopped = self._chance.random() < 0.7
        if is_stopped:
            old.pause()
        new = self._cluster.make_node(self._cluster.directory / f"{old.name}-again", old.name)
        await asyncio.to_thread(new.start)
        self._cluster.nodes[place] = new
        self._cluster.replaced.append(old)
        await asyncio.sleep(self._chance.uniform(0, 20))
        if is_stopped:
            old.resume()
        async with asyncio.timeout(SETTLE_SECONDS):
            while old.is_running:
                await asyncio.sleep(0.1)
        assert f"another process has begun as node {old.name}" in old.log, old.log[-2000:]

    async def _end_stream(self) -> None:
        """The log goes on in another stream, at once, as it does when something was erased."""
        chain = JetStreamChain(self._nats)
        stream = int((await self._log()).removeprefix("log-"))
        data = encode(
            Batch(self._history(), "ender", stream, b"12345678", 1, 0, [Entry(EndStream(stream + 1), 0, None)])
        )
        while not any(position > (stream, 0) for position in map(position_of, self._cluster.nodes)):
            with contextlib.suppress(NotAppended, FateUnknown):
                await chain.begin(stream + 1)
                await chain.append(stream, "ender", data, f"end of {stream}")
            await asyncio.sleep(0.5)


BEGUN = time.monotonic()


def position_of(node: ChatNode) -> tuple[object, ...]:
    (position,) = node.rows("SELECT stream, sequence FROM state")
    return position


def lived_ms(node: ChatNode) -> int:
    ((elapsed_ms,),) = node.rows("SELECT elapsed_ms FROM state")
    assert isinstance(elapsed_ms, int)
    return elapsed_ms


def digest_of(node: ChatNode) -> tuple[object, str]:
    """The place in the log, and the digest of all tables there."""
    db = open_reader(node.data)
    try:
        db.run("BEGIN")
        position = db.one("SELECT stream, sequence FROM state")
        return position, digests.total(digests.now_of_tables(db))
    finally:
        db.close()


async def same_digests(nodes: list[ChatNode]) -> list[str]:
    """What differs where all nodes have come to the same place in the log."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            found = await asyncio.gather(*(asyncio.to_thread(digest_of, node) for node in nodes))
            if len({position for position, _ in found}) == 1:
                break
    differing = {node.name: digest for node, (_, digest) in zip(nodes, found, strict=True)}
    return [f"the digests differ: {differing}"] if len(set(differing.values())) > 1 else []


def messages_of(node: ChatNode) -> list[tuple[object, ...]]:
    return node.rows("SELECT id, seq, user_id, at_ms, text FROM messages ORDER BY id")


def verdict(cluster: LocalCluster, writers: list[Writer], begun_ms: int) -> list[str]:
    """What does not hold; nothing where all is well."""
    wrong = []
    stored = {node.name: messages_of(node) for node in cluster.nodes}
    first = stored["n1"]
    wrong += [f"{name} has other messages than n1" for name, rows in stored.items() if rows != first]
    counts = Counter(str(row[-1]) for row in first)
    wrong += [f"{text} is there {count} times" for text, count in counts.items() if count > 1]
    if wrong_times := [row for row in first if not begun_ms - 2000 <= int(str(row[3])) <= now_ms() + 2000]:
        wrong.append(f"{len(wrong_times)} messages have wrong times, like {wrong_times[0]}")
    for writer in writers:
        wrong += [f"{text} was acknowledged, and is lost" for text in sorted(writer.acknowledged - counts.keys())]
        wrong += [
            f"{text} was refused for certain, and is there"
            for text in sorted((writer.refused & counts.keys()) - writer.unknown - writer.acknowledged)
        ]
    return wrong


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def run(seed: int, directory: Path, *, has_network: bool, kinds: Sequence[str] = ()) -> list[str]:
    """With a network of their own, servers and nodes are cut off from the others, too. See also `Failures.run`."""
    chance = random.Random(seed)
    cluster = LocalCluster(directory, *OPTIONS, has_network=has_network, node_type=SteppedNode)
    nats: Nats | None = None
    is_over = False
    try:
        await asyncio.to_thread(cluster.start)
        nats = await open_nats(SystemRuntime(), cluster.access(), "failures", 30)
        writers = [Writer(f"w{number}", cluster.nodes, random.Random(chance.random())) for number in range(WRITERS)]
        writing = [asyncio.create_task(writer.write(lambda: is_over)) for writer in writers]
        await asyncio.sleep(1)
        begun, lived_before_ms = now_ms(), lived_ms(cluster.nodes[0])
        await Failures(cluster, nats, chance).run(kinds)
        # Everything is there again: each writer is answered once more.
        counts = [len(writer.acknowledged) for writer in writers]
        async with asyncio.timeout(SETTLE_SECONDS):
            while any(len(writer.acknowledged) < count + 3 for writer, count in zip(writers, counts, strict=True)):
                for task in writing:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.1)
        is_over = True
        await asyncio.gather(*writing)
        async with asyncio.timeout(SETTLE_SECONDS):
            # The others execute what one has answered.
            while len({len(messages_of(node)) for node in cluster.nodes}) > 1:
                await asyncio.sleep(0.1)
        wrong = verdict(cluster, writers, begun - BATCH_AGE_MS)
        wrong += await same_digests(cluster.nodes)
        if (aged_ms := lived_ms(cluster.nodes[0]) - lived_before_ms - (now_ms() - begun)) > BATCH_AGE_MS:
            wrong.append(f"the chat has lived for {aged_ms} ms too long")
        wrong += [f"{node.name} has stopped" for node in cluster.nodes if not node.is_running]
        wrong += [f"{node.name} logged a mistake" for node in cluster.nodes if "Traceback" in node.log]
        told = {
            kind: sum(len(getattr(each, kind)) for each in writers) for kind in ("acknowledged", "refused", "unknown")
        }
        print(f"  {time.monotonic() - BEGUN:6.1f} s  {told}", flush=True)
        return wrong
    finally:
        if nats is not None:
            await nats.close()
        cluster.close()


def main() -> int:
    seed, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    failed = []
    if reason := why_not():
        print(f"nothing is cut off: {reason}")
    for each in range(seed, seed + count):
        print(f"seed {each}", flush=True)
        directory = Path(tempfile.mkdtemp(prefix=f"failures-{each}-"))
        try:
            wrong = asyncio.run(run(each, directory, has_network=not reason))
        except (AssertionError, TimeoutError) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            failed.append(each)
            print(*wrong[:10], f"data and logs are in {directory}", sep="\n  ")
    print(f"failed: {failed}" if failed else "all is well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
