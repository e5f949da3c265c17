"""Effects: what the state wants done outside of it. `app` carries them out, and tells the state what came of them."""

from typing import Any

from msgspec import Struct

from chat_client.common.typed_lines import AskServer
from chat_client.tui.state.requests import Purpose, ResultsRequest, TypedRequest


class Ask(Struct, frozen=True):
    """A command for the server; its answer comes back with `why`."""

    verb: str
    arguments: dict[str, Any]
    why: Purpose


class Run(Struct, frozen=True):
    """A typed command for the server to execute; its answer comes back with `why`."""

    command: AskServer
    why: TypedRequest | ResultsRequest


class SignalTyping(Struct, frozen=True):
    """Others are told that the user types in a chat, or does not any more."""

    chat: str
    typing: bool


class PostMessage(Struct, frozen=True):
    """A message to send, once."""

    verb: str
    arguments: dict[str, Any]


class Confirm(Struct, frozen=True):
    """Send what is held."""


class Discard(Struct, frozen=True):
    """Do not send what is held."""


class Reconnect(Struct, frozen=True):
    pass


class Ring(Struct, frozen=True):
    """Ring, and show this on the desktop."""

    title: str
    body: str


class SetText(Struct, frozen=True):
    """The whole text of the input from now on, the cursor behind it."""

    text: str


class InsertText(Struct, frozen=True):
    """At the cursor of the input."""

    text: str


class OpenEditor(Struct, frozen=True):
    """Have the text edited outside; then it stands in the input."""

    text: str = ""


class Copy(Struct, frozen=True):
    """To the terminal's clipboard."""

    text: str


class OpenLink(Struct, frozen=True):
    """On the desktop; copied where there is none. `others`: what is told behind it."""

    link: str
    others: str = ""


class UploadFile(Struct, frozen=True):
    chat: str
    target: str
    path: str


class SendText(Struct, frozen=True):
    """As a file: it is too long for a message."""

    target: str
    text: str


class DownloadFile(Struct, frozen=True):
    """What comes of it is told in the chat."""

    chat: str
    id: int
    name: str | None = None
    opens: bool = False


class CancelTransfers(Struct, frozen=True):
    pass


class Redraw(Struct, frozen=True):
    """Draw all of the screen anew, whatever has disturbed it."""


class Exit(Struct, frozen=True):
    pass


Effect = (
    Ask
    | Run
    | SignalTyping
    | PostMessage
    | Confirm
    | Discard
    | Reconnect
    | Ring
    | SetText
    | InsertText
    | OpenEditor
    | Copy
    | OpenLink
    | UploadFile
    | SendText
    | DownloadFile
    | CancelTransfers
    | Redraw
    | Exit
)
