from collections.abc import Callable
from typing import Any

import pytest

from chat_server import handlers
from chat_server.errors import StartError
from chat_server.handlers import Handlers, check, every_command
from chat_server.log.entries import Due
from chat_server.protocol.base import Runs
from chat_server.protocol.control import Backup
from chat_server.protocol.messages import SendAll
from chat_server.protocol.people import Who


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> dict[Runs, Handlers[Callable[..., Any]]]:
    monkeypatch.setattr(handlers, "KINDS", [])
    return {runs: Handlers(runs) for runs in ("logged", "reading", "prepared", "connection")}


def checked(kinds: dict[Runs, Handlers[Callable[..., Any]]]) -> str:
    with pytest.raises(StartError) as refused:
        check([(Who, "reading")], list(kinds.values()))
    return str(refused.value)


def test_one_of_its_kind_is_right(kinds: dict[Runs, Handlers[Callable[..., Any]]]) -> None:
    kinds["reading"].register(Who)(print)
    assert kinds["reading"][Who] is print
    check([(Who, "reading")], list(kinds.values()))


@pytest.mark.parametrize(
    ("registered", "has"),
    [
        ((), "none"),
        (("logged",), "logged"),
        (("reading", "reading"), "reading and reading"),
        (("reading", "connection"), "reading and connection"),
    ],
)
def test_any_other_number_or_kind_is_refused(
    kinds: dict[Runs, Handlers[Callable[..., Any]]], registered: tuple[Runs, ...], has: str
) -> None:
    for runs in registered:
        kinds[runs].register(Who)(print)
    assert checked(kinds) == f"Who must have one handler (reading), but it has {has}: this is a bug"


def test_each_row_and_each_command_of_the_server_itself_is_checked() -> None:
    commands = dict(every_command())
    assert commands[SendAll] == commands[Due] == "logged" and commands[Backup] == "reading"
