"""Nodes on one machine in memory, and people who speak to them."""

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from chat_server.cluster.member import ClusterNode, open_member
from chat_server.settings import load
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryBus, MemoryObjects, MemoryServers, MemoryStreams
from tests.side_processes import InlineProcesses
from tests.simulation.cluster import SimulatedNode


class Stage:
    def __init__(self, path: Path) -> None:
        self.machine = FakeRuntime(3)
        self.servers = MemoryServers(self.machine)
        self.path = path
        self._nodes: list[SimulatedNode] = []

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Nodes that fail are meant to: the story takes what they failed with."""
        try:
            self.machine.run(story)
            for node in self._nodes:
                node.check()
        finally:
            # Until their memory is collected they keep two dozen files open each: there were over 1,000 at a time.
            for node in self._nodes:
                if node.member is not None:
                    node.kill()

    async def open(self, name: str, *options: str) -> ClusterNode:
        directory = self.path / name
        directory.mkdir(exist_ok=True)
        streams = MemoryStreams(self.servers, self.machine, name)
        bus, objects = MemoryBus(self.servers, self.machine, name), MemoryObjects(self.servers, self.machine, name)
        settings = load(["--disk-reserve", "off", *options], {})
        processes = InlineProcesses(self.machine, objects, directory)
        return await open_member(settings, self.machine, directory, name, streams, bus, objects, processes)

    async def start(self, name: str) -> SimulatedNode:
        directory = self.path / name
        directory.mkdir(exist_ok=True)
        node = SimulatedNode(self.machine, self.servers, name, directory)
        self._nodes.append(node)
        await node.start()
        return node


class Person:
    """Speaks JSON over a connection in memory."""

    def __init__(self, stage: Stage, node: SimulatedNode) -> None:
        self.stage = stage
        self.lines: list[dict[str, Any]] = []
        self._rest = b""
        self.connection = node.connect(1 << 16, self._receive, lambda: None)
        assert self.connection is not None
        self.connection.send(b"/format json\n")

    def _receive(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += [json.loads(line) for line in lines if line.startswith(b"{")]

    def say(self, *lines: str) -> None:
        assert self.connection is not None
        self.connection.send("".join(f"{line}\n" for line in lines).encode())

    async def replies(self, seconds: float = 1.0) -> list[dict[str, Any]]:
        await self.stage.machine.sleep(seconds)
        lines, self.lines = self.lines, []
        return [line for line in lines if line["type"] in ("ok", "error")]
