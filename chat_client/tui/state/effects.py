"""What the model wants done outside of it. `app` does it, and tells the model what came of it."""

from typing import Any, Literal

from msgspec import Struct

Side = Literal["newest", "before", "after", "around", "unread"]


class Page(Struct, frozen=True):
    """A page of a chat was asked for: the newest, those next to the window on one side, those around `id`; or those
    with the first unread one: around `id`, or the newest if all of them are among these (`id` is None)."""

    chat: str
    side: Side
    id: int | None = None


class ThreadOf(Struct, frozen=True):
    """`typed`: what stood in the line when it was asked for."""

    id: int
    typed: str = ""


class Results(Struct, frozen=True):
    """Messages for a view of their own: of a search, or of any other command that returns messages."""

    title: str
    more: bool = False  # of those that are shown already


class Quoted(Struct, frozen=True):
    id: int


class Quiet(Struct, frozen=True):
    """Asked by the client for itself: the answer changes the state and is not shown."""


class Shown(Struct, frozen=True):
    """Typed by the user in this chat: the answer is shown there."""

    chat: str
    line: str


class Changing(Struct, frozen=True):
    """Done by a key to a message of this chat: only a refusal is shown, what is done is seen and told for a moment.
    `value` is the new text, or the emoji."""

    chat: str
    verb: Literal["edit", "delete", "react", "unreact"]
    id: int
    value: str = ""


Why = Page | ThreadOf | Results | Quoted | Quiet | Shown | Changing


class Effect(Struct, frozen=True):
    pass


class Ask(Effect, frozen=True):
    """A command for the server; its outcome comes back with `why`."""

    verb: str
    arguments: dict[str, Any]
    why: Why


class Run(Effect, frozen=True):
    """A line that starts with `/`, as it was typed."""

    line: str
    why: Shown | Results


class Post(Effect, frozen=True):
    """A message to send, once."""

    verb: str
    arguments: dict[str, Any]


class Confirm(Effect, frozen=True):
    """Send what is held."""


class Discard(Effect, frozen=True):
    """Do not send what is held."""


class Reconnect(Effect, frozen=True):
    pass


class Attention(Effect, frozen=True):
    """Ring, and show this on the desktop."""

    title: str
    body: str


class SetText(Effect, frozen=True):
    """What stands in the input from now on, the cursor behind it."""

    text: str


class InsertText(Effect, frozen=True):
    """At the cursor of the input."""

    text: str


class Copy(Effect, frozen=True):
    """To the terminal's clipboard."""

    text: str


class SendFile(Effect, frozen=True):
    chat: str
    target: str
    path: str


class SendText(Effect, frozen=True):
    """As a file: it is too long for a message."""

    target: str
    text: str


class GetFile(Effect, frozen=True):
    chat: str
    id: int
    path: str | None = None
    open: bool = False


class CancelTransfers(Effect, frozen=True):
    pass


class SetMouse(Effect, frozen=True):
    on: bool


class Leave(Effect, frozen=True):
    pass
