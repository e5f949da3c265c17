from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from chat_server.log import entries
from chat_server.log.entries import LOGGED, Batch, Due, Enter, Entry, Internal, Origin, SetPassword, Told
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
        Due(), Told([1, 2]), SetPassword(None, "h1", b"\0\xff"), Enter(check("Анна"), None, "h", True, b"t")
    ]  # fmt: skip
    batch = Batch(3, 12, 34, [Entry(command, 1, Origin("n1", 2, 3, 4), "192.0.2.1") for command in commands], node="n1")
    assert encoding.decode(encoding.encode(batch), type=Batch) == batch
    assert batch.version == entries.VERSION
