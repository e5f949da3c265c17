"""/help: made from the one table of commands."""

import pytest

from tests.conformance.verbs import VERBS
from tests.harness import Chat


async def test_all_on_one_screen(chat: Chat) -> None:
    client = await chat.text_stranger()
    lines, reply = await client.command("/help")
    assert len(lines) + 1 <= 24
    assert all(line.startswith("  ") and len(line) <= 80 for line in lines)
    words = {word for line in lines for word in line.split()}
    assert words >= {f"/{verb}" for verb in VERBS}
    assert reply.startswith("+ ")


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_one_with_an_example(chat: Chat, verb: str) -> None:
    client = await chat.text_stranger()
    lines, reply = await client.command(f"/help {verb}")
    assert lines[0].strip().startswith(f"/{verb}")
    assert f"/{verb}" in reply
    assert await client.command(f"/help /{verb.upper()}") == (lines, reply)


async def test_an_alias(chat: Chat) -> None:
    client = await chat.text_stranger()
    assert await client.command("/help connect") == await client.command("/help sign_in")


async def test_json(chat: Chat) -> None:
    told = await (await chat.json_stranger()).ok("/help ping")
    assert told["re"] == "help"
    assert told["help"][0] == "/ping [word]"


async def test_errors(chat: Chat) -> None:
    client = await chat.text_stranger()
    _, reply = await client.command("/help send_al")
    assert reply.startswith("- unknown_command: ")
    assert "send_all" in reply
