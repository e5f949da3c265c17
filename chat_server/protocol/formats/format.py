"""The interface of a format: how commands are read, events and replies written, and what it implies."""

import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from chat_server.errors import Refusal
from chat_server.protocol.arguments import FormatName, Target
from chat_server.protocol.base import Argument, Command, Event, Reply, Spec

# A command may carry a label, and then its answers carry it too.
LABEL = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
# What stands before the arguments of a command: its label, its verb (None where no command is named), and the rest.
Head = tuple[str | None, str | None, Any]


class Format(ABC):
    name: ClassVar[FormatName]
    # In which order messages that were missed are shown: people read them by id, programs follow the changes by seq.
    catch_up_order: ClassVar[Literal["id", "seq"]]
    # Whether whoever types has read what stands above. A program says what was read.
    activity_marks_read: ClassVar[bool]
    # Whether a sign-in gives a token to come back with.
    wants_token: ClassVar[bool]
    # Whether whoever changes to it is told the table of commands.
    tells_commands: ClassVar[bool]

    @abstractmethod
    def split(self, line: str) -> Head:
        """Part a line into label, verb and the rest. Raises Refusal."""

    @abstractmethod
    def read_arguments(self, spec: Spec, rest: Any, talk: Target | None) -> dict[str, Any]:
        """The fields of the command, from what `split` left; `talk` is the open chat. Raises Refusal."""

    @abstractmethod
    def without_verb(self, rest: Any, talk: Target | None) -> Command:
        """What a line that names no command asks for; `talk` is where texts go. Raises Refusal."""

    @abstractmethod
    def event(self, event: Event, now: str, label: str | None = None) -> bytes:
        """The lines of an event; `label` is that of the command that returned it."""

    @abstractmethod
    def label_lines(self, lines: bytes, label: str) -> bytes:
        """The lines of events as `event` makes them with a label, out of those without one."""

    @abstractmethod
    def reply(self, reply: Reply, verb: str, label: str | None, now: str) -> bytes: ...

    @abstractmethod
    def refusal(self, refusal: Refusal, verb: str, label: str | None) -> bytes: ...

    def answer(self, reply: Reply | Refusal, verb: str, label: str | None, now: str) -> bytes:
        """The reply or the refusal that ends a command."""
        if isinstance(reply, Refusal):
            return self.refusal(reply, verb, label)
        return self.reply(reply, verb, label, now)


def usage_refusal(spec: Spec, why: str) -> Refusal:
    return Refusal("bad_argument", f"{why}; usage: {spec.usage}")


def read_value(spec: Spec, argument: Argument, raw: object) -> Any:
    """What an argument stands for. A refusal of its form says how the command is used."""
    try:
        return argument.kind.parse(raw)
    except Refusal as refusal:
        if refusal.code != "bad_argument":
            raise
        raise usage_refusal(spec, refusal.text) from None
