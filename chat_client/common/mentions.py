"""Which messages call the user: one rule for the full screen, for --plain, for bells, notifications and counts. Pure.

The server alone says whom a text names (`mentions`): it knows who is in the chat, who has blocked whom and what a name
ends with. A client that looked for `@alice` in the text by itself rang for people whom alice had blocked.
"""

from collections.abc import Callable

from chat_client.common.wording import short
from chat_client.sdk import clock
from chat_client.sdk.events import AnyEvent, Connected, Connecting
from chat_server.protocol.messages import Message
from chat_server.protocol.people import Muted

APART_SECONDS_MIN = 1.0  # between two calls


def mentions(message: Message, me: str) -> bool:
    """Whether it names the user, as the server tells it."""
    return message.from_ != me and not message.deleted and me in (message.mentions or ())


def calls(message: Message, me: str) -> bool:
    """Whether it is for the user more than for others: it names the user, or is one to one."""
    return mentions(message, me) or (message.chat.startswith("@") and message.from_ != me and not message.deleted)


class Calls:
    """When to ring. `attend` is given a title and a text, on one line each and without control characters."""

    def __init__(self, attend: Callable[[str, str], None], elapsed: Callable[[], float] = clock.elapsed) -> None:
        self._attend, self._elapsed = attend, elapsed
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
            case Message() if self._live and event.seq == event.id:  # an edit or a reaction comes as the message too
                if calls(event, me) and event.chat not in self._muted:
                    self._call(event)

    def _call(self, message: Message) -> None:
        now = self._elapsed()
        if now - self._called >= APART_SECONDS_MIN:
            self._called = now
            self._attend(*called_by(message))


def called_by(message: Message) -> tuple[str, str]:
    """The title and the text of a notification."""
    where = "" if message.chat.startswith("@") else f" in {message.chat}"
    return short(f"{message.from_}{where}"), short(message.text or "")
