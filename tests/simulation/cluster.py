"""A run of a cluster from a seed: three nodes on streams in memory, with everything that servers and machines may do.

The users are those of the lone server, one of them with two devices. They go from node to node, while nodes are killed,
cut off, stopped and woken again beside their own successors, while disks are full or lost with all that was on them and
a new node joins, and the streams refuse, repeat, delay and forget.
"""

import io
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chat_server.action_log import ActionLog, LineForm
from chat_server.cluster import snapshots
from chat_server.cluster.member import ClusterNode, open_member
from chat_server.cluster.snapshots import SnapshotError
from chat_server.frontend.sessions import Sessions
from chat_server.log.entries import OrderedBatch
from chat_server.log.stream import NotAppended
from chat_server.rules.executor import Executed, Executor
from chat_server.store.data_directory import DataDirectory
from chat_server.store.database import NoRoom, open_reader
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryBus, MemoryObjects, MemoryServers, MemoryStreams, Trouble
from tests.side_processes import InlineProcesses
from tests.simulation.connection import MemoryConnection
from tests.simulation.ledger import ROOM, Ledger, Row, check, root_of
from tests.simulation.server import Process
from tests.simulation.users import JsonUser, TextUser, User
from tests.simulation.world import SETTINGS, simulate

NAMES, NEWCOMER = ["n1", "n2", "n3"], "n4"
SECONDS_MAX = 3000.0
ENDED, FULL = "another process has begun as node", "the disk is full"
# The others go on, and delete streams, while a node is stopped for long.
LEFT_BEHIND = "start this node from a snapshot"
NOT_TAKEN = "no snapshot was made: the object store did not take it"
TROUBLES = [
    Trouble(refused=0.3), Trouble(lost=0.2), Trouble(late=0.2), Trouble(forgotten=0.3), Trouble(repeated=0.4),
    Trouble(dropped=0.2), Trouble(restarted=0.02), Trouble(skipped=0.05), Trouble(silent=0.02),
    Trouble(seconds_max=1.0),
    Trouble(refused=0.1, lost=0.1, late=0.1, forgotten=0.1, repeated=0.1, restarted=0.01, skipped=0.02, silent=0.01),
]  # fmt: skip


class FullDisk:
    """An executor whose disk is full."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def execute(self, ordered: OrderedBatch) -> Executed:
        raise NoRoom(FULL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)


class SimulatedNode:
    """One process of a node."""

    def __init__(self, machine: FakeRuntime, servers: MemoryServers, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.member: ClusterNode | None = None
        self._machine = machine
        self._servers = servers
        self._process = Process(machine)
        self._connections: dict[MemoryConnection, None] = {}
        self.is_stopped = False
        self.has_ended = machine.event()
        self._error: BaseException | None = None

    async def _run(self) -> None:
        """From its start to its end. Raises StartError."""
        process, name = self._process, self.name
        self._directory = DataDirectory(str(self.path))
        streams = MemoryStreams(self._servers, process, name)
        bus, objects = MemoryBus(self._servers, process, name), MemoryObjects(self._servers, process, name)
        processes = InlineProcesses(process, objects, self.path)
        member = await open_member(SETTINGS, process, self.path, name, streams, bus, objects, processes)
        await member.start()
        node = member.node
        actions = ActionLog(process, LineForm(process, json=False), enabled=False, stream=io.StringIO())
        self._sessions = Sessions(process, node, SETTINGS, actions)
        running = process.spawn(node.run())
        watching = process.spawn(self._sessions.watch_stalled())
        self.member = member
        await self._machine_event(running)
        self.member = None
        await self._sessions.finish(running)
        watching.cancel()
        node.close()
        self._directory.close()
        may_end = node.failure is None or ENDED in node.failure or LEFT_BEHIND in node.failure
        check(may_end, f"{name} failed: {node.failure}")
        self.has_ended.set()

    async def _machine_event(self, running: Any) -> None:
        over = self._machine.event()
        running.add_done_callback(lambda _: over.set())
        await over.wait()
        if not running.cancelled() and (bug := running.exception()):
            raise bug

    async def start(self) -> None:
        """Returns when people may connect. Raises StartError."""
        running = self._process.spawn(self._run())
        running.add_done_callback(self._end)
        while self.member is None:
            if running.done():
                raise self.take_error()
            await self._machine.sleep(0.1)

    def _end(self, running: Any) -> None:
        if not running.cancelled():
            self._error = running.exception()

    def take_error(self) -> BaseException:
        """What its process failed with, when it was meant to."""
        error, self._error = self._error, None
        return error or AssertionError(f"{self.name} has not failed")

    def check(self) -> None:
        """Raise what its process failed with, which nobody else may have noticed: others take its place."""
        if self._error is not None:
            raise self._error

    def connect(
        self, take_bytes_max: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> MemoryConnection | None:
        if self.member is None or self.is_stopped:
            return None
        unsent_bytes_max = SETTINGS.outbox_bytes_max // 2
        connection = MemoryConnection(self._machine, unsent_bytes_max, take_bytes_max, received, ended)
        self._connections[connection] = None
        sessions = self._sessions
        connection.open(
            lambda transport: sessions.open(transport, "127.0.0.1", lambda: self._connections.pop(connection))
        )
        return connection

    def kill(self) -> None:
        for connection in self._connections:
            connection.sever()
        self._process.kill()
        if self.member is not None:
            self.member.node.close()
            self.member = None
        self._directory.close()

    def stop(self) -> None:
        self.is_stopped = True
        self._process.stop()

    def wake(self) -> None:
        self.is_stopped = False
        self._process.wake()


class ClusterSimulation:
    def __init__(self, seed: int, path: Path) -> None:
        self.machine = FakeRuntime(seed)
        self.ledger = Ledger()
        self.transcript: list[str] = []
        self.is_steady = False
        self.users: list[User] = []
        self._random = self.machine.random
        self._servers = MemoryServers(self.machine)
        self._path = path
        self._copies = 0
        self._nodes: dict[str, SimulatedNode] = {}
        self._begun: list[SimulatedNode] = []
        self._zombies: list[SimulatedNode] = []
        # What was acknowledged is in the log, or in a snapshot.
        self._snapshots = 0

    # ---- what users have of the world

    def connect(
        self, take_bytes_max: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> MemoryConnection | None:
        return self._random.choice(list(self._nodes.values())).connect(take_bytes_max, received, ended)

    def delivered(self) -> int:
        """At most so much was shown by any node."""
        members = [node.member for node in self._nodes.values() if node.member is not None]
        return max((member.node.delivery.delivered for member in members), default=0)

    def tell(self, what: str) -> None:
        self.transcript.append(f"{self.machine.monotonic():.6f} {what}")

    # ---- the course of things

    async def run(self) -> None:
        async with self.machine.timeout(SECONDS_MAX):
            for name in NAMES:
                await self._start(name, self._path.with_name(name))
            await self._meet()
            living = [self.machine.spawn(user.live()) for user in self.users]
            for _ in range(self._random.randint(6, 12)):
                await self.machine.sleep(self._random.expovariate(1 / 3))
                await self._misfortune()
                for node in self._begun:
                    node.check()
            await self._heal()
            for user in self.users:
                user.be_calm()
            for each in living:
                await each
            for _ in range(2):
                for user in self.users:
                    await user.settle()
                await self.machine.sleep(60)
            await self._compare()

    async def _meet(self) -> None:
        self.users = [TextUser(self, "alice", "secret"), TextUser(self, "bob", None), JsonUser(self, "carol", "secret")]
        for user in self.users:
            await user.come_in()
        alice, *others = self.users
        self.users.append(JsonUser(self, "carol", "secret", "x"))
        for said in [
            alice.say("create_chat", chat=ROOM),
            *(alice.say("invite", chat=ROOM, username=other.name) for other in others),
        ]:
            await said.ended
        await self.machine.sleep(1)
        for other in others:
            await other.say("join", chat=ROOM).ended

    async def _start(self, name: str, path: Path) -> None:
        node = self._nodes[name] = SimulatedNode(self.machine, self._servers, name, path)
        self._begun.append(node)
        self.tell(f"{name} starts")
        await node.start()

    def _copy(self, name: str) -> Path:
        """What is on the disk at this moment, for the next process."""
        return Path(shutil.copytree(self._nodes[name].path, self._new_path(name)))

    def _new_path(self, name: str) -> Path:
        self._copies += 1
        return self._path.with_name(f"{name}-{self._copies}")

    async def _misfortune(self) -> None:
        name = self._random.choice(list(self._nodes))
        seconds = self._random.choice([1.0, 5.0, 15.0])
        happens = self._random.choice([
            self._kill, self._replace, self._replace, self._stop, self._cut_off, self._cut_off, self._elect,
            self._trouble, self._trouble, self._trouble, self._end_stream, self._set_clock, self._put_stray,
            self._fill_disk, self._lose_disk, self._join,
        ])  # fmt: skip
        self.tell(f"{happens.__name__} {name} {seconds}")
        if self._random.random() < 0.5:
            # In the middle of something else.
            self._servers.trouble = self._random.choice(TROUBLES)
            await self._end_stream(self._random.choice(list(self._nodes)), seconds)
        await happens(name, seconds)
        self._servers.trouble = Trouble()

    async def _kill(self, name: str, seconds: float) -> None:
        copy = self._copy(name)
        self._nodes[name].kill()
        await self.machine.sleep(seconds / 5)
        await self._start(name, copy)

    async def _replace(self, name: str, seconds: float) -> None:
        """A process is stopped, its successor starts, and then it is woken."""
        node = self._nodes[name]
        copy = self._copy(name)
        node.stop()
        self._zombies.append(node)
        await self._start(name, copy)
        await self.machine.sleep(seconds)
        node.wake()

    async def _stop(self, name: str, seconds: float) -> None:
        self._nodes[name].stop()
        await self.machine.sleep(3 * seconds)
        self._nodes[name].wake()

    async def _cut_off(self, name: str, seconds: float) -> None:
        self._servers.cut_off(name)
        await self.machine.sleep(2 * seconds)
        self._servers.join_again(name)

    async def _elect(self, name: str, seconds: float) -> None:
        self._servers.elect(seconds)

    async def _trouble(self, name: str, seconds: float) -> None:
        self._servers.trouble = self._random.choice(TROUBLES)
        await self.machine.sleep(3 * seconds)
        self._servers.trouble = Trouble()

    async def _fill_disk(self, name: str, seconds: float) -> None:
        """What is in the log waits there until it can be executed, and what is said there is refused."""
        member = self._nodes[name].member
        if member is None:
            return
        writer, space = member.node._writer, member.node.space
        # A short while is over before the node looks how much room there is.
        reserve_bytes = space.reserve_bytes
        if seconds > 1:
            space.set_reserve(1 << 62)
        with patch.object(writer, "_executor", FullDisk(writer._executor)):
            await self.machine.sleep(2 * seconds)
        space.set_reserve(reserve_bytes)

    async def _lose_disk(self, name: str, seconds: float) -> None:
        """The machine is replaced by a new one of the same name."""
        self._nodes[name].kill()
        await self._start(name, self._new_path(name))

    async def _join(self, name: str, seconds: float) -> None:
        if NEWCOMER not in self._nodes:
            await self._start(NEWCOMER, self._new_path(NEWCOMER))

    async def _end_stream(self, name: str, seconds: float) -> None:
        """As all nodes have come past the streams before, and snapshots too, these may go."""
        member = self._nodes[name].member
        if member is None:
            return
        objects = MemoryObjects(self._servers, self.machine, name)
        try:
            await member.log.begin_next_stream()
            self._snapshots += 1
            await snapshots.make(objects, self._nodes[name].path, str(self._snapshots))
            covered = snapshots.covered(await snapshots.list_whole(objects))
            if covered and all(node.member is not None and not node.is_stopped for node in self._nodes.values()):
                reached = min(self._stream_of(node) for node in self._nodes.values())
                await member.log.delete_streams(min(reached, covered.stream))
        except (NotAppended, SnapshotError):
            return

    def _stream_of(self, node: SimulatedNode) -> int:
        assert node.member is not None
        return node.member.log.position.stream

    async def _set_clock(self, name: str, seconds: float) -> None:
        self._servers.clock_ms = self._random.choice([-3_600_000, 0, 3_600_000])

    async def _put_stray(self, name: str, seconds: float) -> None:
        stream = max(self._servers.streams)
        for data in [b"hello", *(record.data for record in self._servers.streams[stream][:3])]:
            self._servers.put(stream, self._random.choice(["somebody", name]), data)

    # ---- the end

    async def _heal(self) -> None:
        self.tell("all is well from here on")
        for zombie in self._zombies:
            await zombie.has_ended.wait()
        for name, node in list(self._nodes.items()):
            # It was left behind, or a batch of its lost machine came into the log after the new one had begun.
            if node.has_ended.is_set():
                await self._start(name, node.path)

    async def _compare(self) -> None:
        """All nodes have come to the same place, with the same content, and it is what was acknowledged."""
        for node in self._begun:
            node.check()
        members = [node.member for node in self._nodes.values() if node.member is not None]
        check(len(members) == len(self._nodes), "a node has ended")
        await compare(self.machine, list(self._nodes.values()))
        stored = self.ledger.check_store(self._nodes[NAMES[0]].path)
        for user in self.users:
            user.check_shown_all(stored)
        self._check_order(stored)

    def _check_order(self, stored: list[Row]) -> None:
        """What one connection said is stored in the order in which it was said."""
        said: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row in stored:
            # Carol says again what may have been lost.
            if row.text is not None and row.author != "carol":
                root = root_of(row.text)
                said[row.author, self.ledger.sent[root].connection].append(int(root.rpartition("-")[2]))
        for (author, connection), numbers in said.items():
            check(numbers == sorted(numbers), f"{author}/{connection} said {sorted(numbers)}, stored as {numbers}")


async def compare(machine: FakeRuntime, nodes: list[SimulatedNode]) -> None:
    """Wait until all have executed the same, and check that all have the same then."""
    members = [node.member for node in nodes if node.member is not None]
    while len({member.node._writer.state.position for member in members}) > 1:
        await machine.sleep(0.001)
    first, *others = [content(node.path) for node in nodes]
    for other in others:
        for table, rows in first.items():
            check(rows == other[table], f"nodes differ in {table}: {rows} and {other[table]}")


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    db = open_reader(path)
    try:
        tables = [name for (name,) in db.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {table: sorted(db.all(f"SELECT * FROM {table}"), key=repr) for table in tables}
    finally:
        db.close()


def simulate_cluster(seed: int) -> list[str]:
    return simulate(seed, ClusterSimulation, (ENDED, FULL, LEFT_BEHIND, NOT_TAKEN))
