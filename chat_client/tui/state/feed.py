"""A feed: a stretch of a chat without a gap, its notes, and where the user is in it.

The feed is bounded: past ITEMS_MAX it drops items at the far side; they come from the server when they are wanted.

Rows are the renderer's. The feed keeps an anchor, and the moves that were asked for; the renderer knows how many rows
each item has, and answers with the anchor to which they lead (`settle`).
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import count
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from chat_client.common.cells import width
from chat_client.tui.state.items import Item, MessageItem, NoteItem, NoteKind, Offer, Place, UnsentItem
from chat_server.protocol.messages import Message

ITEMS_MAX = 2000
ITEMS_DROPPED = 400
MOVES_MAX = 100  # that no frame has settled; the oldest are dropped
NEAR_START_ITEMS, NEAR_END_ITEMS = 80, 40  # so near to a side the next page is asked for

Placement = Literal["new", "changed", "outside"]


class Anchor(Struct, frozen=True):
    """The lowest item on the screen, and how many of its rows are below it."""

    place: Place
    rows_below: int = 0


class Scroll(Struct, frozen=True):
    """Up by so many rows and screenfuls; down, if negative. Never past either side."""

    rows: int = 0
    pages: int = 0


class Reveal(Struct, frozen=True):
    """Scroll until this is on the screen: by as little as is needed, or until it is in the middle or at the top, as far
    as there is enough below it."""

    place: Place
    where: Literal["nearest", "middle", "top"] = "nearest"


Move = Scroll | Reveal


def place_of(item: Item) -> Place:
    return item.place


def _is_dismissable(item: Item) -> bool:
    return isinstance(item, NoteItem) and item.dismissable


def lowest(items: Sequence[Item], anchor: Anchor | None) -> tuple[int, int]:
    """The index of the lowest item on the screen, and how many of its rows are below it."""
    if anchor is None:
        return len(items) - 1, 0
    index = bisect_left(items, anchor.place, key=place_of)
    return (index, anchor.rows_below) if index < len(items) else (len(items) - 1, 0)


class Feed:
    """`anchor` is None while the screen follows the end. `at_start`, `at_end`: nothing older, or newer, is missing."""

    def __init__(self, at_end: bool = False) -> None:
        self.items: list[Item] = []
        self.messages: dict[int, MessageItem] = {}
        self.unsent: dict[str, UnsentItem] = {}  # by their keys
        self.at_start = False
        self.at_end = at_end
        self.anchor: Anchor | None = None
        self.moves: list[Move] = []
        self.selected: int | None = None
        # The answers to each message that have come since the server counted them: those above its `last_reply`.
        self._answers: dict[int, set[int]] = {}
        self.name_cells = 0  # of the longest name of those who spoke in it: it grows, so that no column moves back
        self._notes = count(1)

    # ---- what is in it

    @property
    def entries(self) -> list[Item]:
        """All of it, from the oldest on; messages on their way stand at the end."""
        return [*self.items, *self.unsent.values()] if self.at_end and self.unsent else self.items

    @property
    def first_id(self) -> int | None:
        return next((item.place[0] for item in self.items if isinstance(item, MessageItem)), None)

    @property
    def last_id(self) -> int | None:
        return next((item.place[0] for item in reversed(self.items) if isinstance(item, MessageItem)), None)

    @property
    def lowest_id(self) -> int | None:
        """The lowest message on the screen."""
        index, _ = lowest(self.entries, self.anchor)
        shown = reversed(self.items[: index + 1])
        return next((item.place[0] for item in shown if isinstance(item, MessageItem)), None)

    @property
    def has_refused(self) -> bool:
        """Whether a message of one's own that was refused stands here: nobody else has it."""
        return any(isinstance(item, UnsentItem) for item in self.items)

    def first_of_others(self, after: int, me: str) -> int | None:
        """The first message with a higher id that somebody else wrote: one's own are no news."""
        at = bisect_left(self.items, (after + 1, 0), key=place_of)
        for item in map(self.items.__getitem__, range(at, len(self.items))):
            if isinstance(item, MessageItem) and item.message.from_ != me:
                return item.message.id
        return None

    def messages_between(self, after: int, last: int) -> list[Message]:
        """The messages with an id above `after`, up to `last`."""
        start, end = (bisect_left(self.items, (id + 1, 0), key=place_of) for id in (after, last))
        return [item.message for item in self.items[start:end] if isinstance(item, MessageItem)]

    def count_of_others(self, after: int, before: int, me: str) -> int:
        """How many messages of others have ids between these two."""
        start, end = (bisect_left(self.items, place, key=place_of) for place in ((after + 1, 0), (before, 0)))
        return sum(isinstance(item, MessageItem) and item.message.from_ != me and not item.message.deleted
                   for item in self.items[start:end])  # fmt: skip

    def put(self, message: Message) -> Placement:
        """Take in a message that was sent or has changed. It is kept if it belongs into this stretch."""
        self.count_answer(message)
        known = self.messages.get(message.id)
        if known is not None:
            if message.seq >= known.message.seq:
                self._change(known, message)
            return "changed"
        first, last = self.first_id, self.last_id
        if (last is None or message.id > last) and not self.at_end:
            return "outside"
        if first is not None and message.id < first and not self.at_start:
            return "outside"
        self._insert(message)
        self._trim()
        return "new"

    def count_answer(self, message: Message) -> None:
        """Count a message under the one that it answers, if that is kept: that is not sent again for it. Each counts
        once, in whatever order they come."""
        answered = self.messages.get(message.reply_to or 0)
        if answered is not None and message.id > (answered.message.last_reply or 0):
            self._answers.setdefault(answered.message.id, set()).add(message.id)
            self._change(answered, answered.message)

    def _discount_answer(self, id: int, answered: MessageItem) -> None:
        """An answer has expired: it is one of those that the server counted, or one that has come since."""
        message = answered.message
        if id <= (message.last_reply or 0):
            message = replace(message, replies=max(0, message.replies - 1))
        self._answers.get(message.id, set()).discard(id)
        self._change(answered, message)

    def _change(self, known: MessageItem, message: Message) -> None:
        if (message.last_reply or 0) < (known.message.last_reply or 0):
            message = replace(message, replies=known.message.replies, last_reply=known.message.last_reply)
        since = {id for id in self._answers.pop(message.id, ()) if id > (message.last_reply or 0)}
        if since:
            self._answers[message.id] = since
        item = replace(known, message=message, replies=message.replies + len(since))
        self.messages[message.id] = item
        self.items[bisect_left(self.items, known.place, key=place_of)] = item

    def _insert(self, message: Message) -> None:
        item = MessageItem(place=(message.id, 0), at=message.at, message=message, replies=message.replies)
        self.messages[message.id] = item
        self.name_cells = max(self.name_cells, width(message.from_))
        if not self.items or self.items[-1].place < item.place:
            self.items.append(item)
        else:
            insort(self.items, item, key=place_of)

    def extend(self, messages: Iterable[Message]) -> None:
        """Take in a page that continues this stretch on either side."""
        for message in messages:
            if message.id in self.messages:
                self.put(message)
            else:
                self._insert(message)
                self.count_answer(message)

    def restart(self, messages: Iterable[Message]) -> None:
        """Hold another stretch instead of this one."""
        self.items.clear()
        self.messages.clear()
        self._answers.clear()
        self.name_cells = 0
        self.follow_end()
        self.selected = None
        self.at_start = self.at_end = False
        self.extend(messages)

    def begin(self, messages: Iterable[Message]) -> None:
        """Hold the first stretch. What was answered or refused before it has come stands behind it, in sight."""
        kept = [item for item in self.items if isinstance(item, UnsentItem) or _is_dismissable(item)]
        self.restart(messages)
        for item in kept:
            place = self._place_behind()
            self.items.append(replace(item, place=place))
            self.reveal_place(place, "top")

    def add_note(
        self, kind: NoteKind, text: str, at: str, dismissable: bool = False, offer: Offer | None = None
    ) -> Place:
        """The place where it stands."""
        place = self._place_behind()
        self.items.append(NoteItem(place=place, at=at, kind=kind, text=text, dismissable=dismissable, offer=offer))
        self._trim_behind()
        return place

    def add_refused(self, key: str, text: str, at: str, why: str, reply_to: int | None) -> None:
        """A message of one's own that was refused stays where it is."""
        self.items.append(
            UnsentItem(
                place=self._place_behind(), at=at, key=key, text=text, state="failed", why=why, reply_to=reply_to
            )
        )
        self._trim_behind()

    def _place_behind(self) -> Place:
        return self.items[-1].place[0] if self.items else 0, next(self._notes)

    def remove(self, ids: Iterable[int]) -> int:
        """How many of these were there."""
        removed = {id: item.message.reply_to for id in ids if (item := self.messages.pop(id, None)) is not None}
        gone = removed.keys()
        if gone:
            self.items = [
                item for item in self.items if not (isinstance(item, MessageItem) and item.message.id in gone)
            ]
            for id, reply_to in removed.items():
                self._answers.pop(id, None)
                if (answered := self.messages.get(reply_to or 0)) is not None:
                    self._discount_answer(id, answered)
            if self.selected in gone:
                self.selected = None
        return len(gone)

    @property
    def ends_with_answer(self) -> bool:
        return bool(self.items) and _is_dismissable(self.items[-1])

    def dismiss_answers(self) -> bool:
        """Remove the outcomes of commands; whether there were any."""
        return self._keep(lambda item: not _is_dismissable(item))

    def withdraw(self, offers: Container[Offer]) -> bool:
        """Remove the notes that offer one of these; whether there were any."""
        return self._keep(lambda item: not (isinstance(item, NoteItem) and item.offer and item.offer in offers))

    def clear_notes(self) -> bool:
        """Remove all that exists only here: notes, and messages that were refused; whether there was any."""
        return self._keep(lambda item: isinstance(item, MessageItem))

    def _keep(self, is_kept: Callable[[Item], bool]) -> bool:
        before, self.items = self.items, [item for item in self.items if is_kept(item)]
        if self.at_end and self.anchor is not None and (not self.items or self.anchor.place > self.items[-1].place):
            self.follow_end()
        return len(self.items) < len(before)

    def _trim(self) -> None:
        if len(self.items) <= ITEMS_MAX:
            return
        if self.anchor is None:
            self.drop_oldest()
        else:
            self.drop_newest()

    def _trim_behind(self) -> None:
        """Notes and refused messages exist only here, so they are never what is dropped."""
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
            if isinstance(item, MessageItem):
                self.messages.pop(item.message.id, None)
                self._answers.pop(item.message.id, None)

    # ---- where the user looks

    def scroll(self, rows: int = 0, pages: int = 0) -> None:
        self._move(Scroll(rows, pages))

    def reveal(self, id: int, where: Literal["nearest", "middle", "top"] = "nearest") -> None:
        self.reveal_place((id, 0), where)

    def reveal_place(self, place: Place, where: Literal["nearest", "middle", "top"] = "nearest") -> None:
        if where != "nearest":
            self.moves.clear()  # where it leads does not depend on where one was
        self._move(Reveal(place, where))

    def _move(self, move: Move) -> None:
        self.moves.append(move)
        del self.moves[:-MOVES_MAX]

    def settle(self, anchor: Anchor | None) -> None:
        """The renderer has followed all moves and has come here."""
        self.anchor = anchor
        self.moves.clear()

    def follow_end(self) -> None:
        self.settle(None)

    @property
    def is_scrolled(self) -> bool:
        """Whether the end of the chat is out of sight."""
        return self.anchor is not None or not self.at_end

    @property
    def is_near_start(self) -> bool:
        """Whether older messages will be needed soon."""
        return self.anchor is not None and bisect_left(self.items, self.anchor.place, key=place_of) < NEAR_START_ITEMS

    @property
    def is_near_end(self) -> bool:
        if self.anchor is None:
            return True
        return len(self.items) - bisect_left(self.items, self.anchor.place, key=place_of) < NEAR_END_ITEMS

    # ---- the selected message

    @property
    def steps_left(self) -> int:
        """How many messages there are above the selected one; without one, all."""
        return sum(self.selected is None or id < self.selected for id in self.messages)

    def step(self, by: int) -> None:
        """Select the next message up (-1) or down (1), and have it on the screen; past the end, select none."""
        ids = [item.message.id for item in self.items if isinstance(item, MessageItem)]
        if not ids or (self.selected is None and by > 0):
            return
        if self.selected is None:
            self.selected = self.lowest_id
        else:
            at = bisect_left(ids, self.selected) + by
            self.selected = ids[max(0, at)] if at < len(ids) else None
        if self.selected is not None:
            self.reveal(self.selected)
