"""What the log holds: entries in batches, and the commands that the server itself logs.

An entry holds everything that its execution depends on besides the store: the times, drawn tokens (their hashes),
verified passwords (the version that was seen), folded names, addresses. The same batches give the same database on any
machine. A new entry, and a new field of one, needs a new version of the log (see `versions`).

Nothing here may hold a password or a token: the log is kept, and copied to other machines.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeAlias, Union

from msgspec import Struct

from chat_server.log.stream import Position
from chat_server.log.versions import OLDEST, VERSION
from chat_server.protocol.arguments import RoomTarget, Target
from chat_server.protocol.base import Command
from chat_server.protocol.control import CONTROL
from chat_server.protocol.files import SendFile
from chat_server.protocol.names import Name
from chat_server.protocol.table import TABLE

# Of one batch. Bounds how long a turn takes, and what is written to one connection at once.
ENTRIES_MAX = 1000
TEXT_CHARS_MAX = 49_152
# The user id of the machine itself, which asks over the control socket and may do what operators may.
MACHINE = -1
# No session has this number.
NO_SESSION = 0


class Limits(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
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
    # These have defaults, since a database may hold limits that were stored before these existed.
    message_ttl_ms: int | None = None
    absent_after_ms: int | None = None
    file_bytes_max: int = 5 << 20
    file_quota_bytes: int = 100 << 20
    registration: str = "open"
    # From one network.
    accounts_count: int | None = None
    accounts_window_ms: int = 0
    text_quota_bytes: int = 50 << 20
    # Wrong passwords for an account.
    tries_count: int | None = None
    tries_window_ms: int = 0


class Internal(Struct, frozen=True, tag_field="cmd", omit_defaults=True, forbid_unknown_fields=True):
    """A command that no line can say: a preparation makes it from one that a line said, or the node itself does."""

    announces: ClassVar[bool] = False

    @property
    def adds(self) -> bool:
        """As `Command.adds`."""
        return False

    @property
    def announced_bytes(self) -> int:
        """As `Command.announced_bytes`."""
        return 0


class Configure(Internal, frozen=True, tag="configure"):
    """Set the limits, and the operators that the settings name, from this entry on.

    With `only_first` they stay if any were set before, as those of a cluster do when a node of it starts.
    """

    limits: Limits
    operators: list[Name] = []
    only_first: bool = False


class Enter(Internal, frozen=True, tag="enter"):
    """A sign-in whose password has been checked.

    `saw_version` is the version of the password that was checked, 0 if there was no account or no password. `new_hash`
    is the hash of the password to register with. `token_hash` is None for a session that needs no token. `register`
    says whether a new name may be registered. `code` is the SHA-256 of an invitation code. `client` is the program that
    asks.
    """

    name: Name
    saw_version: int
    new_hash: str | None
    password_given: bool
    token_hash: bytes | None
    register: bool = True
    code: bytes | None = None
    client: str | None = None


class EnterByToken(Internal, frozen=True, tag="enter_by_token"):
    token_hash: bytes
    client: str | None = None


class EndTokens(Internal, frozen=True, tag="end_tokens"):
    """Sign out a session, with the token that it came in by, or all sessions of the user if `session` is None.

    With `NO_SESSION` the token ends, with the sessions that came in by it, wherever they are.
    """

    session: int | None
    token: bytes | None = None


class UseTokens(Internal, frozen=True, tag="use_tokens"):
    """Keep these tokens alive: connections that came in by them are still there."""

    hashes: list[bytes]


class SetPassword(Internal, frozen=True, tag="set_password"):
    """`saw_version` is that of the old password, as in `Enter`; `keep` is the asking session's token."""

    saw_version: int
    new_hash: str
    keep: bytes | None


class CloseAccount(Internal, frozen=True, tag="close_account"):
    """`saw_version` is that of the password, as in `Enter`."""

    saw_version: int


class WrongPassword(Internal, frozen=True, tag="wrong_password"):
    """A password for this account was wrong: the one that it has in this version. It is counted, then refused."""

    account: int
    saw_version: int


class MakeLink(Internal, frozen=True, tag="make_link"):
    """A link into a private chat; `hash` is the SHA-256 of its code."""

    adds: ClassVar[bool] = True
    chat: RoomTarget
    hash: bytes


class Accept(Internal, frozen=True, tag="accept"):
    """Join a private chat by invitation."""

    adds: ClassVar[bool] = True
    chat: Target


class Ask(Internal, frozen=True, tag="ask"):
    """Ask to be let into the private chat whose link has this hash."""

    adds: ClassVar[bool] = True
    hash: bytes


class OpenUpload(Internal, frozen=True, tag="open_upload"):
    """Open or resume an upload: the session with this lease, on the batch's node, sends its chunks from then on.

    In a cluster `object` is where its bytes will be in the object store (see `store.files`).
    """

    announces: ClassVar[bool] = True
    asked: SendFile
    lease: str
    object: str | None = None

    @property
    def adds(self) -> bool:
        return self.asked.adds

    @property
    def announced_bytes(self) -> int:
        return self.asked.announced_bytes


class CompleteUpload(Internal, frozen=True, tag="complete_upload"):
    """Complete an upload: all of its bytes are on disk, and this is their sha256.

    In a cluster they are in `object`, and were read back from there; `secret` is the key to them.
    """

    adds: ClassVar[bool] = True
    upload: int
    sha256: str
    object: str | None = None
    secret: bytes | None = None


class LeaveUploads(Internal, frozen=True, tag="leave_uploads"):
    """Release the uploads of a lease whose session is gone: they wait a while for their users.

    None stands for all leases of the node of the batch, which has been restarted.
    """

    lease: str | None


class RefuseForRoom(Internal, frozen=True, tag="refuse_for_room"):
    """Refuse the command in whose place this stands, as every node does: its own node had no room for it."""


class MarkSeen(Internal, frozen=True, tag="mark_seen"):
    """Mark everything up to `seq` as read: a text session was sent it, and then gave a sign of life.

    Messages up to `shown_from` were not shown, since the session said that it knew them; those unread stay unread.
    """

    seq: int
    shown_from: int = 0


class MarkRead(Internal, frozen=True, tag="mark_read"):
    """Mark the messages of a chat up to `up_to` as read: `/messages` or `/get_chat_with` returned them."""

    chat_id: int
    up_to: int


class ForgetNotices(Internal, frozen=True, tag="forget_notices"):
    """Forget these kept events, since their user has been told."""

    notices: list[int]


class NoteDeparture(Internal, frozen=True, tag="note_departure"):
    """Note that the user's last connection ended."""


class Erase(Internal, frozen=True, tag="erase"):
    """Go on removing what deleted accounts left behind, and do nothing else that is due."""


class Due(Internal, frozen=True, tag="due"):
    """Do what is due at the time of the batch: delayed messages, ends of bans, expiry."""


class EndStream(Internal, frozen=True, tag="end_stream"):
    """End the stream of the log that this stands in: the log goes on at the beginning of the stream `next`.

    The entry is alone in its batch. Nobody executes what stands after it in its stream.
    """

    next: int


class RaiseVersion(Internal, frozen=True, tag="raise_version"):
    """Raise the version of the log, since all living nodes know this one; a node that does not know it stops.

    The entry is alone in its batch.
    """

    version: int


class Mark(Internal, frozen=True, tag="mark"):
    """A place in the log at which nodes compare their states (see `cluster.verification`); it changes nothing.

    The entry is alone in its batch.
    """

    mark: str


# Those that are alone in their batch.
ALONE = (EndStream, RaiseVersion, Mark)

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


class Origin(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where the reply goes: to the session with this number, of this start of this node.

    `number` counts the logged commands of the session from 1.
    """

    node: str
    incarnation: int
    session: int
    number: int


class Entry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One command in the log.

    `origin` is None if nobody waits for a reply. `network` is what the sender's address counts as
    (`addresses.network_of`), "" for the server itself. `has_room` says whether the disk of the node that took the
    command had room: if it had not, rules add nothing. `seen` is marked first, whatever becomes of the command: where
    many write, nearly every message has one, and an entry of its own was 25,000 of 344,000 instructions.
    """

    command: Logged
    user_id: int = 0
    origin: Origin | None = None
    network: str = ""
    has_room: bool = True
    seen: MarkSeen | None = None


class Batch(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The entries that one node took in one turn, as it puts them into the log.

    `history` is the random id of the chat that the log belongs to. `number` counts the batches of the node's
    `incarnation` from 1; two processes that take the same incarnation differ in their random `nonce`. `sent_ms` is the
    node's wall clock. `version` is that of the log as the node knew it.
    """

    history: str
    node: str
    incarnation: int
    nonce: bytes
    number: int
    sent_ms: int
    entries: list[Entry]
    version: int = VERSION


class OrderedBatch(Struct, frozen=True):
    """A batch in its place in the log.

    `at_ms` is the wall clock of the log and may be earlier than in the last batch; `elapsed_ms` never is (see
    `chat_time`). It is None where several nodes order batches: each then counts it alike, see `Executor`. `digest` is
    that of the record in a replicated log.
    """

    batch: Batch
    position: Position
    at_ms: int
    elapsed_ms: int | None = None
    digest: bytes = b""


Verdict = Literal["executed", "repeated", "ahead"]
"""What became of a batch. One that its node had executed before, or is not the next of its node, changes nothing."""


class WrongBatch(Exception):
    """The node MUST NOT go on with the log, or with this batch of it; the message is for whoever runs the server."""


def check_belongs(batch: Batch, position: Position, history: str | None, version: int) -> None:
    """Check that a database of this history and version may execute the batch; a new one has None and 0.

    Raises WrongBatch.
    """
    check_version(position, batch.version, batch.node)
    if history is None:
        return
    if batch.history != history:
        raise WrongBatch(
            f"batch {position} of the log is of the chat {batch.history}, and the database is of the chat"
            f" {history}: the one that belongs to the log must be put in its place"
        )
    if batch.version > version:
        raise WrongBatch(
            f"batch {position} of the log, from node {batch.node}, has version {batch.version}, and the log has version"
            f" {version} there, by a mistake of the server"
        )


def check_version(position: Position, version: int, node: str) -> None:
    """Raise WrongBatch for a batch of a version that this program does not know."""
    if OLDEST <= version <= VERSION:
        return
    known = f"version {VERSION}" if OLDEST == VERSION else f"versions {OLDEST} to {VERSION}"
    raise WrongBatch(
        f"batch {position} of the log, from node {node}, has version {version}, and this program knows {known}: start"
        f" {'a newer' if version > VERSION else 'an older'} chat-server, as the other nodes run it"
    )
