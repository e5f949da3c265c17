"""The registry of handlers: each command has exactly one, of the kind that its row names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from chat_server.errors import StartError
from chat_server.log.entries import Internal
from chat_server.protocol.base import Runs
from chat_server.protocol.control import CONTROL
from chat_server.protocol.table import TABLE

H = TypeVar("H", bound=Callable[..., Any])


class Handlers(dict[type, H]):
    """The handlers of one kind, by the class of the command. A module registers its own when it is imported."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.runs = runs
        self.registered: list[type] = []
        KINDS.append(self)

    def register(self, command: type) -> Callable[[H], H]:
        def enter(handler: H) -> H:
            self.registered.append(command)
            self[command] = handler
            return handler

        return enter


KINDS: list[Handlers[Any]] = []


def every_command() -> Iterator[tuple[type, Runs]]:
    """Yield the commands of the table and those of the server itself, each with where it runs."""
    for spec in (*TABLE.values(), *CONTROL.values()):
        yield spec.build, spec.runs
    for internal in Internal.__subclasses__():
        yield internal, "logged"


def check(commands: Iterable[tuple[type, Runs]] | None = None, kinds: Sequence[Handlers[Any]] = KINDS) -> None:
    """Raise StartError unless each command has exactly one handler, of its kind."""
    for command, runs in every_command() if commands is None else commands:
        found = [kind.runs for kind in kinds for _ in range(kind.registered.count(command))]
        if found != [runs]:
            has = " and ".join(found) or "none"
            raise StartError(f"{command.__name__} must have one handler ({runs}), but it has {has}: this is a bug")
