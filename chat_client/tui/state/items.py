"""The items of a feed: messages, one's own messages on their way, and notes.

Items are never changed: what is different is another item. So what was laid out for one holds as long as it is there.
"""

from typing import Literal

from msgspec import Struct

from chat_server.protocol.messages import Message

Place = tuple[int, int]  # a message's id; the order of what stands behind it
NoteKind = Literal["info", "done", "error"]
Offer = tuple[str, ...]  # what a note says one may do, as ("invitation", "#team")


class Item(Struct, frozen=True, eq=False):
    """`at` is a time as the protocol writes it."""

    place: Place
    at: str


class MessageItem(Item, frozen=True, eq=False, kw_only=True):
    """`replies`: how many messages answer it, with those that have come since it was loaded."""

    message: Message
    replies: int = 0


class NoteItem(Item, frozen=True, eq=False, kw_only=True):
    """Told by the client or the server to this user alone. `dismissable`: the outcome of a command, which goes when it
    has been read; what has happened in the chat stays. `offer`: what it says one may do; it goes with that."""

    kind: NoteKind
    text: str
    dismissable: bool = False
    offer: Offer | None = None


class UnsentItem(Item, frozen=True, eq=False, kw_only=True):
    """A message of one's own that the server has not acknowledged: waiting, held, or failed (`why`)."""

    key: str
    text: str
    state: Literal["waiting", "held", "failed"]
    why: str = ""
    reply_to: int | None = None


def excerpt(text: str) -> str:
    """The beginning of a text, on one line, for what quotes it."""
    return " ".join(text[:240].split())
