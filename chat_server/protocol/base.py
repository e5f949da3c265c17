"""The base classes of commands, events and replies, and the rows of the table."""

from typing import ClassVar, Literal

from msgspec import Struct

from chat_server.protocol.arguments import Kind

# Who may say a command: those who have not signed in yet, everybody, users, operators, or only the administrator.
Role = Literal["strangers", "anyone", "users", "operators", "machine"]
# What becomes of a line that leaves an argument out while a chat is open: the chat stands in, or it is asked for.
OpenChat = Literal["fills", "asks"]
# Where a command runs: by a rule once it comes out of the log, on a snapshot of the store, before the log (which then
# gets another command in its place), or on its connection alone.
Runs = Literal["logged", "reading", "prepared", "connection"]


class Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A line of its own: pushed, or sent before a reply."""


class Reply(Struct, frozen=True, omit_defaults=True):
    """The reply to a command that succeeded. Its class is named after what was done; on the wire it is `ok`."""


class Argument(Struct, frozen=True):
    """One argument of a command: its name, how it is read, and its part of the usage line.

    `field` is its field of the class, which has an underscore after a keyword of Python.
    """

    name: str
    field: str
    kind: Kind
    required: bool
    usage: str
    pair: bool
    marked: bool
    json_only: bool
    # None: the open chat has nothing to do with it.
    open_chat: OpenChat | None = None
    # A second name in the JSON form.
    also: str | None = None


class Spec(Struct, frozen=True):
    """A row of the table of commands."""

    verb: str
    aliases: tuple[str, ...]
    group: str
    help: str
    example: str
    reply: type[Reply]
    who: Role
    runs: Runs
    # A ban forbids it.
    seen_by_others: bool
    # It always stores something new, for which the disk must have room.
    adds: bool
    # It reads or carries much, so that an overloaded server refuses it before others: see `overload`.
    costly: bool
    # Its reply is the last line of the connection.
    hangs_up: bool
    # A program says it by itself, again and again: no list of commands has it, and the log of actions neither.
    unlisted: bool
    usage: str
    arguments: tuple[Argument, ...]
    # The arguments with a place on the line, each with the number of required ones after it; pairs; marked ones.
    positional: tuple[tuple[Argument, int], ...]
    pairs: dict[str, Argument]
    marked: dict[str, Argument]
    # The names of its fields in the JSON form, including second names.
    names: frozenset[str]
    # The fields that the parser makes from the others.
    derived: tuple[str, ...]
    build: "type[Command]"

    @property
    def before_sign_in(self) -> bool:
        return self.who in ("strangers", "anyone")


class Command(Struct, frozen=True, tag_field="cmd", omit_defaults=True, forbid_unknown_fields=True):
    """A parsed command. It is frozen, since it may wait, be logged, and be executed on another machine."""

    spec: ClassVar[Spec]
    announces: ClassVar[bool] = False

    @property
    def adds(self) -> bool:
        """Whether it is refused on a full disk, whatever is in the store.

        For a command with a key the rule decides: if it has been done before, its reply is in the store.
        """
        return self.spec.adds and getattr(self, "key", None) is None

    @property
    def claimed_name(self) -> str:
        """The name of the user that it would sign in, which the log of actions has until that is decided."""
        return ""

    @property
    def announced_bytes(self) -> int:
        """The number of bytes that will follow it, for which the disk must have room too; 0 unless it `announces`."""
        return 0

    @property
    def carried_bytes(self) -> int:
        """The number of bytes of a file in it. Replies pace them, so they count less against the rates of commands."""
        return 0
