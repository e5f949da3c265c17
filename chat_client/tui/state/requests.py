"""The purposes of requests to the server, which say where the reply goes."""

from typing import Literal

from msgspec import Struct

Side = Literal["newest", "oldest", "before", "after", "around", "unread"]


class HistoryRequest(Struct, frozen=True):
    """A page of a chat: the newest or the oldest one, one next to the feed on either side, or the one around `id`.
    `unread`: the page with the first unread message, around `id`, or the newest one if all of them are on it (`id` is
    None)."""

    chat: str
    side: Side
    id: int | None = None


class NewestRequest(Struct, frozen=True):
    """The newest message of a chat, which is then marked as read."""

    chat: str


class TimeRequest(Struct, frozen=True):
    """The first message of a chat since a time, which is then shown in its place. `day` is how the user called it."""

    chat: str
    day: str


class ThreadRequest(Struct, frozen=True):
    """A message with its comments. `chat` was open, and `typed` stood in the line, when it was asked for; `moves` is
    that of the screen then."""

    id: int
    chat: str
    typed: str = ""
    moves: int = 0

    @property
    def line(self) -> str:
        return f"/thread {self.id}"


class ResultsRequest(Struct, frozen=True):
    """Messages for a view of their own: of a search, or of any other command that returns messages."""

    title: str
    query: str = ""  # of a search
    more: bool = False  # of those that are shown already


class QuoteRequest(Struct, frozen=True):
    """A message that another one answers, which is on the screen."""

    id: int


class BackgroundRequest(Struct, frozen=True):
    """Asked by the client for itself: the answer changes the state and is not shown."""


class TypedRequest(Struct, frozen=True):
    """Typed by the user in this chat: the answer is shown there. `moves` is that of the screen then."""

    chat: str
    line: str
    moves: int = 0


class ChangeRequest(Struct, frozen=True):
    """Done by a key to a message of this chat: only a refusal is shown in the chat; success is seen, and told for a
    moment. `value` is the new text, or the emoji."""

    chat: str
    verb: Literal["edit", "delete", "react", "unreact"]
    id: int
    value: str = ""


Opening = TypedRequest | ThreadRequest  # those whose answers may open a chat or a thread

Purpose = (
    HistoryRequest
    | NewestRequest
    | TimeRequest
    | ThreadRequest
    | ResultsRequest
    | QuoteRequest
    | BackgroundRequest
    | TypedRequest
    | ChangeRequest
)
