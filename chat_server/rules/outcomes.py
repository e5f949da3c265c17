"""What comes of a rule: its result, what it pushes to whom, who came or went, whose connections end."""

from collections.abc import Generator, Sequence
from typing import Literal

from msgspec import Struct

from chat_server.errors import Refusal
from chat_server.log.entries import Logged
from chat_server.protocol.base import Event, Reply


class Push(Struct, frozen=True):
    """An event for everyone, for these users, or for all who are in a private chat (`room`, its id).

    It goes to all their sessions but the one whose command it came from. `notice` is the id under which the event is
    kept until the user is told, 0 if it is not.
    """

    event: Event
    users: tuple[int, ...] | None = None
    notice: int = 0
    room: int = 0


class Move(Struct, frozen=True):
    """A user came into a private chat, or went.

    Who comes is not yet in the chat for the pushes of the same entry, and who goes is in it no more: what they are told
    is pushed to them.
    """

    user_id: int
    room: int
    name: str
    came: bool


class Ending(Struct, frozen=True):
    """Connections of a user that an entry ends, once everything of its batch has been said.

    All of them; with `session` or `token` only that one, and those that came in by that token. `asker`: what becomes of
    the connection whose command it is, if it is among them.
    """

    user_id: int
    code: str
    reason: str
    session: int | None = None
    token: bytes | None = None
    asker: Literal["closed", "kept", "signed_out"] = "closed"

    def is_of(self, session: int, token: bytes | None) -> bool:
        everyone = self.session is None and self.token is None
        return everyone or session == self.session or (token is not None and token == self.token)


class Entered(Struct, frozen=True):
    """Who a session belongs to from here on, the token that it came in by, and which private chats that user is in.

    Its reply follows once it has been shown what it missed.
    """

    user_id: int
    name: str
    new: bool
    rooms: tuple[int, ...] = ()
    away: str | None = None
    token: bytes | None = None


class Opened(Struct, frozen=True):
    """An upload that waits for its bytes. Its reply follows once it is known how many of the `size` are there."""

    upload: int
    size: int


class Stale(Exception):
    """What *prepare* looked at has changed since: the command has to be prepared again."""


Result = Reply | Entered | Opened | Refusal | None
Then = tuple[Logged, Reply]
Answer = Generator[Sequence[Event], None, Reply | Then]
"""Pages of events, then the reply, or what has to be logged before the reply is said."""
