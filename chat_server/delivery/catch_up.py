"""The state of a connection that is behind: what it has missed, and what of that it was shown.

It exists from the moment a connection stops being live until it is live again.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence

from msgspec import Struct

from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.shown_states import OwnState, ShownStates
from chat_server.protocol.base import Event
from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired, Message, ReadMarker
from chat_server.protocol.people import Muted, PreferenceChanged, PresenceChanged
from chat_server.rules.outcomes import events_of
from chat_server.store.stretches import Part

HELD_EVENTS_MAX = 1000


class LateReply(Struct, frozen=True):
    """A reply to a connection that was behind: it follows everything up to `seq`."""

    seq: int
    data: bytes


class CatchUp:
    """`position` says how far the connection has come: what the store had up to it was written.

    `shown` says what of that it may lack all the same.
    """

    __slots__ = ("_gone", "_held", "late_replies", "missed", "position", "shown")

    def __init__(self, position: int, shown: ShownStates) -> None:
        self.position = position
        self.shown = shown
        self.late_replies: deque[LateReply] = deque()
        # What is being read from the store.
        self.missed: MissedMessages | None = None
        self._held: dict[Hashable, tuple[Event | None, int]] = {}  # None: told already
        # Private chats that the user left meanwhile: what was read of them before is not shown.
        self._gone: set[str] = set()

    # ---- how far it is

    def is_complete(self, delivered: int) -> bool:
        """Whether nothing of what was delivered is missing, and nothing that is shown is newer than that."""
        return not self.late_replies and self.position >= delivered >= max(self.position, self.shown.newest_ahead)

    def read_next(self, user_id: int, delivered: int, *, by_id: bool) -> MissedMessages | None:
        """What must be read from the store before anything else can be said; None if nothing."""
        stop = self.late_replies[0].seq if self.late_replies else delivered
        if self.position >= stop:
            return None
        self.missed = MissedMessages(user_id, self.position, stop, by_id=by_id)
        return self.missed

    def finish_reading(self) -> None:
        """All pages of `missed` have been written."""
        assert self.missed is not None
        self.position = self.missed.stop
        self.shown.finish_pages(self.missed.stop, self.missed.store_seq, by_id=self.missed.by_id)
        self.missed = None

    def to_show(self, page: Sequence[Part]) -> Iterator[Part]:
        """What of a page of `missed` the connection has not been shown; each part decided when it is taken."""
        assert self.missed is not None
        stop = self.missed.stop
        for part in page:
            if part.is_of_everyone and self.shown.must_show_all(part.newest, stop):
                yield part
            else:
                for at, each in enumerate(part, part.start):
                    if self.may_show(each) and self.shown.must_show(each, stop):
                        yield Part(part.stretch, at, at + 1)

    def note_shown(self, page: Sequence[Event | Part], up_to: int) -> None:
        """A command showed these in their newest state, where only everything up to `up_to` was asked for."""
        for part in page:
            if isinstance(part, Part) and part.newest <= up_to:
                continue
            for each in events_of((part,)):
                if isinstance(each, Message) and each.seq > up_to:
                    self.shown.note_ahead(each)

    def add_late_reply(self, seq: int, data: bytes, own: Sequence[OwnState]) -> None:
        self.shown.add_own(own)
        self.late_replies.append(LateReply(seq, data))

    def write_late_replies(self, write: Callable[[bytes], None]) -> None:
        """Write them now, since their places are not reached any more."""
        while self.late_replies:
            write(self.late_replies.popleft().data)

    # ---- private chats that the user leaves

    def may_show(self, event: Event) -> bool:
        return not self._gone or type(event) is not Message or event.chat not in self._gone

    def come(self, chat: str) -> None:
        """The user came into a private chat."""
        self._gone.discard(chat)

    def go(self, chat: str) -> None:
        """The user left a private chat: nothing of it is shown from here on, whenever it was read."""
        self._gone.add(chat)
        gone = [key for key, (event, notice) in self._held.items()
                if not notice and getattr(event, "chat", None) == chat]  # fmt: skip
        for key in gone:
            del self._held[key]

    # ---- events that the store does not have as messages

    def hold(self, event: Event, notice: int = 0) -> None:
        """Keep an event until the connection is live.

        Of what only tells the present the last is kept; of what expired in a chat the last EXPIRED_IDS_MAX ids.
        """
        key: Hashable = ("notice", notice) if notice else (len(self._held), event)
        if isinstance(event, PresenceChanged):
            key = PresenceChanged, event.user
        elif isinstance(event, ReadMarker | Muted):
            key = type(event), event.chat
        elif isinstance(event, PreferenceChanged):
            key = PreferenceChanged, event.name
        elif isinstance(event, Expired):
            key = Expired, event.chat
            before, _ = self._held.get(key, (None, 0))
            if isinstance(before, Expired):
                event = Expired(event.chat, [*before.ids, *event.ids][-EXPIRED_IDS_MAX:])
        held = self._held.get(key)
        if held is None and len(self._held) >= HELD_EVENTS_MAX:
            return
        if held is None or held[0] is not None:
            self._held[key] = event, notice

    def note_told(self, notices: Sequence[int]) -> None:
        """A command told these notices itself: they are not told again when they are pushed."""
        self._held.update({("notice", notice): (None, notice) for notice in notices})

    def held(self) -> list[tuple[Event, int]]:
        """The events to tell, each with its notice."""
        return [(event, notice) for event, notice in self._held.values() if event is not None]
