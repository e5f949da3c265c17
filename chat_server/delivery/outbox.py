"""The outbox: what one connection is sent, in which order, and how fast; it does no I/O.

An outbox is *live* when it is written each new batch as it comes. It is not live before its user has signed in, and
after it was read too slowly. Then batches pass it by, and it catches up from the store in pages, as fast as its reader
takes them, until it has come as far as the last batch. That one mechanism serves all of these cases.

While a command is answered, what is pushed waits: here as far as it is little (`_Meanwhile`), and then in the store.

MUST NOT reorder; MUST NOT hold more than `outbox_bytes_max` for a reader who does not read, besides what waited for the
reply to a command; MUST NOT block.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from chat_server.delivery.catch_up import CatchUp
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.shown_states import OwnState, ShownStates
from chat_server.protocol.base import Event
from chat_server.protocol.formats import TEXT, Format
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged
from chat_server.store.stretches import Part

log = logging.getLogger("chat.delivery")

# Of what a connection may be written at once, a live one keeps so much while a command is answered: one part of this.
MEANWHILE_PART = 4


class Feed(Protocol):
    """What an outbox follows: the batches as they are delivered.

    `delivered` is the seq of the last one, `write_bytes_max` how much is written at once at the most.
    """

    delivered: int
    write_bytes_max: int

    def now(self) -> str: ...

    def joined(self, outbox: "Outbox") -> None: ...

    def queue(self, outbox: "Outbox") -> None:
        """An outbox with a descriptor is going to be written to through its transport."""

    def left(self, outbox: "Outbox") -> None: ...

    def told(self, user_id: int, notices: list[int]) -> None:
        """The user was told these kept events."""


class Owner(Protocol):
    """The connection of an outbox, which does what the outbox asks for."""

    def find_descriptor(self) -> int:
        """See `Transport.find_descriptor`."""

    def read_page(self, missed: MissedMessages) -> None:
        """Read the next page and hand it to `Outbox.take_page`; never within this call."""

    def went_live(self) -> None:
        """The connection has come up with the chat."""

    def abort(self) -> None:
        """The connection cannot be kept true to the chat any more; its user comes back and is shown the rest."""


class _PacedLines:
    """Lines that are written as fast as the reader takes them. Those of a stretch come together, as one line would."""

    __slots__ = ("done", "lines", "waiting")

    def __init__(self, lines: Iterator[bytes], done: Callable[[bool], None]) -> None:
        self.lines: Iterator[bytes] | None = lines
        self.waiting = bytearray()
        self.done = done

    def take(self, most: int) -> bytes:
        """Up to so many bytes."""
        while self.lines is not None and len(self.waiting) < most:
            line = next(self.lines, None)
            if line is None:
                self.lines = None
            else:
                self.waiting += line
        data = bytes(self.waiting[:most])
        del self.waiting[:most]
        return data

    def rest_of_line(self) -> bytes:
        """What is missing of the last line that was taken: what waits here is always of that one."""
        rest = bytes(self.waiting)
        self.waiting.clear()
        return rest

    def is_empty(self) -> bool:
        return self.lines is None and not self.waiting


class _Meanwhile:
    """What is pushed to a live connection while a command is answered: it goes out behind the reply.

    An answer is of the store, and of who was online, at a moment after the command began. So it is never older than
    what was pushed before, and what is pushed behind it is in it already or is newer. Pushed before it, a `joined` from
    behind that moment would be followed by a list without the one who joined.

    When all of this was left to the store, beside a busy `main` the next batch came before each page did: 1,500 /who
    among 500 messages to 400 people read 18,718 pages before their connections were live again, 1,280 µs a line instead
    of 225.
    """

    __slots__ = ("data", "gone", "position", "size")

    def __init__(self, position: int) -> None:
        self.position = position  # that of the connection when the command began
        self.data: list[bytes] = []  # mostly shared with all others who are pushed the same
        self.size = 0
        # Private chats that the user left meanwhile: the command shows nothing of them that it read before.
        self.gone: set[str] = set()


class Outbox:
    __slots__ = (
        "_catch_up", "_feed", "_meanwhile", "_owner", "_paced", "_send", "_shown",
        "closed", "descriptor", "format", "holding", "live", "paused", "presence", "send", "user_id",
        "watches_typing",
    )  # fmt: skip

    def __init__(self, feed: Feed, send: Callable[[bytes], object], owner: Owner) -> None:
        """`send` writes to the transport, without any other work: it is called for each receiver of each batch."""
        self._feed = feed
        self._owner = owner
        self._send = send
        # For what is pushed to one that is live, whose connection is open: to the transport, or behind a reply.
        self.send = send
        self.format: Format = TEXT
        self.user_id = 0
        self.presence = True
        self.watches_typing = False
        self.live = False
        self.descriptor = -1  # its socket, while it is live and nothing waits to be sent (see `live_outboxes`)
        self.paused = False  # the transport holds enough
        self.closed = False
        self.holding = False  # a command is being answered
        self._meanwhile: _Meanwhile | None = None
        # While a user's connection is not live.
        self._catch_up: CatchUp | None = None
        # Once it is live: what it may lack of what it read from a store that was ahead of the last batch.
        self._shown: ShownStates | None = None
        self._paced: _PacedLines | None = None

    @property
    def position(self) -> int:
        """Every message and change with a seq up to this has been written."""
        if self._meanwhile is not None:
            return self._meanwhile.position
        return self._feed.delivered if self._catch_up is None else self._catch_up.position

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits here to be sent (the transport may still hold some of it)."""
        return self._catch_up is None

    def write(self, data: bytes) -> None:
        """Write a reply, or what comes with one, now."""
        if data and not self.closed:
            if self.descriptor >= 0:
                self._feed.queue(self)
            self._end_line()
            self._send(data)

    def _end_line(self) -> None:
        """A long line is written in pieces: what is not of it, such as the last words of a connection, comes behind."""
        if self._paced is not None and (rest := self._paced.rest_of_line()):
            self._send(rest)

    def find_descriptor(self) -> int:
        """See `Transport.find_descriptor`; none while what is pushed waits."""
        return -1 if self._meanwhile is not None else self._owner.find_descriptor()

    # ---- becoming live and not

    def attach(self, user_id: int, position: int) -> None:
        """The connection is the user's now; it is shown what it missed before it goes live."""
        self.user_id = user_id
        self._shown = None
        self._catch_up = CatchUp(position, ShownStates(position))
        self.holding = True

    def detach(self) -> None:
        """The connection is nobody's any more: only what was asked over it is still answered."""
        self._write_meanwhile()
        self._leave(self._feed.delivered)
        if (catch_up := self._catch_up) is not None:
            self._catch_up = None
            if catch_up.missed is not None:
                self._end_line()
                self._paced = None
            catch_up.write_late_replies(self.write)
        self.user_id = 0
        self.holding = False

    def hold(self) -> None:
        """A command is going to be answered: what is pushed waits."""
        self.holding = True
        if self.live and self._meanwhile is None:
            if self.descriptor >= 0:
                self._feed.queue(self)
            self._meanwhile = _Meanwhile(self._feed.delivered)
            self.send = self._push_later

    def _push_later(self, data: bytes) -> None:
        meanwhile = self._meanwhile
        assert meanwhile is not None
        meanwhile.data.append(data)
        meanwhile.size += len(data)
        if meanwhile.size > self._feed.write_bytes_max // MEANWHILE_PART:
            # What follows this batch is left to the store.
            self._leave(self._feed.delivered)

    def release(self) -> None:
        """The command has been answered."""
        self.holding = False
        self.catch_up()

    def _end_meanwhile(self) -> _Meanwhile | None:
        meanwhile, self._meanwhile = self._meanwhile, None
        self.send = self._send
        return meanwhile

    def _write_meanwhile(self) -> None:
        """Write what waits for a reply, which it may not get any more, or until the reply has been taken."""
        meanwhile = self._end_meanwhile()
        if meanwhile is not None:
            self.write(b"".join(meanwhile.data))

    def set_format(self, format: Format) -> None:
        self._leave(self._feed.delivered)
        self.format = format
        self.catch_up()

    def lag(self, position: int) -> None:
        """A batch is too much to be written at once: what follows `position` is left to the store."""
        self._leave(position)

    def _leave(self, position: int) -> None:
        if self.live:
            self.live = False
            shown, self._shown = self._shown, None
            if shown is None or shown.is_certain(position):
                shown = ShownStates(position)
            self._catch_up = CatchUp(position, shown)
            self._feed.left(self)

    def catch_up(self) -> None:
        """Go on towards being live, as far as it may be now; at once where nothing was missed."""
        if self._meanwhile is not None and not (self.paused or self.holding):
            self._write_meanwhile()
        catch_up = self._catch_up
        if catch_up is None or catch_up.missed is not None:
            return
        while not (self.paused or self.holding):
            if catch_up.is_complete(self._feed.delivered):
                self._go_live(catch_up)
                return
            missed = catch_up.read_next(self.user_id, self._feed.delivered, by_id=self.format.catch_up_order == "id")
            if missed is not None:
                self._owner.read_page(missed)
                return
            if not catch_up.late_replies:
                # Only a state shown ahead of its time is left: it is reached with a later batch.
                return
            self.write(catch_up.late_replies.popleft().data)

    def _go_live(self, catch_up: CatchUp) -> None:
        events, now = catch_up.held(), self._feed.now()
        told = [notice for _, notice in events if notice]
        held = b"".join(self.format.event(event, now) for event, _ in events)
        self._catch_up = None
        if not catch_up.shown.is_certain(self._feed.delivered):
            self._shown = catch_up.shown
        self.live = True
        self._feed.joined(self)
        self.write(held)
        if told:
            self._feed.told(self.user_id, told)
        self._owner.went_live()

    # ---- the transport's word on how fast the reader is

    def pause(self) -> None:
        self.paused = True
        self._leave(self._feed.delivered)

    def resume(self) -> None:
        self.paused = False
        if self._paced is not None:
            self._write_on()
        else:
            self.catch_up()

    def close(self) -> None:
        """The connection is gone or going."""
        self._end_meanwhile()
        self._leave(self._feed.delivered)
        self.closed = True
        self._catch_up = None
        if (paced := self._paced) is not None:
            self._paced = None
            paced.done(False)

    # ---- lines that are written at the reader's pace

    def write_paced(self, lines: Iterable[bytes], done: Callable[[bool], None]) -> None:
        """Write lines as fast as the reader takes them, then call `done`: with False if the reader is gone.

        A line is made when it can be written, not before: until then it may come to be one that must not be shown.
        """
        assert self._paced is None
        if self.closed:
            done(False)
            return
        self._paced = _PacedLines(iter(lines), done)
        self._write_on()

    def _write_on(self) -> None:
        paced = self._paced
        while paced is not None and paced is self._paced and not self.paused:
            try:
                if data := paced.take(self._feed.write_bytes_max):
                    self._send(data)
            except Exception:
                log.exception("a line for user %d could not be made: this is a bug", self.user_id)
                self._paced = None
                self._owner.abort()
                return
            if paced.is_empty():
                self._paced = None
                paced.done(True)

    def take_page(self, missed: MissedMessages, page: Sequence[Part]) -> None:
        """A page of what was asked for."""
        catch_up = self._catch_up
        if catch_up is None or catch_up.missed is not missed:
            # It signed out, or was closed, while the page was read.
            return
        self.write_paced(self._lines_of(catch_up, page), lambda written: self._read_on(catch_up) if written else None)

    def _read_on(self, catch_up: CatchUp) -> None:
        missed = catch_up.missed
        assert missed is not None
        if missed.is_read:
            catch_up.finish_reading()
            self.catch_up()
        else:
            self._owner.read_page(missed)

    def _lines_of(self, catch_up: CatchUp, page: Sequence[Part]) -> Iterator[bytes]:
        now, format = self._feed.now(), self.format
        for part in catch_up.to_show(page):
            yield part.render(format, now)

    # ---- while not live

    def reply(self, data: bytes) -> None:
        """The reply to a command that was executed just now: at once, or behind what has not been shown yet."""
        self.reply_as_of(self._feed.delivered, data, ())
        self.catch_up()

    def may_lack(self, own: Iterable[OwnState], before: int) -> bool:
        """Whether it takes more than the replies to tell a live connection what its commands did.

        `before` is the seq of the last batch before theirs.
        """
        if self._shown is None:
            return False
        if self._shown.is_certain(before):
            self._shown = None
            return False
        return not self._shown.add_own(own)

    def reply_as_of(self, seq: int, data: bytes, own: Sequence[OwnState]) -> None:
        """The reply to a logged command; a connection that is behind is given it once it has come as far as `seq`.

        `own` are the states of messages that the command made. `catch_up` MUST follow.
        """
        if self._catch_up is None or self.holding:
            self.write(data)
        elif data:
            self._catch_up.add_late_reply(seq, data, own)

    def write_at_end(self, data: bytes) -> None:
        """Write what a connection ends with: what still waits for its place, and replies that do, go before it."""
        self._write_meanwhile()
        if self._catch_up is not None:
            self._catch_up.write_late_replies(self.write)
        self.write(data)

    def keep(self, event: Event, notice: int = 0) -> None:
        """Tell an event that is not in the store as a message once the connection is live again."""
        if self._catch_up is not None and (self.presence or not isinstance(event, PresenceChanged)):
            self._catch_up.hold(event, notice)

    def move(self, chat: str, *, came: bool) -> None:
        """The user came into a private chat or left it."""
        if self._meanwhile is not None:
            if came:
                self._meanwhile.gone.discard(chat)
            else:
                self._meanwhile.gone.add(chat)
        if self._catch_up is None:
            return
        if came:
            self._catch_up.come(chat)
        else:
            self._catch_up.go(chat)

    def lines(self, page: Sequence[Event | Part], now: str, label: str | None) -> Iterator[bytes]:
        """The lines of a page of a command with this label, without what the user must not see any more."""
        format = self.format
        for part in page:
            if not isinstance(part, Part):
                if self.may_show(part):
                    yield format.event(part, now, label)
                continue
            stretch, everyone = part.stretch, part.is_of_everyone
            spans = [(part.start, part.stop)] if everyone else [(at, at + 1) for at in range(part.start, part.stop)]
            for start, stop in spans:
                if everyone or self.may_show(stretch.messages[start]):
                    lines = stretch.render(format, now, start, stop)
                    yield lines if label is None else format.label_lines(lines, label)

    def may_show(self, event: Event) -> bool:
        if self._meanwhile is not None and isinstance(event, Message) and event.chat in self._meanwhile.gone:
            return False
        return self._catch_up is None or self._catch_up.may_show(event)

    def note_shown(self, page: Sequence[Event | Part], up_to: int) -> None:
        """See `CatchUp.note_shown`."""
        if self._catch_up is not None:
            self._catch_up.note_shown(page, up_to)

    def note_told(self, notices: Sequence[int]) -> None:
        """See `CatchUp.note_told`."""
        if self._catch_up is not None:
            self._catch_up.note_told(notices)
