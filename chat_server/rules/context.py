"""What rules get: a `Context`, in which a batch changes the store, or a `View`, a snapshot to read."""

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from chat_server.addresses import counted_network
from chat_server.errors import Refusal
from chat_server.log.entries import Entry, Limits
from chat_server.protocol.base import Event
from chat_server.protocol.times import Now, iso
from chat_server.rules.outcomes import Ending, MembershipChange, Push
from chat_server.store import accounts, notices
from chat_server.store.accounts import User
from chat_server.store.blobs import Blobs
from chat_server.store.database import Database
from chat_server.store.state import State


class Context:
    """The context of a batch. Its rules run in it one after the other, each for the entry of the last `take`."""

    def __init__(self, db: Database, state: State, limits: Limits | None, node: str) -> None:
        """`node` is the node that the batch comes from."""
        assert db.cache is not None
        self.db = db
        self.cache = db.cache
        self.node = node
        self.state = state
        self.now = Now(state.at_ms, state.elapsed_ms)
        self.at_ms, self.elapsed_ms = self.now
        self.at = iso(state.at_ms)
        # Of chats in which markers moved, or members left: where the markers of these users stood before the batch.
        self.moved: dict[int, dict[int, int]] = {}
        # Rules count here for `metrics.COUNTERS`; no rule reads it.
        self.counts: Counter[str] = Counter()
        if limits is not None:
            self.limits = limits

    def take(self, entry: Entry) -> None:
        self.user_id = entry.user_id
        self.network = entry.network
        self.has_room = entry.has_room
        self.pushes: list[Push] = []
        self.membership_changes: list[MembershipChange] = []
        self.endings: list[Ending] = []

    @property
    def version(self) -> int:
        """The version of the log: what a later one changes in a rule is done from that version on (see `versions`)."""
        return self.state.version

    @property
    def counted_network(self) -> str:
        """The network that the command counts for, "" for this machine (see `addresses`)."""
        return counted_network(self.network)

    def user(self) -> User:
        """Return the user who asks. Raises Refusal `not_signed_in` for a deleted account."""
        user = accounts.by_id(self.db, self.user_id)
        if user is None:
            raise Refusal("not_signed_in", "this account has been deleted")
        return user

    def next_seq(self) -> int:
        self.state.seq += 1
        return self.state.seq

    def push(self, event: Event, *users: int, notice: int = 0, before: int = 0) -> None:
        """Push an event to these users, or to everyone if none is given."""
        self.pushes.append(Push(event, users or None, notice, before=before))

    def push_room(self, room: int, event: Event, *, before: int = 0) -> None:
        """Push an event to all members of this private chat."""
        self.pushes.append(Push(event, (), room=room, before=before))

    def push_kept(self, event: Event, user_id: int) -> int:
        """Push an event to a user and keep it until the user has been told. Return the id of the notice."""
        notice = notices.insert(self.db, user_id, msgspec.json.encode(event))
        self.push(event, user_id, notice=notice)
        return notice

    def hang_up(self, user_id: int, code: str, reason: str) -> None:
        """Close all connections of this user."""
        self.endings.append(Ending(user_id, code, reason))


class View(Struct, frozen=True):
    """What a reading sees: a snapshot of the store, the asking user, the times, the users online, and bytes of files.

    `elapsed_ms` may be a little ahead of the last batch. `online` has names by id, as of the beginning of the reading,
    and is empty for readings that do not show it; `online_note` says it if these are not all. `nodes` has what the
    nodes of a cluster count, for the same readings. `clock` gives seconds, for readings that stop after some time.
    """

    db: Database
    user_id: int
    now: Now
    limits: Limits
    online: Mapping[int, str]
    # The counts of the running server since its start; None if no server runs.
    live: Callable[[], dict[str, int]] | None = None
    clock: Callable[[], float] = lambda: 0.0
    blobs: Blobs | None = None
    online_note: str | None = None
    nodes: Mapping[str, Mapping[str, int]] = {}

    @property
    def at_ms(self) -> int:
        return self.now.at_ms

    @property
    def elapsed_ms(self) -> int:
        return self.now.elapsed_ms
