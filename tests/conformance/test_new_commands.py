"""A command is its row and its handler: with these two it is said, helped with, told to clients and decoded by them."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chat_client.sdk import codec
from chat_server.protocol.base import Reply
from tests import new_commands
from tests.harness import Chat, Server
from tests.new_commands import Counted, Echoed, Rolled, Waved

ROOT = Path(__file__).parents[2]


class ExtendedServer(Server):
    program = (str(ROOT / "tests" / "extended.py"),)


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


@pytest.fixture
async def extended(tmp_path: Path) -> AsyncIterator[Chat]:
    server = ExtendedServer(tmp_path / "data", environment=environment())
    server.start()
    chat = Chat(server)
    yield chat
    await chat.close()
    server.close()
    assert "Traceback" not in server.log


@pytest.fixture
def rows() -> Iterator[None]:
    """The client shares the table of its server."""
    new_commands.enter_rows()
    yield
    new_commands.remove_rows()


SAID = {
    "/wave bob": Waved("bob", 1),
    "/count": Counted(0),
    "/roll": Rolled(5),
    "/echo hello": Echoed("hello"),
    "/parrot hello": Echoed("hello"),
}


async def test_they_are_said_in_text(extended: Chat) -> None:
    await extended.text("bob")
    stranger = await extended.text_stranger()
    assert await stranger.ok("/echo hello") == str(Echoed("hello"))
    assert await stranger.code("/count") == await stranger.code("/wave bob") == "not_signed_in"
    await stranger.enter("/sign_in alice")
    for line, reply in SAID.items():
        assert await stranger.ok(line) == str(reply)
    assert await stranger.code("/wave") == "bad_argument"
    assert await stranger.code("/wave carol") == "unknown_user"


async def test_they_are_said_in_json_and_the_client_decodes_the_replies(extended: Chat, rows: None) -> None:
    bob = await extended.json("bob")
    stranger = await extended.json_stranger()
    assert decoded(await stranger.ok({"cmd": "echo", "text": "hello"})) == Echoed("hello")
    assert await stranger.code({"cmd": "roll"}) == "not_signed_in"
    await stranger.enter("/sign_in alice")
    for line, reply in SAID.items():
        assert decoded(await stranger.ok(line)) == reply
    await bob.event("notice", text="alice waves")
    assert await stranger.code({"cmd": "wave", "username": "bob", "how": "twice"}) == "bad_argument"


def decoded(reply: dict[str, object]) -> Reply:
    line = codec.decode(json.dumps(reply).encode(), 0.0)
    assert line is not None and isinstance(line.what, Reply)
    return line.what


async def test_they_stand_in_the_help_and_in_the_table_for_clients(extended: Chat) -> None:
    stranger = await extended.text_stranger()
    listed, _ = await stranger.command("/help")
    assert {"/echo", "/wave", "/count", "/roll"} <= set(" ".join(listed).split())
    shown, reply = await stranger.command("/help parrot")
    assert [line.strip() for line in shown] == ["/echo <text>", "says it again", "also /parrot"]
    assert reply == "+ for example: /echo hello"
    program = await extended.json_stranger()
    (form,) = (form for form in (await program.ok("/format json"))["commands"] if form["verb"] == "echo")
    assert form == {
        "verb": "echo", "aliases": ["parrot"], "usage": "/echo <text>", "help": "says it again", "group": "Connection",
        "example": "/echo hello", "arguments": [{"name": "text", "kind": "text", "required": True, "rest": True}],
    }  # fmt: skip


START = "from chat_server.__main__ import main; main()"
HANDLE_PING = "(connection.Ping)(lambda *_: None);"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("from tests.new_commands import enter_rows; enter_rows();", "Echo must have one handler (connection)"),
        (
            "from chat_server.frontend.connection_commands import connection_command;"
            "from chat_server.protocol import connection; connection_command" + HANDLE_PING,
            "Ping must have one handler (connection), but it has connection and connection",
        ),
        (
            "from chat_server.rules.registry import reading; from chat_server.protocol import connection; reading"
            + HANDLE_PING,
            "Ping must have one handler (connection), but it has reading and connection",
        ),
    ],
    ids=["none", "two of its kind", "one more of another kind"],
)
def test_a_server_does_not_start_unless_each_has_exactly_one_handler(tmp_path: Path, code: str, why: str) -> None:
    server = Server(tmp_path / "data", environment=environment())
    server.program = ("-c", f"{code} {START}")
    status, said = server.refusal()
    assert status == 1 and why in said and said.count("\n") == 1, said
