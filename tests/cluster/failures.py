"""Failures of servers and nodes under load, drawn from a seed: `python -m tests.cluster.failures SEED [COUNT]`.

Three NATS servers and three nodes, each on a machine of its own: a network namespace. Writers send numbered texts to
each node and keep what is answered. Meanwhile servers and nodes are killed, stopped and woken, and cut off from the
others, NATS goes away as a whole, and stray messages are put into the stream. In the end everything is there again, and
this must hold:

- all nodes have the same messages in the same order;
- each text that was answered `ok` is there exactly once, and none is there twice;
- no text is there that was refused with `done` false and not sent again.
"""

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from chat_server.log.jetstream import call, open_nats
from chat_server.log.nats_connection import Nats
from chat_server.log.stream import FateUnknown, NotAppended
from chat_server.runtime import SystemRuntime
from tests.cluster.networks import why_not
from tests.cluster.nodes import ChatNode, LocalCluster
from tests.cluster.servers import NatsServer
from tests.harness import Connection, Json

OPTIONS = ("--command-rate", "off", "--main-rate-limit", "off", "--message-ttl", "off", "--connections-max", "100")
WRITERS = 6
FAULTS = 3
# Of a node that is stopped, and of NATS that is away.
AWAY_SECONDS = 20.0
STOPPED_SECONDS = 30.0
SETTLE_SECONDS = 90.0
ANSWER_SECONDS = 25.0


class Writer:
    """Someone who sends numbered texts, to one node after the other where a connection ends.

    A text whose fate is not known is sent again with its key, or left alone, by chance.
    """

    def __init__(self, name: str, nodes: list[ChatNode], chance: random.Random) -> None:
        self.name = name
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self._nodes = nodes
        self._chance = chance
        self._connection: Connection | None = None
        self._place = chance.randrange(len(nodes))

    async def write(self, is_over: Callable[[], bool]) -> None:
        number = 0
        while not is_over():
            number += 1
            text = f"{self.name}-{number}"
            while not is_over():
                code = await self._send(text)
                if code == "ok":
                    self.acknowledged.add(text)
                elif code == "refused":
                    self.refused.add(text)
                else:
                    self.unknown.add(text)
                    if self._chance.random() < 0.5:
                        continue
                break

    async def _send(self, text: str) -> str:
        """`ok`, `refused` where it is certain that nothing was done, and `unknown`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._connection is None:
                    await self._enter()
                assert self._connection is not None
        except (OSError, EOFError, TimeoutError):
            await self._leave()
            return "refused"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._connection.send(json.dumps({"cmd": "send_all", "text": text, "key": text, "label": text}))
                reply = await self._reply(text)
        except (OSError, EOFError, TimeoutError):
            await self._leave()
            return "unknown"
        if reply["type"] == "ok":
            return "ok"
        assert reply["code"] in ("unavailable", "busy"), reply
        if reply["code"] == "unavailable":
            await asyncio.sleep(0.2)
        return "refused" if reply.get("done") is False or reply["code"] == "busy" else "unknown"

    async def _enter(self) -> None:
        node = self._nodes[self._place % len(self._nodes)]
        self._place += 1
        if not node.is_running:
            raise EOFError
        self._connection = Connection(*await asyncio.open_connection(node.host, node.port, limit=1 << 20))
        await self._connection.line()
        await self._connection.send("@f /format json", f"/sign_in {self.name}")
        await self._reply("f")
        while True:
            line: Json = json.loads(await self._connection.line())
            if line["type"] == "error":
                raise EOFError(line)
            if line["type"] == "ok":
                break
        await self._connection.send("/presence off")

    async def _reply(self, label: str) -> Json:
        assert self._connection is not None
        while True:
            line: Json = json.loads(await self._connection.line())
            if line["type"] in ("ok", "error") and line.get("label") == label:
                return line

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await asyncio.sleep(0.2)


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
            "a stray message": self._add_stray,
        }
        if cluster.network is not None:
            self._kinds |= {
                "cut off the stream's leader": self._cut_off_leader,
                "cut off another server": self._cut_off_server,
                "cut off a node": self._cut_off_node,
            }

    async def run(self) -> None:
        for name in self._chance.sample(sorted(self._kinds), FAULTS):
            print(f"  {time.monotonic() - BEGUN:6.1f} s  {name}", flush=True)
            await self._kinds[name]()
            await asyncio.sleep(self._chance.uniform(1, 4))

    async def _log(self) -> str:
        """The name of the stream that is written into."""
        while True:
            try:
                names: list[str] = (await call(self._nats, "STREAM.NAMES", {"subject": "log.*.*"}))["streams"]
                return max(names, key=lambda name: int(name.removeprefix("log-")))
            except NotAppended:
                await asyncio.sleep(0.5)

    async def _leader(self) -> NatsServer:
        while True:
            try:
                info = await call(self._nats, f"STREAM.INFO.{await self._log()}")
                return self._cluster.servers.named(info["cluster"]["leader"])
            except (NotAppended, KeyError, ValueError):
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

    async def _add_stray(self) -> None:
        number = (await self._log()).removeprefix("log-")
        for node, data in (("stranger", b"hello"), ("n1", b""), ("n2", b"\xff")):
            with contextlib.suppress(NotAppended, FateUnknown):
                await self._nats.request(f"log.{number}.{node}", data, 10)


BEGUN = time.monotonic()


def messages_of(node: ChatNode) -> list[tuple[object, ...]]:
    return node.rows("SELECT id, seq, user_id, at_ms, text FROM messages ORDER BY id")


def verdict(cluster: LocalCluster, writers: list[Writer]) -> list[str]:
    """What does not hold; nothing where all is well."""
    wrong = []
    stored = {node.name: messages_of(node) for node in cluster.nodes}
    first = stored["n1"]
    wrong += [f"{name} has other messages than n1" for name, rows in stored.items() if rows != first]
    counts = Counter(str(row[-1]) for row in first)
    wrong += [f"{text} is there {count} times" for text, count in counts.items() if count > 1]
    for writer in writers:
        wrong += [f"{text} was acknowledged, and is lost" for text in sorted(writer.acknowledged - counts.keys())]
        wrong += [
            f"{text} was refused for certain, and is there"
            for text in sorted((writer.refused & counts.keys()) - writer.unknown - writer.acknowledged)
        ]
    return wrong


async def run(seed: int, directory: Path, *, has_network: bool) -> list[str]:
    """With a network of their own, servers and nodes are cut off from the others, too."""
    chance = random.Random(seed)
    cluster = LocalCluster(directory, *OPTIONS, has_network=has_network)
    nats: Nats | None = None
    is_over = False
    try:
        await asyncio.to_thread(cluster.start)
        nats = await open_nats(SystemRuntime(), cluster.access(), "failures", 30)
        writers = [Writer(f"w{number}", cluster.nodes, random.Random(chance.random())) for number in range(WRITERS)]
        writing = [asyncio.create_task(writer.write(lambda: is_over)) for writer in writers]
        await asyncio.sleep(1)
        await Failures(cluster, nats, chance).run()
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
        wrong = verdict(cluster, writers)
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
