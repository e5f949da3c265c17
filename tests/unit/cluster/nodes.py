"""Whole nodes on streams and a bus in memory, in virtual time, and people who are connected to them."""

import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chat_server.action_log import ActionLog, LineForm
from chat_server.cluster.member import open_member
from chat_server.frontend.sessions import Sessions
from chat_server.settings import Settings, load
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryBus, MemoryObjects, MemoryServers, MemoryStreams
from tests.side_processes import InlineProcesses
from tests.simulation.connection import MemoryConnection
from tests.simulation.server import Process

SETTINGS = load(["--disk-reserve", "off", "--operator", "boss", "--command-rate", "off"], {})


class Person:
    """One connection, and what it was sent."""

    def __init__(self, place: "Place", name: str) -> None:
        self._machine = place.machine
        self.name = name
        self.taken = b""
        self.has_ended = False
        self._connection = MemoryConnection(place.machine, 1 << 20, 1 << 20, self._take, self._end)
        place.connections[self._connection] = None
        self._connection.open(
            lambda transport: place.sessions.open(
                transport, "127.0.0.1", lambda: place.connections.pop(self._connection, None) and None
            )
        )

    def _take(self, data: bytes) -> None:
        self.taken += data

    def _end(self) -> None:
        self.has_ended = True

    @property
    def lines(self) -> list[str]:
        """The whole ones."""
        return self.taken[: self.taken.rfind(b"\n") + 1].decode().splitlines()

    def take_lines(self) -> list[str]:
        lines = self.lines
        self.taken = self.taken[self.taken.rfind(b"\n") + 1 :]
        return lines

    def send(self, line: str) -> None:
        self._connection.send(f"{line}\n".encode())

    async def say(self, line: str, seconds: float = 20.0) -> str:
        """Say a command; its reply."""
        self.send(f"@q {line}")
        for _ in range(round(seconds / 0.05)):
            await self._machine.sleep(0.05)
            for got in self.lines:
                if got.startswith(("+ @q ", "- @q ", '{"type":"ok"', '{"type":"error"')):
                    self.taken = self.taken.replace(f"{got}\n".encode(), b"", 1)
                    return got.replace(" @q", "", 1)
        raise AssertionError(f"no reply to {line!r} of {self.name}: {self.lines}")

    async def say_json(self, line: str, seconds: float = 20.0) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(await self.say(line, seconds))
        return reply

    def nap(self, seconds: float) -> None:
        """Take nothing of what the server sends for so long."""
        self._connection.nap(seconds)

    def leave(self) -> None:
        self._connection.reset()


class Place:
    """A node, where people connect."""

    def __init__(self, servers: MemoryServers, path: Path, name: str, settings: Settings) -> None:
        self.machine = servers.machine
        self.name = name
        self.connections: dict[MemoryConnection, None] = {}
        self._servers = servers
        self.settings = settings
        self.path = path / name
        self.path.mkdir(exist_ok=True)
        self._process = Process(self.machine)
        self.may_fail = False

    def renew(self) -> None:
        """The next start is another process."""
        self._process = Process(self.machine)

    async def start(self) -> None:
        process, name = self._process, self.name
        objects = MemoryObjects(self._servers, process, name)
        member = await open_member(
            self.settings,
            process,
            self.path,
            name,
            MemoryStreams(self._servers, process, name),
            MemoryBus(self._servers, process, name),
            objects,
            InlineProcesses(process, objects, self.path),
            lambda: {"connections": len(self.sessions), "deliveries": 0},
        )
        self.member, self.node, self.heartbeats = member, member.node, member.heartbeats
        self.sessions = Sessions(
            process,
            self.node,
            self.settings,
            ActionLog(process, LineForm(process, json=False), enabled=False, stream=io.StringIO()),
        )
        await member.start()
        self.running = process.spawn(self.node.run())
        self.is_closed = False

    async def connect(self, name: str, *, format: str = "text") -> Person:
        """Sign somebody in."""
        person = Person(self, name)
        await person.say(f"/format {format}")
        reply = await person.say(f"/sign_in {name}")
        assert reply.startswith("+") or '"ok"' in reply, reply
        await self.machine.sleep(0.5)
        person.taken = b""
        return person

    def kill(self) -> None:
        for connection in self.connections:
            connection.sever()
        self._process.kill()
        self._servers.cut_off(self.name)

    async def stop(self) -> None:
        await self.sessions.finish(self.running)
        await self.running
        self.node.close()
        self.is_closed = True


class Cluster:
    def __init__(self, path: Path) -> None:
        self.machine = FakeRuntime(11)
        self.servers = MemoryServers(self.machine)
        self._path = path
        self._places: list[Place] = []

    async def start(self, *names: str, settings: Settings = SETTINGS) -> list[Place]:
        places = [Place(self.servers, self._path, name, settings) for name in names]
        for place in places:
            await place.start()
            self._places.append(place)
        return places

    def check(self) -> None:
        for place in self._places:
            assert place.may_fail or place.node.failure is None, f"{place.name} failed: {place.node.failure}"

    def close(self) -> None:
        """Until their memory is collected nodes keep two dozen files open each: there were over 1,000 at a time."""
        for place in self._places:
            if not place.is_closed:
                place.node.close()

    async def pass_time(self, seconds: float) -> None:
        await self.machine.sleep(seconds)


def play(path: Path, story: Callable[[Cluster], Awaitable[None]]) -> None:
    cluster = Cluster(path)
    try:
        cluster.machine.run(story(cluster))  # type: ignore[arg-type]
        cluster.check()
    finally:
        cluster.close()
