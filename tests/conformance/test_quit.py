"""/quit: says goodbye and closes."""

import asyncio
import shutil

import pytest

from tests.harness import TIMEOUT_SECONDS, Chat


@pytest.mark.parametrize("verb", ["quit", "close", "exit", "QUIT"])
async def test_text(chat: Chat, verb: str) -> None:
    for client in (await chat.text_stranger(), await chat.text()):
        await client.send(f"/{verb}", "/ping never")
        assert await client.rest() == ["+ goodbye"]


async def test_json(chat: Chat) -> None:
    client = await chat.json()
    assert await client.ok({"cmd": "quit"}) == {"type": "ok", "re": "quit"}
    assert await client.rest() == []


async def test_what_was_sent_before_is_done_and_what_comes_after_is_not(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.send("/send_all before", "@q /quit", "/send_all after")
    assert [reply["re"] for reply in await alice.replies(2)] == ["send_all", "quit"]
    assert await alice.rest() == []
    assert [line["text"] for line in await bob.roundtrip()] == ["before"]


async def test_the_token_stays(chat: Chat) -> None:
    alice = await chat.json()
    await alice.ok("/quit")
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "ok"


async def test_a_reason_may_be_given(chat: Chat) -> None:
    """As people who come from IRC do; nobody is told it."""
    client = await chat.text_stranger()
    assert await client.ok("/quit see you later") == "goodbye"


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(words, marks=pytest.mark.skipif(shutil.which(words[0]) is None, reason="it is not installed"))
        for words in (["nc"], ["nc.openbsd"], ["nc.traditional"], ["busybox", "nc"])
    ],
    ids=" ".join,
)
async def test_nc_ends_by_itself_though_one_could_still_type(chat: Chat, program: list[str]) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *program, "127.0.0.1", str(chat.server.port), stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"/quit\n")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        said = await process.stdout.read()
        await process.wait()
    assert said.decode().splitlines()[1:] == ["+ goodbye"]
