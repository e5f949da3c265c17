"""What the log holds: entries in batches, and the commands that the server itself logs.

An entry holds everything that its execution depends on besides the store: the times, drawn tokens (their hashes),
verified passwords (the hash that was seen), folded names, addresses. The same batches give the same database on any
machine. `VERSION` grows when the meaning of an entry changes.

Nothing here may hold a password or a token: the log is kept, and copied to other machines.
"""

from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias, Union

from msgspec import Struct

from chat_server.protocol.arguments import RoomTarget, Target
from chat_server.protocol.base import Command
from chat_server.protocol.files import SendFile
from chat_server.protocol.names import Name
from chat_server.protocol.table import CONTROL, TABLE

VERSION = 3
# Who asks, where it is the machine itself and no user: over the control socket. It may do what operators may.
MACHINE = -1


class Limits(Struct, frozen=True):
    """The settings that rules depend on. Milliseconds, characters and counts as in `settings`."""

    passwordless: bool
    replay_messages: int
    page_messages: int
    main_rate_count: int | None
    main_rate_window_ms: int
    reports_to_ban: int
    ban_ms: int
    reports_per_day: int
    report_min_age_ms: int
    delayed_max: int
    delayed_ahead_ms: int
    token_ttl_ms: int
    chats_max: int = 100
    link_ttl_ms: int = 24 * 3_600_000
    # With defaults, since a database may hold limits from before they were there.
    message_ttl_ms: int | None = None
    absent_after_ms: int | None = None
    file_bytes_max: int = 5 << 20
    file_quota_bytes: int = 100 << 20
    registration: str = "open"
    # From one network.
    accounts_count: int | None = None
    accounts_window_ms: int = 0
    text_quota_bytes: int = 50 << 20


class Internal(Struct, frozen=True, tag_field="cmd"):
    """A command that no line can say: made by *prepare* from one that a line can, or by the node itself."""

    @property
    def adds(self) -> bool:
        """As `Command.adds`."""
        return False

    @property
    def announced_bytes(self) -> int:
        """As `Command.announced_bytes`."""
        return 0


class Configure(Internal, frozen=True, tag="configure"):
    """The limits from here on, and whom the settings name as operators."""

    limits: Limits
    operators: list[Name] = []


class Enter(Internal, frozen=True, tag="enter"):
    """A sign-in whose password was looked at already.

    `saw_hash` is the password hash that it was checked against, None where there was no account or no password on it;
    `new_hash` is that of the password to register with. `token_hash` is None for a session that needs no token.
    `register` says whether a new name may be registered; `code` is the SHA-256 of one that invites.
    """

    name: Name
    saw_hash: str | None
    new_hash: str | None
    password_given: bool
    token_hash: bytes | None
    register: bool = True
    code: bytes | None = None


class EnterByToken(Internal, frozen=True, tag="enter_by_token"):
    token_hash: bytes


class EndTokens(Internal, frozen=True, tag="end_tokens"):
    """Signing out a session and the token that it came in by; without a session all of them."""

    session: int | None
    token: bytes | None = None


class UseTokens(Internal, frozen=True, tag="use_tokens"):
    """Connections that came in by these tokens are still there."""

    hashes: list[bytes]


class SetPassword(Internal, frozen=True, tag="set_password"):
    """`saw_hash` was checked against the old password; `keep` is the token of the session that asks."""

    saw_hash: str | None
    new_hash: str
    keep: bytes | None


class CloseAccount(Internal, frozen=True, tag="close_account"):
    saw_hash: str | None


class MakeLink(Internal, frozen=True, tag="make_link"):
    """A link into a private chat; `hash` is the SHA-256 of its code."""

    adds: ClassVar[bool] = True
    chat: RoomTarget
    hash: bytes


class Accept(Internal, frozen=True, tag="accept"):
    """Joins a private chat by invitation."""

    adds: ClassVar[bool] = True
    chat: Target


class Ask(Internal, frozen=True, tag="ask"):
    """Asks to be let into the private chat of the link with this hash."""

    adds: ClassVar[bool] = True
    hash: bytes


class OpenUpload(Internal, frozen=True, tag="open_upload"):
    """Whoever has this lease on the node of the batch holds the upload from then on: its chunks come from there."""

    asked: SendFile
    lease: str

    @property
    def adds(self) -> bool:
        return self.asked.adds

    @property
    def announced_bytes(self) -> int:
        return self.asked.announced_bytes


class CompleteUpload(Internal, frozen=True, tag="complete_upload"):
    """All bytes of an upload are on disk, with this sha256."""

    adds: ClassVar[bool] = True
    upload: int
    sha256: str


class LeaveUploads(Internal, frozen=True, tag="leave_uploads"):
    """The holder of this lease is gone: its uploads wait a while for their users.

    None is for all leases of the node of the batch, which has been started anew.
    """

    lease: str | None


class Declined(Internal, frozen=True, tag="declined"):
    """A command that its node had no room for, in whose place this was ordered: it is refused everywhere."""


class Swept(Internal, frozen=True, tag="swept"):
    """What the store noted under these numbers to be taken off the disk is gone from there."""

    dropped: list[int]


class Seen(Internal, frozen=True, tag="seen"):
    """A text session was sent everything up to `seq` and then gave a sign of life: all of it is read.

    What it was not shown, since it said that it knew all up to `shown_from`, stays unread if it was.
    """

    seq: int
    shown_from: int = 0


class MarkRead(Internal, frozen=True, tag="mark_read"):
    """`/messages` and `/get_chat_with` returned the chat's messages up to `up_to`."""

    chat_id: int
    up_to: int


class Told(Internal, frozen=True, tag="told"):
    """The user was told these kept events."""

    notices: list[int]


class Departed(Internal, frozen=True, tag="departed"):
    """The user's last connection ended."""


class Erase(Internal, frozen=True, tag="erase"):
    """Goes on removing what deleted accounts left, where nothing else that is due is to be done."""


class Due(Internal, frozen=True, tag="due"):
    """The time of the entry has come for whatever waits for it: delayed messages, ends of bans, what has expired."""


# What may stand in the log: the commands of the table that run from there, and those of the server itself.
LOGGED: tuple[type[Command | Internal], ...] = (
    *(spec.build for spec in (*TABLE.values(), *CONTROL.values()) if spec.runs == "logged"),
    *Internal.__subclasses__(),
)
if TYPE_CHECKING:
    Logged: TypeAlias = Command | Internal
else:
    Logged = Union[LOGGED]  # noqa: UP007 (there is no other way to write it)


class Identity(NamedTuple):
    """A node, and which of its starts: each start numbers its sessions anew."""

    node: str
    incarnation: int


class Origin(Struct, frozen=True):
    """Who is given the reply: the session with this number, of this start of this node.

    `number` counts the commands that the session had logged, from 1.
    """

    node: str
    incarnation: int
    session: int
    number: int


class Entry(Struct, frozen=True):
    """One command in the log.

    `origin` is None where nobody waits for a reply. `network` is what the sender's address counts as
    (`addresses.network_of`), "" for the server itself. `has_room` tells of the disk of the node that took the command:
    without it rules add nothing.
    """

    command: Logged
    user_id: int = 0
    origin: Origin | None = None
    network: str = ""
    has_room: bool = True


class Batch(Struct, frozen=True):
    """Entries that one node took in one turn, and their place in the log.

    `history` is the random id of the chat whose log it is; `number` counts its batches from 1. `at_ms` is the wall
    clock and may be before the last batch's; `elapsed_ms` never is: see `chat_time`.
    """

    history: str
    node: str
    incarnation: int
    number: int
    at_ms: int
    elapsed_ms: int
    entries: list[Entry]
    version: int = VERSION


class WrongBatch(Exception):
    """A batch that MUST NOT be executed on this database; the message is for whoever runs the server."""


def is_next(batch: Batch, history: str | None, applied: int) -> bool:
    """Whether a database may execute the batch; False where it has done so, since a log may repeat. Raises WrongBatch.

    `history` and `applied` are those of the database: None and 0 for a new one.
    """
    if batch.version != VERSION:
        raise WrongBatch(
            f"batch {batch.number} of the log, from node {batch.node}, has version {batch.version}, and this program"
            f" knows version {VERSION} alone: all nodes must run the same chat-server"
        )
    if history is not None and batch.history != history:
        raise WrongBatch(
            f"batch {batch.number} of the log is of the chat {batch.history}, and the database is of the chat"
            f" {history}: the one that belongs to the log must be put in its place"
        )
    if batch.number > applied + 1:
        raise WrongBatch(
            f"the log goes on with batch {batch.number}, and the database has executed those up to {applied}: what is"
            " between them is missing"
        )
    return batch.number == applied + 1
