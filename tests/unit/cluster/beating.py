"""Nodes that hear each other over a bus in memory, in virtual time."""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.msgpack import encode

from chat_server.cluster.heartbeats import (
    TOPIC,
    Heartbeats,
    Vitals,
)
from chat_server.cluster.milestones import Milestone
from chat_server.delivery.connections import Connections
from chat_server.delivery.peers import UserSession
from chat_server.delivery.presence import PresenceTracker
from chat_server.log.entries import Identity
from chat_server.log.stream import Position
from chat_server.protocol.connection import SessionInfo
from chat_server.protocol.people import PresenceChanged
from chat_server.rules.typing_signals import TypingSignal
from tests.fake_runtime import FakeRuntime

NAMES = {1: "alice", 2: "bob", 3: "carol", 4: "dave"}
SESSION = UserSession(SessionInfo(1001, "127.0.0.1", "2026-11-21T12:00:00.000Z"), b"hash")


class Exchange:
    """The message bus of all nodes. A node in `cut_off` neither hears nor is heard; `lost` messages are lost."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self.runtime = runtime
        self.ports: list[Port] = []
        self.cut_off: set[str] = set()
        self.lose_next = 0
        self.messages = 0


class Port:
    """What one node has of it."""

    def __init__(self, exchange: Exchange, node: str) -> None:
        self._exchange = exchange
        self._node = node
        self.received: dict[str, Callable[[bytes], None]] = {}
        self.answered: Callable[[bytes], bytes | None] = lambda data: None
        exchange.ports.append(self)

    def _reached(self) -> "list[Port]":
        cut_off = self._exchange.cut_off
        return [] if self._node in cut_off else [each for each in self._exchange.ports if each._node not in cut_off]

    def publish(self, topic: str, data: bytes) -> None:
        self._exchange.messages += 1
        if self._exchange.lose_next:
            self._exchange.lose_next -= 1
            return
        for port in self._reached():
            self._exchange.runtime.call_soon(port.received[topic], data)

    def subscribe(self, topic: str, received: Callable[[bytes], None]) -> None:
        self.received[topic] = received

    def answer(self, topic: str, answered: Callable[[bytes], bytes | None]) -> None:
        self.answered = answered

    async def ask(self, topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
        answers = [answer for port in self._reached() if (answer := port.answered(data)) is not None]
        if len(answers) < answers_max:
            await self._exchange.runtime.sleep(seconds)
        return answers[:answers_max]


class Node:
    def __init__(self, exchange: Exchange, name: str, incarnation: int = 1) -> None:
        self.name = name
        self.told: list[str] = []
        self.departed: list[int] = []
        self.typing: list[TypingSignal] = []
        self.unheard: list[bool] = []
        self.runtime = exchange.runtime
        self.presence = PresenceTracker(self.runtime, 100, self._tell)
        self.counts = {"connections": 0}
        self.version = 4
        self.port = Port(exchange, name)
        self.exchange = exchange
        self.beats = Heartbeats(
            self.runtime,
            self.port,
            Identity(name, incarnation),
            self.presence,
            Connections(),
            vitals=lambda: Vitals(
                Position(1, 7), Milestone(Position(1, 5), b"digest"), self.version, "1.0", self.counts
            ),
            typing=self.typing.append,
            departed=self.departed.append,
            unheard=lambda: self.unheard.append(True),
        )

    def _tell(self, changes: dict[int, PresenceChanged]) -> None:
        for event in changes.values():
            self.told.append(f"{'+' if event.online else '-'}{event.user}{f' {event.away}' if event.away else ''}")

    def come(self, user_id: int, away: str | None = None) -> None:
        self.presence.come(user_id, NAMES[user_id], away)

    def go(self, user_id: int) -> None:
        if self.presence.go(user_id):
            self.departed.append(user_id)

    def hear(self, said: Struct) -> None:
        self.port.received[TOPIC](encode(said))

    def take_told(self) -> list[str]:
        told, self.told = self.told, []
        return told

    def die(self) -> None:
        self.exchange.ports.remove(self.port)
        self.beats._is_running = False


class Nodes:
    def __init__(self, runtime: FakeRuntime) -> None:
        self.runtime = runtime
        self.exchange = Exchange(runtime)

    async def start(self, name: str, incarnation: int = 1) -> Node:
        node = Node(self.exchange, name, incarnation)
        await node.beats.start()
        return node

    async def pass_time(self, seconds: float = 0.5) -> None:
        await self.runtime.sleep(seconds)


def run(test: Callable[[Nodes], Awaitable[None]]) -> None:
    runtime = FakeRuntime()

    async def main() -> None:
        nodes = Nodes(runtime)
        await test(nodes)
        for port in list(nodes.exchange.ports):
            nodes.exchange.ports.remove(port)

    runtime.run(main())
