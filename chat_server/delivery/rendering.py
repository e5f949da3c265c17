"""The bytes of one batch, rendered once for each format and shared by all receivers."""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from chat_server.protocol.base import Event
from chat_server.protocol.formats import FORMATS, Format
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

    def audiences(self, members: Mapping[int, Iterable[int]]) -> dict[int, Audience]:
        """The audiences of all users but those who receive only what everyone does; `members` are those of a room."""
        if not self.rooms:
            return {user_id: Audience(user_id) for user_id in self.users}
        # Those who are in the same of these rooms share their tuple. With 50 rooms of the same 400 people in turn, one
        # for each person and room was 45 % of all that a message took, and grew with the square of the rooms.
        first, *others = sorted(self.rooms)
        sets: list[tuple[int, ...]] = [(), (first,)]
        set_of = dict.fromkeys(members[first], 1)
        for room in others:
            grown: dict[int, int] = {}
            for user_id in members[room]:
                before = set_of.get(user_id, 0)
                after = grown.get(before)
                if after is None:
                    after = grown[before] = len(sets)
                    sets.append((*sets[before], room))
                set_of[user_id] = after
        shared = [Audience(0, rooms) for rooms in sets]
        found = {user_id: shared[own] for user_id, own in set_of.items()}
        for user_id in self.users:
            found[user_id] = Audience(user_id, sets[set_of.get(user_id, 0)])
        return found

    def of(self, audience: Audience) -> list[RoutedEvent]:
        """All that these connections receive, in the order of the batch."""
        user_id, rooms = audience
        if not (user_id or rooms):
            return self.everyone
        if not (rooms or self.everyone):
            return self.users.get(user_id, [])
        events = [*self.everyone, *self.users.get(user_id, ())]
        for room in rooms:
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

    def with_replies(self, replies: Sequence[IndexedReply]) -> bytes:
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
        self._lines: dict[Format, dict[int, bytes]] = {format: {} for format in FORMATS.values()}
        self._shared: dict[tuple[Audience, Format], SharedLines] = {}

    def data_for(self, audience: Audience, format: Format, replies: Sequence[IndexedReply] = ()) -> bytes:
        """The lines of a connection, with the replies to its commands in the places of their own lines."""
        user_id, rooms = audience
        if user_id and not self._is_all_replied(user_id, replies):
            return self._own_data(self._events.of(audience), format, replies)
        lines = self.lines_for(Audience(0, rooms) if user_id else audience, format)
        return lines.with_replies(replies) if replies else lines.data

    def lines_for(self, audience: Audience, format: Format) -> SharedLines:
        shared = self._shared.get((audience, format))
        if shared is None:
            events = self._events.of(audience)
            lines = [self._line(routed, format) for routed in events]
            offsets = [0, *accumulate(map(len, lines))]
            shared = SharedLines(b"".join(lines), [routed.outcome for routed in events], offsets)
            self._shared[audience, format] = shared
        return shared

    def _is_all_replied(self, user_id: int, replies: Sequence[IndexedReply]) -> bool:
        """Whether all that is for this user alone comes of the commands replied to, such as one's own read marker.

        With 400 people who all talk it is so for most of them: what they share with everyone is not joined for each.
        """
        if not (self._events.everyone or self._events.rooms):
            return False
        replied = {outcome for outcome, _ in replies}
        return all(routed.outcome in replied for routed in self._events.users[user_id])

    def _own_data(self, events: list[RoutedEvent], format: Format, replies: Sequence[IndexedReply]) -> bytes:
        """Of one user, with whom at most another device shares it: what replies take the place of is not rendered."""
        parts: list[bytes] = []
        place, count = 0, len(events)
        for outcome, reply in replies:
            while place < count and events[place].outcome < outcome:
                parts.append(self._line(events[place], format))
                place += 1
            parts.append(reply)
            while place < count and events[place].outcome == outcome:
                place += 1
        for routed in events[place:]:
            parts.append(self._line(routed, format))
        return b"".join(parts)

    def _line(self, routed: RoutedEvent, format: Format) -> bytes:
        rendered = self._lines[format]
        line = rendered.get(routed.order)
        if line is None:
            line = rendered[routed.order] = format.event(routed.event, self._now)
        return line
