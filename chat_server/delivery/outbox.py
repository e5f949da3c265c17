"""What one connection is sent.

An outbox is *live* when everything that was delivered so far has been written to it, and each new batch is written as
it comes. It is not live before its user has signed in, while a command returns lines, and after it has been read too
slowly: then batches pass it by, and it catches up from the store, in pages, as fast as its reader takes them, and is
live again when it has come as far as the last batch. `position` says how far that is: every message and change with a
seq up to it has been written. That is the one mechanism behind all of these.

MUST NOT reorder; MUST NOT hold more than `outbox_bytes_max` for a reader who does not read; MUST NOT block.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from chat_server.delivery.blocks import render
from chat_server.protocol.base import Event
from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired, Message, ReadMarker
from chat_server.protocol.people import Muted, PresenceChanged
from chat_server.store import chats, messages
from chat_server.store.database import Database
from chat_server.store.messages import Range
from chat_server.store.readers import Readers

log = logging.getLogger("chat.delivery")

HELD_EVENTS_MAX = 1000


class Feed(Protocol):
    """What an outbox follows: the batches as they are delivered.

    `delivered` is the seq of the last one, `block_bytes_max` what may be written at once to who is not paused;
    `on_told` is called with a user and the notices that the user was told.
    """

    delivered: int
    block_bytes_max: int
    readers: Readers
    on_told: Callable[[int, list[int]], None]

    def now(self) -> str: ...

    def joined(self, outbox: "Outbox") -> None: ...

    def left(self, outbox: "Outbox") -> None: ...


class LateReply(Struct, frozen=True):
    """A reply that came while its connection was behind: it is said when all up to `seq` is. `own`: what it did."""

    seq: int
    data: bytes
    own: tuple[int, ...]


class Outbox:
    __slots__ = (
        "_ahead", "_catching_up", "_gone", "_held", "_late", "_left_at", "_position", "_resumed",
        "closed", "format", "holding", "hub", "live", "on_live", "paused", "presence", "send", "transport", "user_id",
    )  # fmt: skip

    def __init__(self, hub: Feed, transport: asyncio.Transport, on_live: Callable[[], None]) -> None:
        """`on_live` is called whenever the connection has come up with the chat."""
        self.hub = hub
        self.transport = transport
        self.send = transport.write  # for one that is live, whose connection is open
        self.on_live = on_live
        self.format = "text"
        self.user_id = 0
        self.presence = True
        self.live = False
        self.paused = False  # the transport holds enough
        self.closed = False
        self.holding = False  # a command is returning lines
        self._position = 0
        self._left_at = 0  # the position when it was live last
        self._late: deque[LateReply] = deque()
        self._held: dict[Hashable, tuple[Event | None, int]] = {}  # None: told already
        # Private chats that the user went from since it was live last: what was read of them before is not shown.
        self._gone: set[str] = set()
        # Messages that a page showed in a state that is newer than the position: id and seq of that state.
        self._ahead: dict[int, int] = {}
        self._resumed: asyncio.Future[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """Every message and change with a seq up to this has been written."""
        return self.hub.delivered if self.live else self._position

    @property
    def idle(self) -> bool:
        """Nothing that was to be sent waits here (the transport may still hold some of it)."""
        return not self._late and (self.live or not self.user_id)

    def write(self, data: bytes) -> None:
        """Write now. What is written while live MUST be the batch that is being delivered, or a reply."""
        if data and not self.closed:
            self.send(data)

    # ---- becoming live and not

    def attach(self, user_id: int, position: int) -> None:
        """The connection is the user's now; it is shown what it missed before it goes live."""
        self.user_id = user_id
        self._position = self._left_at = position
        self.holding = True

    def detach(self) -> None:
        """The connection is nobody's any more: only what was asked over it is still answered."""
        self._leave(self.hub.delivered)
        if self._catching_up is not None:
            self._catching_up.cancel()
            self._catching_up = None
        for late in self._late:
            self.write(late.data)
        self.user_id = 0
        self.holding = False
        self._late.clear()
        self._held.clear()
        self._ahead.clear()
        self._gone.clear()

    def hold(self) -> None:
        """A command is going to return lines: what is pushed waits in the store."""
        self.holding = True
        self._leave(self.hub.delivered)

    def release(self) -> None:
        """The command has returned its lines."""
        self.holding = False
        self.join()

    def note_shown(self, page: Sequence[Event], up_to: int) -> None:
        """These were shown by a command, in their newest state, where everything up to `up_to` was to be."""
        self._ahead.update({each.id: each.seq for each in page if isinstance(each, Message) and each.seq > up_to})

    def set_format(self, format: str) -> None:
        self._leave(self.hub.delivered)
        self.format = format
        self.join()

    def lag(self, position: int) -> None:
        """Too much at once: leave it to the store from `position` on."""
        self._leave(position)
        self.join()

    def _leave(self, position: int) -> None:
        if self.live:
            self.live = False
            self._position = self._left_at = position
            self.hub.left(self)

    def join(self) -> None:
        """Go live, at once if nothing was missed, else after catching up."""
        if self.live or self.holding or self.closed or not self.user_id or self._catching_up:
            return
        if self._may_go_live():
            self._go_live()
        else:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    def _may_go_live(self) -> bool:
        behind = max(self._position, *self._ahead.values()) if self._ahead else self._position
        return not self.paused and not self._late and self._position >= self.hub.delivered >= behind

    def _go_live(self) -> None:
        held = b"".join(render(event, self.format, self.hub.now()) for event, _ in self._held.values() if event)
        told = [notice for event, notice in self._held.values() if event and notice]
        self._held.clear()
        self._ahead.clear()
        self._gone.clear()
        self.live = True
        self.hub.joined(self)
        self.write(held)
        if told:
            self.hub.on_told(self.user_id, told)
        self.on_live()

    # ---- the transport's word on how fast the reader is

    def pause(self) -> None:
        self.paused = True
        self._leave(self.hub.delivered)

    def resume(self) -> None:
        self.paused = False
        self._wake()
        self.join()

    def close(self) -> None:
        """The connection is gone or going."""
        self._leave(self.hub.delivered)
        self.closed = True
        self._late.clear()
        self._held.clear()
        self._wake()

    def _wake(self) -> None:
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    async def drained(self) -> bool:
        """Wait until the reader has taken enough; False if it is gone."""
        while self.paused and not self.closed:
            if self._resumed is None:
                self._resumed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._resumed)
        return not self.closed

    async def write_paced(self, lines: Iterable[bytes]) -> bool:
        """Write lines as fast as the reader takes them; False if it is gone.

        A line is made when it can be written, not before: until then it may come to be one that must not be shown.
        """
        most = self.hub.block_bytes_max
        waiting = bytearray()
        lines, more = iter(lines), True
        while await self.drained():
            while more and len(waiting) < most:
                line = next(lines, None)
                more = line is not None
                waiting += line or b""
            self.write(bytes(waiting[:most]))
            del waiting[:most]
            if not more and not waiting:
                return True
        return False

    # ---- while not live

    def reply(self, data: bytes, seq: int, own: tuple[int, ...]) -> None:
        """The reply to a logged command, as of `seq`: now, or if the connection fell behind meanwhile, in its place."""
        if self.live or self.holding or not self.user_id:
            self.write(data)
        elif data:
            self._late.append(LateReply(seq, data, own))
            self.join()

    def keep(self, event: Event, notice: int = 0) -> None:
        """An event that is not in the store as a message: kept until live; of what only tells the present, the last.

        Of what has expired in a chat the last EXPIRED_IDS_MAX.
        """
        key: Hashable = ("notice", notice) if notice else (len(self._held), event)
        if isinstance(event, PresenceChanged):
            if not self.presence:
                return
            key = PresenceChanged, event.user
        elif isinstance(event, ReadMarker | Muted):
            key = type(event), event.chat
        elif isinstance(event, Expired):
            key = Expired, event.chat
            before, _ = self._held.get(key, (None, 0))
            if isinstance(before, Expired):
                event = Expired(event.chat, [*before.ids, *event.ids][-EXPIRED_IDS_MAX:])
        kept = self._held.get(key)
        if kept is None and len(self._held) >= HELD_EVENTS_MAX:
            return
        if kept is None or kept[0] is not None:
            self._held[key] = event, notice

    def move(self, chat: str, *, came: bool) -> None:
        """The user came into a private chat or went: from here on nothing of it is shown, whenever it was read."""
        if came:
            self._gone.discard(chat)
        elif not self.live:
            self._gone.add(chat)
            gone = [key for key, (event, notice) in self._held.items()
                    if not notice and getattr(event, "chat", None) == chat]  # fmt: skip
            for key in gone:
                del self._held[key]

    def may_show(self, event: Event) -> bool:
        return not self._gone or type(event) is not Message or event.chat not in self._gone

    def note_told(self, notices: Sequence[int]) -> None:
        """The command that returns lines has told these itself: they are not told again when they are pushed."""
        self._held.update({("notice", notice): (None, notice) for notice in notices})

    async def _catch_up(self) -> None:
        try:
            while await self.drained() and self.user_id and not self.holding:
                stop = self._late[0].seq if self._late else self.hub.delivered
                if self._position < stop:
                    await self._read_up_to(stop)
                elif self._late:
                    self.write(self._late.popleft().data)
                else:
                    # Only a state shown ahead of its time is left: it is reached with a later batch.
                    break
                if self._may_go_live():
                    break
        except Exception:
            # The connection cannot be kept true to the chat any more; its user comes back and is shown the rest.
            log.exception("catching up failed; the connection is closed")
            self.transport.abort()
            return
        finally:
            if self._catching_up is asyncio.current_task():
                self._catching_up = None
        if self.user_id and not self.closed and not self.holding and self._may_go_live():
            self._go_live()

    async def _read_up_to(self, stop: int) -> None:
        """Write all messages and changes with position < seq <= `stop`."""
        own = {seq for late in self._late for seq in late.own}
        start, reader = self._position, self.hub.readers.pick()
        pages = await reader.serve(self.user_id, self._pages, start, stop)
        while True:
            page: list[Message] | None = await reader.serve(self.user_id, lambda db: next(pages, None))
            if page is None:
                break
            if not await self.write_paced(self._lines(page, stop, own)):
                return
        self._position = stop
        self._ahead = {id_: seq for id_, seq in self._ahead.items() if seq > stop}

    def _pages(self, db: Database, start: int, stop: int) -> Iterator[list[Message]]:
        """For programs by seq. For people by id, then the changes to what was shown before."""
        ranges = [Range(each.chat_id, each.name, start, stop) for each in chats.of_user(db, self.user_id)]
        if self.format == "json":
            return messages.new_and_changed(db, ranges)
        return self._for_people(db, ranges, start)

    def _for_people(self, db: Database, ranges: list[Range], start: int) -> Iterator[list[Message]]:
        again = [Range(each.chat_id, each.name, each.after, each.up_to) for each in ranges]
        yield from messages.new(db, ranges)
        for page in messages.changed(db, again):
            yield [message for message in page if message.id <= start]

    def _lines(self, page: list[Message], stop: int, own: set[int]) -> Iterator[bytes]:
        now = self.hub.now()
        # A page of messages has shown people all up to its end; programs are shown those that change again later on.
        shown = self._position if self.format == "text" else self._left_at
        for message in page:
            if not self.may_show(message):
                continue
            # One's own change is told by its reply, but the message itself may not have been shown here yet.
            if message.seq in own and (message.id <= shown or message.id in own):
                continue
            if self._ahead.get(message.id, 0) >= message.seq:
                continue
            if message.seq > stop:
                self._ahead[message.id] = message.seq
            yield render(message, self.format, now)
