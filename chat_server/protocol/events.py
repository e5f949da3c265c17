"""What the server says: events that are pushed or returned, and the replies that end each command.

The fields are those of the JSON form (`json`); how each reads as text is in `text`. Absent fields are None and left
out. A reply's class is named by what was done; on the wire it is `ok`. The replies of private chats are in
`room_replies`.
"""

from typing import Any

from msgspec import Struct, field

# Of one `expired` event.
EXPIRED_IDS_MAX = 500


class Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A line of its own: pushed, or returned before a reply."""


class File(Struct, frozen=True):
    id: int
    name: str
    size: int
    sha256: str


class Message(Event, frozen=True, tag="message"):
    """A message as one reader sees it: `chat` is named from the reader's side. Times are ISO 8601, UTC."""

    id: int
    seq: int
    chat: str
    from_: str = field(name="from")
    at: str
    text: str | None = None
    reply_to: int | None = None
    edited: str | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] | None = None
    file: File | None = None
    delayed: bool = False
    mentions: list[str] | None = None


class QuietMessage(Message, frozen=True, tag="message"):
    """A message whose change is told to programs alone: one line told people of all such changes together."""


class FileChunk(Event, frozen=True, tag="file_chunk"):
    """Bytes of a file that is fetched, in base64; `file` says with the first ones what it is."""

    id: int
    offset: int
    data: str
    file: File | None = None


class Presence(Event, frozen=True, tag="presence"):
    user: str
    online: bool
    away: str | None = None


class ReadMarker(Event, frozen=True, tag="read"):
    chat: str
    id: int


class Muted(Event, frozen=True, tag="muted"):
    chat: str
    muted: bool


class Banned(Event, frozen=True, tag="banned"):
    until: str
    reason: str


class Unbanned(Event, frozen=True, tag="unbanned"):
    pass


class DelayedSent(Event, frozen=True, tag="delayed_sent"):
    id: int
    message_id: int


class DelayedFailed(Event, frozen=True, tag="delayed_failed"):
    id: int
    code: str


class Expired(Event, frozen=True, tag="expired"):
    """These messages have lived their time: they are gone."""

    chat: str
    ids: list[int]


class Invited(Event, frozen=True, tag="invited"):
    chat: str
    by: str


class JoinRequest(Event, frozen=True, tag="join_request"):
    chat: str
    user: str


class Joined(Event, frozen=True, tag="joined"):
    chat: str
    user: str


class Left(Event, frozen=True, tag="left"):
    """`by`: who removed the user, None for who left."""

    chat: str
    user: str
    by: str | None = None


class Approved(Event, frozen=True, tag="approved"):
    chat: str


class Denied(Event, frozen=True, tag="denied"):
    chat: str


class TopicChanged(Event, frozen=True, tag="topic"):
    """An empty topic: there is none any more."""

    chat: str
    topic: str
    by: str


class Notice(Event, frozen=True, tag="notice"):
    """`unread`: the numbers that it tells; `chat` and `owner`: a private chat has a new owner; `by`:
    the operator who announces it.
    """

    text: str
    unread: dict[str, int] | None = None
    chat: str | None = None
    owner: str | None = None
    by: str | None = None


class Closing(Event, frozen=True, tag="closing"):
    reason: str
    code: str


class Act(Event, frozen=True, tag="act"):
    """What an operator did, as the log of their acts has it; over the control socket alone."""

    id: int
    at: str
    who: str
    act: str
    whom: str | None = None
    why: str | None = None


class Record(Event, frozen=True, tag="record"):
    """One thing that is kept of a user; over the control socket alone."""

    kind: str
    data: dict[str, Any]


AnyEvent = (
    Message | FileChunk | Presence | ReadMarker | Muted | Banned | Unbanned | DelayedSent | DelayedFailed
    | Expired
    | Invited | JoinRequest | Joined | Left | Approved | Denied | TopicChanged | Notice | Closing | Act | Record
)  # fmt: skip


class Reply(Struct, frozen=True, omit_defaults=True):
    """The end of a command that was done."""


class Chat(Struct, frozen=True, omit_defaults=True):
    """A chat of the user's. `read` is the marker, an id; `members` is told for one-to-one and private chats.

    `more` is the command that lists the members who are not in it.
    """

    name: str
    read: int
    unread: int
    muted: bool
    owner: str | None = None
    topic: str | None = None
    members: list[str] | None = None
    more: str | None = None


class Invitation(Struct, frozen=True):
    chat: str
    by: str


class Request(Struct, frozen=True):
    """Somebody asks to be let into a chat of the user's."""

    chat: str
    user: str


class Ban(Struct, frozen=True):
    until: str
    reason: str


class SignedIn(Reply, frozen=True, omit_defaults=True):
    user: str
    new: bool
    seq: int
    history: str
    chats: list[Chat]
    invitations: list[Invitation]
    join_requests: list[Request]
    token: str | None = None
    ban: Ban | None = None


class SignedOut(Reply, frozen=True, omit_defaults=True):
    closed: int


class PasswordSet(Reply, frozen=True, omit_defaults=True):
    pass


class AccountDeleted(Reply, frozen=True, omit_defaults=True):
    user: str


class Sent(Reply, frozen=True, omit_defaults=True):
    id: int
    at: str


class Changed(Reply, frozen=True, omit_defaults=True):
    """A message was edited, deleted, or reacted to; `seq` is that of the change.

    `message` is what the others are pushed, from the asker's side; an operator is not told it of a chat of others.
    `note` says why nothing changed.
    """

    id: int
    seq: int
    message: Message | None = None
    note: str | None = None


class Thread(Reply, frozen=True, omit_defaults=True):
    """The end of a thread that was shown: `id` is the message that it is about."""

    id: int
    chat: str
    comments: int


class Talking(Reply, frozen=True, omit_defaults=True):
    target: str | None = None


class DelayedSet(Reply, frozen=True, omit_defaults=True):
    """`due`: when it goes out at the earliest, and `note` why that is not when it was to."""

    delayed_id: int
    due: str
    note: str | None = None


class DelayedCancelled(Reply, frozen=True, omit_defaults=True):
    delayed_id: int


class Waiting(Struct, frozen=True):
    """A delayed message that waits."""

    delayed_id: int
    target: str
    due: str
    text: str


class DelayedList(Reply, frozen=True, omit_defaults=True):
    delayed: list[Waiting]


class Page(Reply, frozen=True, omit_defaults=True):
    """The end of a page of messages. `more` is the command for the next one; `unread` what is still unread."""

    chat: str
    count: int
    unread: int | None = None
    more: str | None = None


class Found(Reply, frozen=True, omit_defaults=True):
    """The end of a page of what was sought. `more` goes on where this one ends, which may be before it is full.

    `note` says why pages end sooner than they will.
    """

    count: int
    more: str | None = None
    note: str | None = None


class MarkedRead(Reply, frozen=True, omit_defaults=True):
    chat: str
    id: int


class Limit(Struct, frozen=True, omit_defaults=True):
    """How much of a limit is used up; `until`: when it starts again."""

    used: int
    max: int
    until: str | None = None


class StatusReport(Reply, frozen=True, omit_defaults=True):
    user: str
    active: list[str]
    inactive: list[str]
    chats: list[Chat]
    invitations: list[Invitation]
    join_requests: list[Request]
    limits: dict[str, Limit]
    at: str
    away: dict[str, str] | None = None
    ban: Ban | None = None
    more: str | None = None
    operator: bool = False


class WhoReport(Reply, frozen=True, omit_defaults=True):
    user: str
    online: bool
    at: str
    last_seen: str | None = None
    away: str | None = None


class Reported(Reply, frozen=True, omit_defaults=True):
    user: str
    reports: int
    limit: int
    note: str | None = None


class PresenceSet(Reply, frozen=True, omit_defaults=True):
    presence: bool


class HelpText(Reply, frozen=True, omit_defaults=True):
    help: list[str]


class CommandForm(Struct, frozen=True):
    """A command as `/format json` tells it to a program."""

    verb: str
    aliases: tuple[str, ...]
    usage: str
    help: str
    group: str
    example: str
    arguments: list[dict[str, Any]]


class FormatSet(Reply, frozen=True, omit_defaults=True):
    format: str
    server: str | None = None
    version: str | None = None
    protocol: int | None = None
    commands: list[CommandForm] | None = None
    limits: dict[str, Any] | None = None


class Pong(Reply, frozen=True, omit_defaults=True):
    word: str | None = None


class Connection(Struct, frozen=True, omit_defaults=True):
    """One of the user's connections; `this` marks the one that asks."""

    session: int
    address: str
    since: str
    client: str | None = None
    this: bool = False


class SessionList(Reply, frozen=True, omit_defaults=True):
    sessions: list[Connection]


class Goodbye(Reply, frozen=True, omit_defaults=True):
    pass
