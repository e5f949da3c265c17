"""What the state wants done outside of it. The application carries it out, and tells the state what came of it."""

from typing import Any

from msgspec import Struct

from chat_client.tui.state.requests import Purpose, ResultsRequest, TypedRequest


class Effect(Struct, frozen=True):
    pass


class Ask(Effect, frozen=True):
    """A command for the server; its answer comes back with `why`."""

    verb: str
    arguments: dict[str, Any]
    why: Purpose


class Run(Effect, frozen=True):
    """A line that starts with `/`, for the server to execute; its answer comes back with `why`."""

    line: str
    why: TypedRequest | ResultsRequest


class PostMessage(Effect, frozen=True):
    """A message to send, once."""

    verb: str
    arguments: dict[str, Any]


class Confirm(Effect, frozen=True):
    """Send what is held."""


class Discard(Effect, frozen=True):
    """Do not send what is held."""


class Reconnect(Effect, frozen=True):
    pass


class Ring(Effect, frozen=True):
    """Ring, and show this on the desktop."""

    title: str
    body: str


class SetText(Effect, frozen=True):
    """The whole text of the input from now on, the cursor behind it."""

    text: str


class InsertText(Effect, frozen=True):
    """At the cursor of the input."""

    text: str


class Copy(Effect, frozen=True):
    """To the terminal's clipboard."""

    text: str


class UploadFile(Effect, frozen=True):
    chat: str
    target: str
    path: str


class SendText(Effect, frozen=True):
    """As a file: it is too long for a message."""

    target: str
    text: str


class DownloadFile(Effect, frozen=True):
    """What comes of it is told in the chat."""

    chat: str
    id: int
    name: str | None = None
    opens: bool = False


class CancelTransfers(Effect, frozen=True):
    pass


class Redraw(Effect, frozen=True):
    """Draw all of the screen anew, whatever has disturbed it."""


class SetMouse(Effect, frozen=True):
    on: bool


class Exit(Effect, frozen=True):
    pass
