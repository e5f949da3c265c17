"""The outcomes of commands: what was prepared or read, and results of rules with their effects."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Literal, final

from msgspec import Struct

from chat_server.errors import Refusal
from chat_server.log.entries import Logged
from chat_server.protocol.base import Event, Reply
from chat_server.store.stretches import Part


class Push(Struct, frozen=True):
    """An event for everyone, for these users, or for all members of a private chat (`room`, its id).

    It goes to all their sessions except for the one whose command caused it. `notice` is the id under which the event
    is kept until its user has been told, 0 if it is not kept. `before` is the seq that a changed message had before.
    """

    event: Event
    users: tuple[int, ...] | None = None
    notice: int = 0
    room: int = 0
    before: int = 0


class MembershipChange(Struct, frozen=True):
    """A change of membership: a user joined a private chat (`came`) or left it.

    For the pushes of the same entry, a user who joins is not in the chat yet, and one who leaves is in it no more. An
    event for that user is pushed to the user.
    """

    user_id: int
    room: int
    name: str
    came: bool


class Ending(Struct, frozen=True):
    """The connections of a user that an entry closes, once everything of its batch has been sent.

    These are all of the user's, or with `session` or `token` only that session and those that signed in by that token.
    `asker` says what becomes of the connection whose command it is, if it is among them.
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


@final
class Entered(Struct, frozen=True):
    """A sign-in: the user of a session, the token that it signed in by, and the private chats that the user is in.

    The reply follows once the session has been shown what it missed.
    """

    user_id: int
    name: str
    new: bool
    rooms: tuple[int, ...] = ()
    away: str | None = None
    token: bytes | None = None


@final
class Opened(Struct, frozen=True):
    """An upload that waits for its bytes. The reply follows once it is known how many of the `size` are there."""

    upload: int
    size: int


@final
class Stale(Exception):
    """Raised when what *prepare* looked at has changed since, so that the command has to be prepared again."""


Result = Reply | Entered | Opened | Refusal | None
Then = tuple[Logged, Reply]
Item = Event | Part
"""What a reading shows: an event, or several messages that may be shared with other readings."""


def events_of(page: Iterable[Item]) -> Iterator[Event]:
    """One after the other."""
    for part in page:
        if isinstance(part, Part):
            yield from part
        else:
            yield part


class Page(Struct, frozen=True):
    """A page of a reading. The last one has the `end`: the reply, or a command to log before the reply is sent."""

    events: Sequence[Item]
    end: Reply | Then | None = None


LastPage = Page | Reply | Then
Answer = Generator[Sequence[Item], None, LastPage]
"""Pages of events, then the last one or the end alone. Two pages are two ways to the reader's thread and back."""


class Prepared(Struct, frozen=True):
    """A command for the log, and what only its user is told: a token, or the reply that `reply` makes of the rule's.

    `position` is that of whoever resumes: everything up to there has been shown.
    """

    command: Logged
    token: str | None = None
    reply: Callable[[Any], Reply] | None = None
    position: int | None = None
