"""What a rule is handed: the batch that it changes the store in (`Context`), or a snapshot that it reads (`View`)."""

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from chat_server.addresses import counted_network
from chat_server.errors import Refusal
from chat_server.log.entries import Entry, Limits
from chat_server.protocol.base import Event
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Ending, Move, Push
from chat_server.store import accounts, notices
from chat_server.store.accounts import User
from chat_server.store.blobs import Blobs
from chat_server.store.database import Database
from chat_server.store.state import State


class Context:
    """What the rules of a batch are handed, one entry after the other (`take`)."""

    def __init__(self, db: Database, state: State, limits: Limits | None, node: str) -> None:
        """`node` is the one that the batch came from."""
        self.db = db
        self.node = node
        self.state = state
        self.at_ms = state.at_ms
        self.elapsed_ms = state.elapsed_ms
        self.at = iso(state.at_ms)
        # What rules count for `metrics.COUNTERS`; no rule reads it.
        self.counts: Counter[str] = Counter()
        if limits is not None:
            self.limits = limits

    def take(self, entry: Entry) -> None:
        self.user_id = entry.user_id
        self.network = entry.network
        self.has_room = entry.has_room
        self.pushes: list[Push] = []
        self.moves: list[Move] = []
        self.endings: list[Ending] = []

    def wall_ms(self, elapsed_ms: int) -> int:
        """When that is by the wall clock, as it goes now: how an end is shown."""
        return self.at_ms + elapsed_ms - self.elapsed_ms

    @property
    def counted_network(self) -> str:
        """Where the command came from, "" for this machine: see `addresses`."""
        return counted_network(self.network)

    def user(self) -> User:
        """Who asks."""
        user = accounts.by_id(self.db, self.user_id)
        if user is None:
            raise Refusal("not_signed_in", "this account has been deleted")
        return user

    def next_seq(self) -> int:
        self.state.seq += 1
        return self.state.seq

    def push(self, event: Event, *users: int, notice: int = 0) -> None:
        """To these users, or without any to everyone."""
        self.pushes.append(Push(event, users or None, notice))

    def push_room(self, room: int, event: Event) -> None:
        """To all who are in this private chat."""
        self.pushes.append(Push(event, (), room=room))

    def push_kept(self, event: Event, user_id: int) -> int:
        """To a user, kept until told; the id of the notice."""
        notice = notices.insert(self.db, user_id, msgspec.json.encode(event))
        self.push(event, user_id, notice=notice)
        return notice

    def hang_up(self, user_id: int, code: str, reason: str) -> None:
        """Close all connections of this user."""
        self.endings.append(Ending(user_id, code, reason))


class View(Struct, frozen=True):
    """What a reading sees: a snapshot of the store, who asks, the times, who is online (names by id), bytes of files.

    `elapsed_ms` may be a little ahead of that of the last batch. `online` goes on changing while one reads: copy it,
    which is one step, before walking it. `clock` counts seconds, for who stops before it takes too long.
    """

    db: Database
    user_id: int
    at_ms: int
    elapsed_ms: int
    limits: Limits
    online: Mapping[int, str]
    # What the running server has counted since its start; None where none runs.
    live: Callable[[], dict[str, int]] | None = None
    clock: Callable[[], float] = lambda: 0.0
    blobs: Blobs | None = None

    def wall_ms(self, elapsed_ms: int) -> int:
        """As `Context.wall_ms`."""
        return self.at_ms + elapsed_ms - self.elapsed_ms
