"""The base classes of commands, events and replies, and the rows of the table."""

from typing import ClassVar, Literal

from msgspec import Struct

from chat_server.protocol.arguments import Kind

# Who may say a command: those who have not signed in yet, everybody, users, operators, or only whoever runs the server.
Role = Literal["strangers", "anyone", "users", "operators", "machine"]
# Where a command runs: by a rule when it comes out of the log, on a snapshot of the store, before the log (which then
# gets another command in its place), or on its connection alone.
Runs = Literal["logged", "reading", "prepared", "connection"]


class Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A line of its own: pushed, or returned before a reply."""


class Reply(Struct, frozen=True, omit_defaults=True):
    """The end of a command that was done. Its class is named after what was done; on the wire it is `ok`."""


class Argument(Struct, frozen=True):
    """One argument of a command: its name, how it is read, and how it stands in the usage line.

    `field` is that of the class: a name that is a word of Python has an underscore there.
    """

    name: str
    field: str
    kind: Kind
    required: bool
    usage: str
    pair: bool
    marked: bool
    json_only: bool
    # Another name for it in the JSON form.
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
    # What a ban forbids.
    seen_by_others: bool
    # Whether it always stores something new, for which there must be room on the disk.
    adds: bool
    # Whether its reply is the last line of the connection.
    hangs_up: bool
    usage: str
    arguments: tuple[Argument, ...]
    # Those that stand on a line in their place, each with how many required ones come after it; the pairs; the marked.
    positional: tuple[tuple[Argument, int], ...]
    pairs: dict[str, Argument]
    marked: dict[str, Argument]
    # Those of its fields in the JSON form, second names too.
    names: frozenset[str]
    # The fields that the parser makes from the others.
    derived: tuple[str, ...]
    build: "type[Command]"

    @property
    def before_sign_in(self) -> bool:
        return self.who in ("strangers", "anyone")


class Command(Struct, frozen=True, tag_field="cmd"):
    """A parsed command. It is frozen, since it may wait, be logged, and be executed on another machine."""

    spec: ClassVar[Spec]

    @property
    def adds(self) -> bool:
        """Whether it is refused where the disk has no room for anything new, whatever the store has.

        A command with a key may have been done before, and then its answer stands in the store: its rule decides.
        """
        return self.spec.adds and getattr(self, "key", None) is None

    @property
    def claimed_name(self) -> str:
        """The name of the user that it would sign in, which the log of actions has until that is decided."""
        return ""

    @property
    def announced_bytes(self) -> int:
        """How many bytes will follow it, for which the disk must have room, too."""
        return 0

    @property
    def carried_bytes(self) -> int:
        """How many bytes of a file it carries. They are paced by their answers, and so take less off the rates."""
        return 0
