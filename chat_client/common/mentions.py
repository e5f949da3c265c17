"""Which messages call the user: one rule for bells, notifications, highlights and counts.

The server alone says whom a text names (`mentions`): it knows who is in the chat, who has blocked whom and where a name
ends. A client that looked for `@alice` in the text by itself rang for people whom alice had blocked.
"""

from msgspec import Struct

from chat_client.common.listening import Listening
from chat_client.common.wording import short
from chat_client.sdk.events import AnyEvent, Connected, Connecting, Forgotten
from chat_server.protocol.messages import Message
from chat_server.protocol.people import Muted
from chat_server.protocol.rooms import Invited

APART_SECONDS_MIN = 1.0  # between two calls


def mentions(message: Message, me: str) -> bool:
    """Whether it names the user, as the server tells it."""
    return message.from_ != me and not message.deleted and me in (message.mentions or ())


def calls(message: Message, me: str) -> bool:
    """Whether it is for the user more than for others: it names the user, or is one to one."""
    return mentions(message, me) or (message.chat.startswith("@") and message.from_ != me and not message.deleted)


def is_new(message: Message, newest: int) -> bool:
    """Whether it was said after the newest one that is known, of which the id is given; 0: none is known.

    Where none is known, an old message that has changed is told by its `seq`, which is past its id."""
    return message.id > newest and (newest > 0 or message.seq == message.id)


class Call(Struct, frozen=True):
    """A bell and a notification: a title and a text, on one line each and without control characters."""

    title: str
    text: str


class Attention:
    """Which of the events that come ring. What was missed does not, nor do muted chats, nor a message that changes."""

    def __init__(self, listening: Listening | None = None) -> None:
        self._listening = listening or Listening()
        self._is_live = False
        self._newest = 0  # the highest id of a message so far: what is not above it is no new message
        self._called_at = float("-inf")

    def call(self, event: AnyEvent, me: str, elapsed: float, watched: bool = False) -> Call | None:
        """The call of an event that has come. `elapsed` is that of `clock`; `watched`: the user sees it come."""
        match event:
            case Connecting():
                self._is_live = False
            case Connected(signed_in=signed_in):
                self._is_live = True
                self._newest = max(self._newest, signed_in.seq)
                self._listening.muted = {chat.name for chat in signed_in.chats if chat.muted}
            case Forgotten():  # ids begin anew
                self._newest = 0
            case Muted(chat=chat, muted=muted):
                known = self._listening.muted
                (known.add if muted else known.discard)(chat)
            case Invited() if self._is_live:
                return self._paced(Call("invitation", short(f"{event.by} invites you to {event.chat}")), elapsed)
            case Message():
                is_news = is_new(event, self._newest)
                self._newest = max(self._newest, event.id)
                if is_news and self._is_live and not watched and self._calls(event, me):
                    return self._paced(notification(event), elapsed)
        return None

    def _calls(self, message: Message, me: str) -> bool:
        level = self._listening.level(message.chat)
        if message.chat in self._listening.muted or message.deleted or message.from_ == me:
            return False
        if self._listening.hides(message):
            return False
        return level == "all" or (mentions(message, me) if level == "mentions" else calls(message, me))

    def _paced(self, call: Call, elapsed: float) -> Call | None:
        if elapsed - self._called_at < APART_SECONDS_MIN:
            return None
        self._called_at = elapsed
        return call


def notification(message: Message) -> Call:
    where = "" if message.chat.startswith("@") else f" in {message.chat}"
    return Call(short(f"{message.from_}{where}"), short(message.text or ""))
