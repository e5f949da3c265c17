"""What was missed without a connection, of which one column shows the last messages of each chat.


Somebody who was away for a week had 6,578 lines printed before the first prompt, and a screen reader reads each one.
"""

from collections import deque

from msgspec import Struct

from chat_client.sdk.events import AnyEvent, Connected, Connecting, Ended
from chat_server.protocol.messages import Message, ReadMarker

SHOWN_MAX = 20  # of each chat


class Shown(Struct, frozen=True):
    """The messages to show, in the order in which they came, and how many are not shown of which chats."""

    messages: list[Message]
    left_out: dict[str, int]


class Missed:
    def __init__(self) -> None:
        self._is_catching_up = False
        self._came = 0
        self._last: dict[str, deque[tuple[int, Message]]] = {}
        self._left_out: dict[str, int] = {}
        self._unseen: dict[str, int] = {}  # the newest message of each chat that was never shown, and is not read yet

    def hold(self, message: Message) -> bool:
        """Whether the message is kept back until the rest has come."""
        if not self._is_catching_up:
            return False
        last = self._last.setdefault(message.chat, deque())
        last.append((self._came, message))
        self._came += 1
        if len(last) > SHOWN_MAX:
            _, oldest = last.popleft()
            self._left_out[message.chat] = self._left_out.get(message.chat, 0) + 1
            self._unseen[message.chat] = max(oldest.id, self._unseen.get(message.chat, 0))
        return True

    def follow(self, event: AnyEvent) -> Shown | None:
        """What is to be shown now that all has come, or nothing more will."""
        match event:
            case Connecting():
                self._is_catching_up = True
            case Connected() | Ended() if self._is_catching_up:
                self._is_catching_up = False
                held = sorted((each for last in self._last.values() for each in last), key=lambda each: each[0])
                shown = Shown([message for _, message in held], self._left_out)
                self._last, self._left_out = {}, {}
                return shown
            case ReadMarker(chat=chat, id=id) if self._unseen.get(chat, id + 1) <= id:
                del self._unseen[chat]
        return None

    def may_mark_read(self, chat: str) -> bool:
        """Whether all of the chat was shown: a marker that passes what was not would hide it for good."""
        return chat not in self._unseen
