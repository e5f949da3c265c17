"""The bytes of one batch, rendered once for each format and shared by all connections that receive the same.

A *channel* is a set of receivers: 0 is everyone, a number above it the user of that id, one below it (`room_channel`)
who is in a private chat. A connection receives the lines of its channels in the order of the log, so its block depends
on those of its channels that the batch has lines for, and on its format alone. A connection whose own commands are in
the batch receives the same block with its own lines replaced by the replies (`cut`).
"""

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Container, Set
from functools import cached_property
from itertools import accumulate

from msgspec import Struct

from chat_server.protocol.base import Event
from chat_server.protocol.formats import Format
from chat_server.protocol.messages import Message

EVERYONE = 0


def room_channel(room: int) -> int:
    """And back: the chat of a channel."""
    return -room


# A reply and the index of its outcome in the batch.
IndexedReply = tuple[int, bytes]


class Block(Struct, frozen=True):
    """`data` has the line of outcome `indexes[n]` at `offsets[n]:offsets[n + 1]`."""

    data: bytes
    indexes: list[int]
    offsets: list[int]

    def cut(self, replies: list[IndexedReply]) -> bytes:
        """The block with each reply in its place, and without the lines of the outcomes that they reply to."""
        parts: list[bytes] = []
        start = 0
        for index, reply in replies:
            first = bisect_left(self.indexes, index, start)
            parts += (self.data[self.offsets[start] : self.offsets[first]], reply)
            start = bisect_right(self.indexes, index, first)
        parts.append(self.data[self.offsets[start] :])
        return b"".join(parts)


# An event on its way to a channel: its place among all events of the batch, its outcome, itself, its notice.
_Routed = tuple[int, int, Event, int]


class Blocks:
    """All blocks of one batch, each made when it is first asked for."""

    def __init__(self, now: str) -> None:
        self._now = now
        self._channels: dict[int, list[_Routed]] = {}
        self._order = 0
        self._lines: dict[tuple[int, Format], list[bytes]] = {}
        self._blocks: dict[tuple[tuple[int, ...], Format], Block] = {}

    def add(self, channel: int, index: int, event: Event, notice: int = 0) -> None:
        """An event of outcome `index`; these MUST come in the order of the batch. `notice`: see `outcomes.Push`."""
        self._order += 1
        self._channels.setdefault(channel, []).append((self._order, index, event, notice))

    @property
    def users(self) -> list[int]:
        return [channel for channel in self._channels if channel > EVERYONE]

    @cached_property
    def rooms(self) -> frozenset[int]:
        """The private chats for all of whose members there is something; asked for once everything has been added."""
        return frozenset(room_channel(channel) for channel in self._channels if channel < EVERYONE)

    def channels(self, user_id: int, rooms: Set[int]) -> tuple[int, ...]:
        """Those that reach this user, who is in these private chats; everyone's is always one."""
        own = (user_id,) if user_id != EVERYONE and user_id in self._channels else ()
        return (EVERYONE, *own, *map(room_channel, sorted(self.rooms & rooms)))

    def other_events(self, channels: tuple[int, ...], not_of: Container[int]) -> list[tuple[Event, int]]:
        """What these channels have besides messages, with its notice: the store does not tell it again.

        `not_of` are the outcomes of the connection's own commands.
        """
        routed = sorted(
            (each for channel in channels for each in self._channels.get(channel, [])), key=operator.itemgetter(0)
        )
        return [
            (event, notice)
            for _, outcome, event, notice in routed
            if not isinstance(event, Message) and outcome not in not_of
        ]

    def count(self, channel: int) -> int:
        """How many lines the channel has."""
        return len(self._channels.get(channel, ()))

    def has_lines_for_everyone(self) -> bool:
        return EVERYONE in self._channels

    def block(self, channels: tuple[int, ...], format: Format) -> Block:
        """What a connection receives that these channels reach (`channels` gives them)."""
        found = self._blocks.get((channels, format))
        if found is None:
            found = self._blocks[channels, format] = self._build(channels, format)
        return found

    def _build(self, channels: tuple[int, ...], format: Format) -> Block:
        lines = self._render(channels[0], format)
        routed = self._channels.get(channels[0], [])
        for channel in channels[1:]:
            both = zip((*routed, *self._channels[channel]), (*lines, *self._render(channel, format)), strict=True)
            # The order is every event's own, so that no two are compared any further.
            routed, lines = map(list, zip(*sorted(both), strict=True))
        return Block(b"".join(lines), [outcome for _, outcome, _, _ in routed], [0, *accumulate(map(len, lines))])

    def _render(self, channel: int, format: Format) -> list[bytes]:
        lines = self._lines.get((channel, format))
        if lines is None:
            routed = self._channels.get(channel, [])
            lines = self._lines[channel, format] = [format.event(event, self._now) for _, _, event, _ in routed]
        return lines
