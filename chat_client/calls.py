"""Which of the messages that come call the user in --plain: one-to-one ones and mentions, but for muted chats. Pure."""

import time
from collections.abc import Callable

from chat_client.show import short
from chat_client.states import AnyEvent, Connected, Connecting
from chat_server.protocol.events import Message, Muted

APART_SECONDS_MIN = 1.0  # between two calls


class Calls:
    """`attend` is given a title and a text, on one line each and without control characters."""

    def __init__(self, attend: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._attend, self._clock = attend, clock
        self._live = False  # what was missed calls nobody
        self._muted: set[str] = set()
        self._called = -APART_SECONDS_MIN

    def heard(self, event: AnyEvent, me: str) -> None:
        match event:
            case Connecting():
                self._live = False
            case Connected():
                self._live = True
                self._muted = {chat.name for chat in event.signed_in.chats if chat.muted}
            case Muted():
                (self._muted.add if event.muted else self._muted.discard)(event.chat)
            case Message():
                if self._live and _calls(event, me) and event.chat not in self._muted:
                    self._call(event)

    def _call(self, message: Message) -> None:
        now = self._clock()
        if now - self._called >= APART_SECONDS_MIN:
            self._called = now
            where = "" if message.chat.startswith("@") else f" in {message.chat}"
            self._attend(short(f"{message.from_}{where}"), short(message.text or ""))


def _calls(message: Message, me: str) -> bool:
    """Only when it is new: an edit or a reaction comes as the message too."""
    if message.from_ == me or message.deleted or message.seq != message.id:
        return False
    return message.chat.startswith("@") or me in (message.mentions or ())
