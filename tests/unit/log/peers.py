"""Nodes of nothing but a replicated log and a store, on servers in memory."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from chat_server.chat_time import ClusterTime
from chat_server.errors import Refusal
from chat_server.log.entries import Configure, Entry, Identity, NoteDeparture, Origin, WrongBatch
from chat_server.log.replicated import ReplicatedLog
from chat_server.rules import Executor
from chat_server.rules.executor import Executed
from chat_server.store.database import open_writer
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryServers, MemoryStreams
from tests.unit.chat import LIMITS


class Peer:
    """A node of nothing but a log and a store. What it says are numbers, in the place of users."""

    def __init__(self, servers: MemoryServers, path: Path, name: str, incarnation: int = 1) -> None:
        path.mkdir(exist_ok=True)
        self.machine = servers.machine
        self.executor = Executor(open_writer(path))
        state = self.executor.state
        self.time = ClusterTime(self.machine, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        self.streams = MemoryStreams(servers, self.machine, name)
        self.log = ReplicatedLog(
            self.machine,
            self.streams,
            self.time,
            name,
            history=state.history,
            position=state.position,
            digest=state.digest,
        )
        self.identity = Identity(name, incarnation)
        self.nonce = self.machine.token_bytes(8)
        self.said: list[int] = []  # by anybody, as this peer has executed it
        self.answered: list[int] = []
        self.refused: list[tuple[int, Refusal]] = []
        self.failure = ""
        self.execution_seconds = 0.001

    async def start(self, *, sets_limits: bool = False) -> None:
        await self.log.open()
        self.log.join(self.identity, self.nonce, f"chat of {self.identity.node}")
        self.log.begin(self._withdraw)
        if sets_limits:
            self.log.submit(Entry(Configure(LIMITS)))
        self.running = self.machine.spawn(self._run())

    def _withdraw(self, entries: Sequence[Entry], refusal: Refusal) -> None:
        self.refused += [(entry.user_id, refusal) for entry in entries]

    async def _run(self) -> None:
        try:
            while (ordered := await self.log.next_batch()) is not None:
                await self.machine.sleep(self.execution_seconds)
                executed: Executed = self.executor.execute(ordered)
                told = self.log.note_executed(ordered, executed.verdict, executed.position, executed.now)
                executed = executed.without_waiting(told)
                for outcome in executed.outcomes:
                    if outcome.entry.user_id:
                        self.said.append(outcome.entry.user_id)
                        if outcome.entry.origin is not None and outcome.entry.origin.node == self.identity.node:
                            self.answered.append(outcome.entry.user_id)
        except WrongBatch as error:
            self.failure = str(error)
            self.log.close(abandon=True)

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.log.submit(Entry(NoteDeparture(), number, Origin(*self.identity, 1, number)))

    def refused_codes(self) -> dict[int, Any]:
        return {number: refusal.fields.get("done", "unknown") for number, refusal in self.refused}

    def close(self) -> None:
        self.log.close(abandon=True)
        self.executor.close()


class Peers:
    def __init__(self, path: Path) -> None:
        self.machine = FakeRuntime(7)
        self.servers = MemoryServers(self.machine)
        self._path = path
        self.all: list[Peer] = []

    def make(self, name: str, incarnation: int = 1, store: str = "") -> Peer:
        peer = Peer(self.servers, self._path / (store or name), name, incarnation)
        self.all.append(peer)
        return peer

    async def start(self, name: str, incarnation: int = 1, store: str = "", *, sets_limits: bool = False) -> Peer:
        peer = self.make(name, incarnation, store)
        await peer.start(sets_limits=sets_limits)
        return peer

    async def pass_time(self, seconds: float = 1.0) -> None:
        await self.machine.sleep(seconds)


Play = Callable[[Callable[[Peers], Awaitable[None]]], None]
