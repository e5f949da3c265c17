"""The bytes of one batch, rendered once for each format and shared by all receivers."""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Set
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from chat_server.protocol.base import Event
from chat_server.protocol.formats import Format
from chat_server.protocol.messages import Message


class Audience(NamedTuple):
    """What of a batch a connection receives besides the events for everyone: those of its user and of private chats.

    Connections with the same audience and format receive the same bytes.
    """

    user_id: int = 0
    """0 if the batch has nothing for this user alone."""
    rooms: tuple[int, ...] = ()
    """Ids, ascending."""


EVERYONE = Audience()


class RoutedEvent(Struct, frozen=True, gc=False):
    """`order` is its place among all events of the batch, `outcome` the index of the outcome that it comes of.

    `notice`: see `outcomes.Push`.
    """

    order: int
    outcome: int
    event: Event
    notice: int = 0


class RoutedEvents:
    """The events of a batch by who receives them, each list in the order of the batch."""

    __slots__ = ("everyone", "rooms", "users")

    def __init__(self) -> None:
        self.everyone: list[RoutedEvent] = []
        self.users: dict[int, list[RoutedEvent]] = {}
        self.rooms: dict[int, list[RoutedEvent]] = {}

    def add(self, audience: Audience, routed: RoutedEvent) -> None:
        """`audience` names everyone, one user or one private chat; events MUST come in the order of the batch."""
        if audience.user_id:
            self.users.setdefault(audience.user_id, []).append(routed)
        elif audience.rooms:
            self.rooms.setdefault(audience.rooms[0], []).append(routed)
        else:
            self.everyone.append(routed)

    def audience(self, user_id: int, rooms: Set[int]) -> Audience:
        """The audience of a user who is in these private chats."""
        own = user_id if user_id in self.users else 0
        return Audience(own, tuple(sorted(self.rooms.keys() & rooms)) if self.rooms else ())

    def of(self, audience: Audience) -> list[RoutedEvent]:
        """All that these connections receive, in the order of the batch."""
        if audience == EVERYONE:
            return self.everyone
        events = [*self.everyone, *self.users.get(audience.user_id, ())]
        for room in audience.rooms:
            events += self.rooms[room]
        return sorted(events, key=attrgetter("order"))

    def not_stored(self, audience: Audience, not_of: Container[int]) -> list[RoutedEvent]:
        """The events besides messages, which catching up does not find in the store; without those of some outcomes."""
        return [
            routed
            for routed in self.of(audience)
            if not isinstance(routed.event, Message) and routed.outcome not in not_of
        ]


IndexedReply = tuple[int, bytes]
"""The index of an outcome in the batch, and the bytes of its reply."""


class SharedLines(Struct, frozen=True):
    """`data` has the line of outcome `outcomes[n]` at `offsets[n]:offsets[n + 1]`."""

    data: bytes
    outcomes: list[int]
    offsets: list[int]

    def with_replies(self, replies: list[IndexedReply]) -> bytes:
        """The lines with each reply in its place, and without the lines of the outcomes that they reply to."""
        parts: list[bytes] = []
        start = 0
        for outcome, reply in replies:
            first = bisect_left(self.outcomes, outcome, start)
            parts += (self.data[self.offsets[start] : self.offsets[first]], reply)
            start = bisect_right(self.outcomes, outcome, first)
        parts.append(self.data[self.offsets[start] :])
        return b"".join(parts)


class BatchRendering:
    """The lines of one batch, made when they are first asked for; each event is rendered once for each format."""

    def __init__(self, events: RoutedEvents, now: str) -> None:
        """`now`, ISO 8601, is the time from which people's times are shown."""
        self._events = events
        self._now = now
        self._lines: dict[Format, dict[int, bytes]] = {}
        self._shared: dict[tuple[Audience, Format], SharedLines] = {}

    def lines_for(self, audience: Audience, format: Format) -> SharedLines:
        shared = self._shared.get((audience, format))
        if shared is None:
            events = self._events.of(audience)
            rendered = self._lines.setdefault(format, {})
            lines: list[bytes] = []
            for routed in events:
                line = rendered.get(routed.order)
                if line is None:
                    line = rendered[routed.order] = format.event(routed.event, self._now)
                lines.append(line)
            offsets = [0, *accumulate(map(len, lines))]
            shared = SharedLines(b"".join(lines), [routed.outcome for routed in events], offsets)
            self._shared[audience, format] = shared
        return shared
