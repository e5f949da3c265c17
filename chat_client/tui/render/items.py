"""What stands in a chat's stream: what was said, what is on its way, and what only this client tells."""

from typing import Any, Literal

from msgspec import Struct

from chat_server.protocol.messages import Message

Place = tuple[int, int]  # a message's id; the order of what stands behind it
NoteKind = Literal["info", "done", "error"]


class Row(Struct, frozen=True):
    """One row of the screen: its fragments, the style under all of it, and what a click on it means: the message or the
    chat that it belongs to, or a command to type."""

    fragments: tuple[tuple[str, str], ...]
    fill: str = ""
    id: int | None = None
    chat: str | None = None
    command: str | None = None


class Item(Struct, eq=False):
    """`cache` holds its rows as they were laid out last, with all that they depend on."""

    place: Place
    at: str
    cache: tuple[Any, list[Row]] | None = None


class Said(Item, eq=False, kw_only=True):
    message: Message


class Note(Item, eq=False, kw_only=True):
    """Said by the client or the server to this user alone: the outcome of a command."""

    kind: NoteKind
    text: str


class Pending(Item, eq=False, kw_only=True):
    """A message of one's own that the server has not acknowledged: waiting, held or failed (`why`)."""

    key: str
    text: str
    state: Literal["waiting", "held", "failed"]
    why: str = ""
    reply_to: int | None = None


def begin(text: str) -> str:
    """How a text begins, for what quotes it."""
    return " ".join(text[:240].split())
