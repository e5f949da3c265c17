from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from chat_server.log import entries
from chat_server.log.entries import (
    LOGGED,
    Batch,
    Due,
    Enter,
    Entry,
    Internal,
    Origin,
    SetPassword,
    Told,
    WrongBatch,
    is_next,
)
from chat_server.protocol.arguments import Secret, Token
from chat_server.protocol.names import check
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


@pytest.mark.parametrize("encoding", [msgspec.json, msgspec.msgpack], ids=["json", "msgpack"])
def test_a_batch_reads_back_from_the_log(encoding: Any) -> None:
    commands: list[Any] = [
        Due(), Told([1, 2]), SetPassword(0, "h1", b"\0\xff"), Enter(check("Анна"), 0, "h", True, b"t")
    ]  # fmt: skip
    batch = Batch(
        "h1", "n1", 2, 3, 12, 34, [Entry(command, 1, Origin("n1", 2, 3, 4), "192.0.2.1") for command in commands]
    )
    assert encoding.decode(encoding.encode(batch), type=Batch) == batch
    assert batch.version == entries.VERSION


def next_batch(**fields: Any) -> Batch:
    return msgspec.structs.replace(Batch("h1", "n1", 2, 8, 0, 0, []), **fields)


def test_a_batch_is_executed_once_and_in_its_turn() -> None:
    assert is_next(next_batch(), "h1", 7)
    assert not is_next(next_batch(), "h1", 8), "a log may repeat"
    assert not is_next(next_batch(), "h1", 100)
    assert is_next(next_batch(number=1), None, 0), "a new database takes the history of its first batch"


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"number": 9}, r"goes on with batch 9, and the database has executed those up to 7"),
        ({"history": "h2"}, r"batch 8 of the log is of the chat h2, and the database is of the chat h1"),
        ({"history": "h2", "number": 3}, r"batch 3 of the log is of the chat h2"),
        ({"version": entries.VERSION + 1}, rf"batch 8 .* node n1, has version {entries.VERSION + 1}, and this program"),
        ({"version": entries.VERSION - 1, "number": 3}, rf"has version {entries.VERSION - 1}, and this program"),
    ],
    ids=str,
)
def test_a_batch_that_does_not_belong_here_is_told_to_whoever_runs_the_server(fields: Any, why: str) -> None:
    with pytest.raises(WrongBatch, match=why):
        is_next(next_batch(**fields), "h1", 7)
