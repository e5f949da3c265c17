"""What the protocol is made of: commands with their rows of the table, events, replies."""

from collections.abc import Callable
from typing import ClassVar

from msgspec import Struct

from chat_server.protocol.arguments import Kind


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
    """A row of the table."""

    verb: str
    aliases: tuple[str, ...]
    group: str
    help: str
    example: str
    before_sign_in: bool
    # What a ban forbids.
    seen_by_others: bool
    # Checked where rules and readings are entered (`rules.turn`).
    operators_only: bool
    # Whether it always stores something new, for which there must be room on the disk.
    adds: bool
    usage: str
    arguments: tuple[Argument, ...]
    # Those that stand on a line in their place, each with how many required ones come after it; the pairs; the marked.
    positional: tuple[tuple[Argument, int], ...]
    pairs: dict[str, Argument]
    marked: dict[str, Argument]
    # Those of its fields in the JSON form, second names too.
    names: frozenset[str]
    build: Callable[..., "Command"]


class Command(Struct, frozen=True, tag_field="cmd"):
    """A parsed command. Frozen: it may wait, be logged, and be executed on another machine."""

    spec: ClassVar[Spec]


class Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A line of its own: pushed, or returned before a reply."""


class Reply(Struct, frozen=True, omit_defaults=True):
    """The end of a command that was done."""
