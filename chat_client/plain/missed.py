"""What was missed without a connection, of which one column shows the last messages of each chat.

Somebody who was away for a week had 6,578 lines printed before the first prompt, and a screen reader reads each one.
"""

from collections import deque

from msgspec import Struct

from chat_client.sdk.events import AnyEvent, Connected, Connecting, Ended
from chat_server.protocol.base import Event
from chat_server.protocol.messages import Message, ReadMarker

SHOWN_MAX = 20  # of each chat


class Shown(Struct, frozen=True):
    """The events to show, in the order in which they came, and how many messages are left out of which chats."""

    events: list[Event]
    left_out: dict[str, int]


class Missed:
    def __init__(self) -> None:
        self._is_catching_up = False
        self._came = 0
        self._held: dict[int, Event] = {}  # by the order in which they came
        self._last: dict[str, deque[int]] = {}  # the messages of each chat among them
        self._left_out: dict[str, int] = {}
        self._unseen: dict[str, int] = {}  # the newest message of each chat that was never shown, and is not read yet

    def hold(self, event: AnyEvent) -> bool:
        """Whether the event is kept back until the rest has come."""
        if not self._is_catching_up or not isinstance(event, Event):
            return False
        self._came += 1
        self._held[self._came] = event
        if isinstance(event, Message):
            last = self._last.setdefault(event.chat, deque())
            last.append(self._came)
            if len(last) > SHOWN_MAX:
                oldest = self._held.pop(last.popleft())
                assert isinstance(oldest, Message)
                self._left_out[event.chat] = self._left_out.get(event.chat, 0) + 1
                self._unseen[event.chat] = max(oldest.id, self._unseen.get(event.chat, 0))
        return True

    def follow(self, event: AnyEvent) -> Shown | None:
        """What is to be shown now that all has come, or nothing more will."""
        match event:
            case Connecting():
                self._is_catching_up = True
            case Connected() | Ended() if self._is_catching_up:
                self._is_catching_up = False
                shown = Shown(list(self._held.values()), self._left_out)
                self._held, self._last, self._left_out = {}, {}, {}
                return shown
            case ReadMarker(chat=chat, id=id) if self._unseen.get(chat, id + 1) <= id:
                del self._unseen[chat]
        return None

    def may_mark_read(self, chat: str) -> bool:
        """Whether all of the chat was shown: a marker that passes what was not would hide it for good."""
        return chat not in self._unseen
