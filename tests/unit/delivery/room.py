"""The deliver station over a real store, with peers who read when they are told to. No sockets, no waiting for time."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from chat_server.chat_time import LocalTime
from chat_server.delivery.delivery import Delivery
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.outbox import Outbox
from chat_server.log.entries import Entry, Identity, Origin
from chat_server.protocol.base import Event
from chat_server.protocol.connection import SessionInfo
from chat_server.protocol.formats import FORMATS, JSON, TEXT
from chat_server.protocol.times import iso
from chat_server.rules.executor import Outcome
from chat_server.rules.outcomes import Entered, Opened, Stale
from chat_server.store.rooms import ids_of_user
from tests.fake_runtime import FakeRuntime
from tests.unit.chat import Chat
from tests.unit.fakes import NOON_MS, FakeTransport

IDENTITY = Identity("n1", 7)
_ID = re.compile(r"^\[.*\(#(\d+)\)$|^\+ sent #(\d+)$")


class Peer:
    """A connection: a user's on one side, what its user has read on the other."""

    def __init__(self, room: "Room", name: str, format: str) -> None:
        self.room = room
        self.name = name
        self.transport = FakeTransport(high=room.feed.write_bytes_max)
        self.outbox = Outbox(room.feed, self.transport.write, self)
        self.outbox.format = FORMATS[format]
        self.transport.on_pause = self.outbox.pause
        self.transport.on_resume = self.outbox.resume
        self.number = room.delivery.add(self, self.outbox)
        self.descriptor = -1
        self.batches_settled = 0
        self.closed = ""
        self.token: bytes | None = None

    def find_descriptor(self) -> int:
        return -1 if self.transport.waiting else self.descriptor

    def read_page(self, missed: MissedMessages) -> None:
        self.room.asked.append((self, missed))

    def went_live(self) -> None:
        pass

    def abort(self) -> None:
        self.transport.abort()

    def close(self, code: str, reason: str) -> None:
        self.closed = code

    def describe(self) -> SessionInfo:
        return SessionInfo(self.number, "127.0.0.1", iso(NOON_MS))

    def sign_out(self) -> None:
        self.room.delivery.detach(self)

    def settle(self, outcome: Outcome) -> bytes:
        result = outcome.result
        assert not isinstance(result, Entered | Opened | Stale) and result is not None
        return self.outbox.format.answer(result, "x", None, self.room.delivery.now())

    def settled(self) -> None:
        self.batches_settled += 1

    def says(self, line: str) -> Entry:
        entry = self.room.chat.entry(self.name, line)
        return msgspec.structs.replace(entry, origin=self.origin)

    @property
    def origin(self) -> Origin:
        return Origin(*IDENTITY, self.number, 1)

    @property
    def lines(self) -> list[str]:
        return self.transport.lines

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.transport.taken.splitlines()]

    @property
    def ids(self) -> list[int]:
        """Of the messages that it was shown, its own by their replies, in the order in which they came."""
        if self.outbox.format is JSON:
            return [each["id"] for each in self.objects if each["type"] in ("message", "ok") and "id" in each]
        found = (_ID.search(line) for line in self.lines)
        return [int(match[1] or match[2]) for match in found if match]


class Comer(Peer):
    """Nobody's yet: it is whose name it was given once that has signed in."""

    def settle(self, outcome: Outcome) -> bytes:
        entered = outcome.result
        if not isinstance(entered, Entered):
            return super().settle(outcome)
        self.token = entered.token
        self.room.delivery.attach(self, entered.user_id, entered.name, outcome.seq)
        return b""


class Room:
    def __init__(self, path: Path, outbox_bytes_max: int, presence_max: int) -> None:
        self.runtime = FakeRuntime()
        self.chat = Chat(path, self.runtime)
        self.chat.sign_in("alice", "bob", "carol")
        self.told: list[tuple[int, list[int]]] = []
        self.departed: list[int] = []
        # The transports of the peers whose sockets may be written to, by their descriptors.
        self.open_sockets: dict[int, FakeTransport] = {}
        self.delivery = Delivery(
            self.runtime,
            LocalTime(self.runtime, at_ms=0, elapsed_ms=0),
            IDENTITY,
            seq=self.chat.executor.state.seq,
            outbox_bytes_max=outbox_bytes_max,
            presence_max=presence_max,
            told=lambda user_id, notices: self.told.append((user_id, notices)),
            detached=lambda session: None,
            departed=self.departed.append,
            write_now=lambda descriptor, data: self.open_sockets[descriptor].write_now(data),
        )
        self.feed = self.delivery.feed
        # Pages that connections which are behind have asked for.
        self.asked: deque[tuple[Peer, MissedMessages]] = deque()
        self.peers: list[Peer] = []

    async def connect(self, name: str, format: str = "text", *, presence: bool = False) -> Peer:
        """A connection that is live, once who was there before has been told."""
        peer = Peer(self, name, format)
        peer.outbox.presence = presence
        self.peers.append(peer)
        rooms = tuple(ids_of_user(self.chat.db, self.chat.ids[name]))
        self.delivery.memberships.enter(Entered(self.chat.ids[name], name, False, rooms))
        self.delivery.attach(peer, self.chat.ids[name], name, self.delivery.delivered)
        peer.outbox.release()
        await self.turn()
        assert peer.outbox.live
        return peer

    def deliver(self, *entries: Entry) -> None:
        """Execute a batch and hand it to all."""
        self.delivery.deliver(self.chat.batch(*entries))

    async def turn(self) -> None:
        """One turn of the loop: what was called soon has been called."""
        await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Until whoever is behind has caught up or waits for its reader."""
        while self.asked:
            peer, missed = self.asked.popleft()
            peer.outbox.take_page(missed, missed.next_page(self.chat.db))

    async def flow(self) -> None:
        """Until everyone has read everything."""
        for peer in self.peers:
            peer.transport.stuck = False
            peer.transport.take()
        await self.quiet()

    async def close(self) -> None:
        for peer in self.peers:
            peer.outbox.close()
        self.chat.close()


@asynccontextmanager
async def open_room(path: Path, *, outbox_bytes_max: int = 4096, presence_max: int = 100) -> AsyncIterator[Room]:
    room = Room(path, outbox_bytes_max, presence_max)
    try:
        yield room
    finally:
        await room.close()


def shown(events: Sequence[Event], today: str) -> list[str]:
    return b"".join(TEXT.event(event, today) for event in events).decode().splitlines()
