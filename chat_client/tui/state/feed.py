"""A stretch of a chat: messages next to each other without a gap, what stands between them, and where one looks.

Bounded: past ITEMS_MAX it forgets at the far side, and what is asked for again comes from the server.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import count
from typing import Literal

from chat_client.tui.render.items import Item, Note, NoteKind, Pending, Place, Row, Said
from chat_client.tui.render.message_rows import Context, named, rows_of
from chat_server.protocol.messages import Message

ITEMS_MAX = 2000
ITEMS_DROPPED = 400

Put = Literal["new", "changed", "outside"]
Where = Literal["nearest", "middle", "top"]


def _place(item: Item) -> tuple[int, int]:
    return item.place


class Feed:
    """`anchor`: the place of the lowest item shown and how many of its rows are below the screen; None: the end.

    `at_start`, `at_end`: nothing older, nothing newer is outside of it.
    """

    def __init__(self, at_end: bool = False) -> None:
        self.items: list[Item] = []
        self.said: dict[int, Said] = {}
        self.pending: dict[str, Pending] = {}
        self.at_start = False
        self.at_end = at_end
        self.anchor: tuple[tuple[int, int], int] | None = None
        self.selected: int | None = None
        self._notes = count(1)

    # ---- what is in it

    @property
    def entries(self) -> list[Item]:
        """All of it, from the oldest on; what is on its way stands at the end."""
        return [*self.items, *self.pending.values()] if self.at_end and self.pending else self.items

    @property
    def first_id(self) -> int | None:
        return next((item.place[0] for item in self.items if isinstance(item, Said)), None)

    @property
    def last_id(self) -> int | None:
        return next((item.place[0] for item in reversed(self.items) if isinstance(item, Said)), None)

    def first_of_others(self, after: int, me: str) -> int | None:
        """The first message with a higher id that somebody else wrote: one's own are no news."""
        at = bisect_left(self.items, (after + 1, 0), key=_place)
        for item in map(self.items.__getitem__, range(at, len(self.items))):
            if isinstance(item, Said) and item.message.from_ != me:
                return item.message.id
        return None

    def between(self, after: int, before: int, me: str) -> int:
        """How many messages of others there are with ids between these two."""
        start, end = (bisect_left(self.items, place, key=_place) for place in ((after + 1, 0), (before, 0)))
        return sum(isinstance(item, Said) and item.message.from_ != me and not item.message.deleted
                   for item in self.items[start:end])  # fmt: skip

    def put(self, message: Message) -> Put:
        """A message that was said or has changed. It is kept if it belongs into this stretch."""
        known = self.said.get(message.id)
        if known is not None:
            if message.seq >= known.message.seq:
                known.message, known.cache = message, None
            return "changed"
        first, last = self.first_id, self.last_id
        if (last is None or message.id > last) and not self.at_end:
            return "outside"
        if first is not None and message.id < first and not self.at_start:
            return "outside"
        self._insert(message)
        self._trim()
        return "new"

    def _insert(self, message: Message) -> None:
        said = Said(place=(message.id, 0), at=message.at, message=message)
        self.said[message.id] = said
        if not self.items or self.items[-1].place < said.place:
            self.items.append(said)
        else:
            insort(self.items, said, key=_place)

    def extend(self, messages: Iterable[Message]) -> None:
        """A page that continues this stretch on either side."""
        for message in messages:
            if message.id in self.said:
                self.put(message)
            else:
                self._insert(message)

    def restart(self, messages: Iterable[Message]) -> None:
        """Another stretch instead of this one."""
        self.items.clear()
        self.said.clear()
        self.anchor = self.selected = None
        self.at_start = self.at_end = False
        self.extend(messages)

    def note(self, kind: NoteKind, text: str, at: str) -> Place:
        """Where it stands."""
        place = (self.items[-1].place[0] if self.items else 0, next(self._notes))
        self.items.append(Note(place=place, at=at, kind=kind, text=text))
        self._trim_behind()
        return place

    def leave(self, key: str, text: str, at: str, why: str, reply_to: int | None) -> None:
        """A message of one's own that was refused stays where it is."""
        place = (self.items[-1].place[0] if self.items else 0, next(self._notes))
        self.items.append(Pending(place=place, at=at, key=key, text=text, state="failed", why=why, reply_to=reply_to))
        self._trim_behind()

    @property
    def has_refused(self) -> bool:
        return any(isinstance(item, Pending) for item in self.items)

    def remove(self, ids: Iterable[int]) -> int:
        """How many of these were there."""
        gone = {id for id in ids if self.said.pop(id, None) is not None}
        if gone:
            self.items = [item for item in self.items if not (isinstance(item, Said) and item.message.id in gone)]
            if self.selected in gone:
                self.selected = None
        return len(gone)

    def _trim(self) -> None:
        if len(self.items) <= ITEMS_MAX:
            return
        if self.anchor is None:
            self.drop_oldest()
        else:
            self.drop_newest()

    def _trim_behind(self) -> None:
        """What this user alone was told is there no second time: it is never what goes."""
        if len(self.items) > ITEMS_MAX and self.anchor is None:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        dropped, self.items = self.items[:ITEMS_DROPPED], self.items[ITEMS_DROPPED:]
        self._forget(dropped)
        self.at_start = False

    def drop_newest(self) -> None:
        dropped, self.items = self.items[-ITEMS_DROPPED:], self.items[:-ITEMS_DROPPED]
        self._forget(dropped)
        self.at_end = False

    def _forget(self, dropped: Iterable[Item]) -> None:
        for item in dropped:
            if isinstance(item, Said):
                self.said.pop(item.message.id, None)

    # ---- where one looks

    def bottom(self, entries: list[Item]) -> tuple[int, int]:
        """The index of the lowest item shown, and how many of its rows are below the screen."""
        if self.anchor is None:
            return len(entries) - 1, 0
        place, below = self.anchor
        index = bisect_left(entries, place, key=_place)
        return (index, below) if index < len(entries) else (len(entries) - 1, 0)

    def visible(self, context: Context, height: int) -> list[Row]:
        """The rows on the screen; only these are laid out. Who speaks on top of it is named, also where they go on."""
        entries = self.entries
        index, below = self.bottom(entries)
        shown: list[list[Row]] = []  # of each item, from the lowest one up
        count = 0
        while index >= 0 and count < height:
            own = self._rows(entries, index, context)
            shown.append(own[: len(own) - below])
            count += len(shown[-1])
            below = 0
            index -= 1
        is_cut = count > height
        if len(shown) > is_cut:
            first = shown[-1 - is_cut]
            first[:1] = [named(row, entries[index + 1 + is_cut], context) for row in first[:1]]
        return [row for own in reversed(shown) for row in own][-height:]

    def _rows(self, entries: list[Item], index: int, context: Context) -> list[Row]:
        return rows_of(entries[index], entries[index - 1] if index else None, context)

    def scroll(self, rows: int, context: Context, height: int) -> None:
        """Up by so many rows (down, if negative); not past either side."""
        entries = self.entries
        if not entries:
            return
        index, below = self.bottom(entries)
        index, below = self._move(entries, index, below + rows, context)
        # Not past the start: a full screen stays above the bottom.
        above, at = -below, index
        while at >= 0 and above < height:
            above += len(self._rows(entries, at, context))
            at -= 1
        if above < height:
            index, below = self._move(entries, index, below - (height - above), context)
        self._set(entries, index, below)

    def _move(self, entries: list[Item], index: int, below: int, context: Context) -> tuple[int, int]:
        while below < 0 and index < len(entries) - 1:
            index += 1
            below += len(self._rows(entries, index, context))
        below = max(0, below)
        while index > 0 and below >= (own := len(self._rows(entries, index, context))):
            below -= own
            index -= 1
        return index, min(below, max(0, len(self._rows(entries, index, context)) - 1))

    def _set(self, entries: list[Item], index: int, below: int) -> None:
        at_bottom = index >= len(entries) - 1 and below == 0
        self.anchor = None if at_bottom and self.at_end else (entries[index].place, below)

    def show(self, id: int, context: Context, height: int, where: Where = "nearest") -> None:
        """Scroll as little as is needed to have this message on the screen, or until it is in the middle or on top, or
        as far as there is something below it."""
        self.bring((id, 0), context, height, where)

    def bring(self, place: Place, context: Context, height: int, where: Where) -> None:
        entries = self.entries
        index = bisect_left(entries, place, key=_place)
        if index >= len(entries):
            return
        bottom, below = self.bottom(entries)
        if where == "nearest":
            if bottom < index or (bottom == index and below):
                self._set(entries, index, 0)
                return
            above = -below
            for at in range(bottom, index - 1, -1):
                above += len(self._rows(entries, at, context))
                if above > height:
                    break
            else:
                return
        own = len(self._rows(entries, index, context))
        room = (height - own) // 2 if where == "middle" else height - own
        index, below = self._move(entries, index, -(room if where == "top" else max(0, room)), context)
        self._set(entries, index, below)
        self.scroll(0, context, height)

    @property
    def near_start(self) -> bool:
        """Whether older messages will be needed soon."""
        return self.anchor is not None and bisect_left(self.items, self.anchor[0], key=_place) < 80

    @property
    def steps_left(self) -> int:
        """How many messages there are above the selected one; without one, all."""
        return sum(self.selected is None or id < self.selected for id in self.said)

    @property
    def near_end(self) -> bool:
        return self.anchor is None or len(self.items) - bisect_left(self.items, self.anchor[0], key=_place) < 40

    def step(self, by: int, context: Context, height: int) -> None:
        """Select the next message up (-1) or down (1); past the end, none."""
        ids = [item.message.id for item in self.items if isinstance(item, Said)]
        if not ids:
            return
        if self.selected is None:
            if by > 0:
                return
            bottom, _ = self.bottom(self.entries)
            at = next((k for k in range(min(bottom, len(self.items) - 1), -1, -1)
                       if isinstance(self.items[k], Said)), None)  # fmt: skip
            if at is None:
                return
            self.selected = self.items[at].place[0]
        else:
            at = bisect_left(ids, self.selected) + by
            if at >= len(ids):
                self.selected = None
                return
            self.selected = ids[max(0, at)]
        self.show(self.selected, context, height)
