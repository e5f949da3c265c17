"""The client's own events: states of the connection, and of what was sent.

The order on a stream of events: `Connecting`, then what was missed (messages), `Connected`, what is pushed, `Lost`,
`Connecting`, ... and at most one `Ended`, the last of all. So what comes between `Connecting` and `Connected` was
said earlier.
"""

from typing import Any, Literal

from msgspec import Struct

from chat_client.sdk.errors import ChatError
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.sanitize import clean


class Connecting(Struct, frozen=True):
    """A connection to this server (`host:port`) is being made; `attempt` counts from 1 since the last `Connected`."""

    server: str
    attempt: int


class Connected(Struct, frozen=True):
    """Signed in, and all that was missed has come. `resumed`: from where the last connection ended, without a gap.

    `signed_in.chats` has the chats with their unread counts and read markers; `.ban`, `.invitations` and so on as the
    server says.
    """

    server: str
    signed_in: SignedIn
    resumed: bool


class Lost(Struct, frozen=True):
    """The connection is gone. The next try is at `retry_at` of `sdk.clock.elapsed`, or at `Chat.reconnect`.

    `going_to`: the server was of no use, and was left for this one, which is.
    """

    why: str
    retry_at: float
    going_to: str | None = None


class Ended(Struct, frozen=True):
    """There will be no further try: signed out, account deleted, the sign-in is refused now. `code` as in `closing`
    or in an error; `closed` after `Chat.close`."""

    code: str
    why: str


class Forgotten(Struct, frozen=True):
    """The server has another history (it was restored): all that was kept of messages and ids is void.

    What is unread there comes next, then `Connected`. What is to be shown is fetched again (`history`).
    """


class TokenNotKept(Struct, frozen=True):
    """The token could not be stored, so the next run has to sign in again. Comes after `Connected`."""

    why: str


State = Connecting | Connected | Lost | Ended


def chat_name(target: str) -> str:
    """The chat that a typed target means: a name alone is a user's."""
    if target.lower() == "main":
        return "main"
    return target if target.startswith(("#", "@")) else f"@{target}"


OutgoingState = Literal["waiting", "held", "sent", "failed", "discarded"]


class Outgoing(Struct, frozen=True):
    """A sending command as it stands now. The same `key` is the same command; each change of `state` is an event.

    waiting     goes out, or has gone out and was not answered yet, or waits for the connection; with an `error`: the
                server could not take it (`unavailable`, `busy`), and it goes out again
    held        waited more than five minutes: goes out after `Chat.confirm`, or never after `Chat.discard`
    sent        the server has it: `reply` is its `ok` (`Sent` with `id` and `at`, `DelayedSet`, ...)
    failed      the server refused it: `error`
    discarded   by `Chat.discard`
    """

    key: str
    verb: str
    arguments: dict[str, Any]  # by the names of the protocol, without `key`
    since: float  # Unix time, seconds
    state: OutgoingState = "waiting"
    in_doubt: bool = False  # it went out and the connection broke: the server may have it; the key keeps it single
    reply: Reply | None = None
    error: ChatError | None = None
    is_shown: bool = False  # sent: its `Message` has come before

    @property
    def target(self) -> str | None:
        """Where it goes: `main`, `#team`, `@bob`; None where the command does not say (`reply`)."""
        if self.verb == "send_all":
            return "main"
        target = self.arguments.get("target")
        return chat_name(target) if isinstance(target, str) else None

    @property
    def text(self) -> str:
        """The text as the server will store it (without control characters); "" if it has none."""
        return clean(str(self.arguments.get("text", "")))

    @property
    def summary(self) -> str:
        """What a person who waits for it is shown: a text, a text with its delay, a file's name."""
        if self.verb == "send_delayed":
            return f"delayed {clean(str(self.arguments.get('delay', '')))}: {self.text}"
        if self.verb == "send_file":
            return f"file {clean(str(self.arguments.get('name', '')))}"
        return self.text


class Unknown(Event, frozen=True, tag="unknown"):
    """An event of a newer server. `name` is its `type`, `fields` all the others."""

    name: str
    fields: dict[str, Any]


class OtherReply(Reply, frozen=True):
    """The `ok` of a command whose reply this client has no class for. `fields` without `type`, `re` and `label`."""

    fields: dict[str, Any]


AnyEvent = Event | Connecting | Connected | Lost | Ended | Forgotten | TokenNotKept | Outgoing
