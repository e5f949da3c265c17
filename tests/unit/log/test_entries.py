from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from chat_server.log.entries import LOGGED, Batch, Internal, OrderedBatch, WrongBatch, check_belongs
from chat_server.log.stream import Position
from chat_server.log.versions import OLDEST, VERSION
from chat_server.protocol.arguments import Secret, Token
from chat_server.protocol.table import TABLE


@pytest.mark.parametrize("command", LOGGED, ids=lambda command: command.__name__)
def test_no_password_and_no_token_can_stand_in_the_log(command: type) -> None:
    parts = [part for hint in get_type_hints(command).values() for part in (hint, *get_args(hint))]
    assert Secret not in parts and Token not in parts


def test_no_two_commands_have_one_tag() -> None:
    tags = [command.__struct_config__.tag for command in LOGGED]
    assert len(set(tags)) == len(tags)
    internal = {command.__struct_config__.tag for command in Internal.__subclasses__()}
    assert not internal & set(TABLE), "what a line can say is never what only the server may say"


def ordered(**fields: Any) -> OrderedBatch:
    return OrderedBatch(msgspec.structs.replace(Batch("h1", "n1", 2, b"", 8, 0, []), **fields), Position(3, 8), 0)


@pytest.mark.parametrize("fields, history", [({}, "h1"), ({}, None), ({"history": "h2"}, None)], ids=str)
def test_a_batch_belongs_to_the_database_of_its_chat_or_begins_one(fields: Any, history: str | None) -> None:
    check_belongs(ordered(**fields).batch, Position(3, 8), history, VERSION)


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"history": "h2"}, r"batch 3/8 of the log is of the chat h2, and the database is of the chat h1"),
        ({"version": VERSION + 1}, rf"batch 3/8 .* node n1, has version {VERSION + 1}, and this program"),
        ({"version": OLDEST - 1, "number": 3}, rf"has version {OLDEST - 1}, and this program"),
    ],
    ids=str,
)
def test_a_batch_that_does_not_belong_here_is_told_to_whoever_runs_the_server(fields: Any, why: str) -> None:
    with pytest.raises(WrongBatch, match=why):
        check_belongs(ordered(**fields).batch, Position(3, 8), "h1", VERSION)


def test_a_batch_of_a_version_that_the_log_does_not_have_yet_is_a_mistake() -> None:
    with pytest.raises(WrongBatch, match=f"has version {VERSION}, and the log has version {VERSION - 1} there"):
        check_belongs(ordered().batch, Position(3, 8), "h1", VERSION - 1)
    check_belongs(ordered().batch, Position(3, 8), None, 0)
