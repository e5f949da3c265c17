"""What one connection may do to the others, and what is never hidden from anybody."""

import asyncio

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, unique


@pytest.mark.parametrize("flood", [b"\n", b"\r\n", b"/p\n", b"x\n", b"\xff\n"])
async def test_a_flood_of_a_stranger_holds_nobody_up(start: Start, flood: bytes) -> None:
    """By default 10 commands a second are executed of a connection, and the rest waits in it and in its socket."""
    chat = start("--command-rate", "10/1s")
    alice = await chat.json()
    _, writer = await asyncio.open_connection("127.0.0.1", chat.server.port)
    writer.write(flood * (4_000_000 // len(flood)))
    for _ in range(20):
        assert (await alice.ok("/ping"))["type"] == "ok"
    writer.transport.abort()


@pytest.mark.parametrize("line", ["/send_all {}", "/send main {}", "/send_delayed main zz x", "/send_all"])
async def test_a_ban_is_told_before_what_is_wrong_with_the_line(start: Start, line: str) -> None:
    chat = start("--report-limit", "1")
    mallory, alice = await chat.json(), await chat.json()
    await alice.ok(f"/report {mallory.name}")
    await mallory.event("banned")
    assert await mallory.code(line.format("x" * 5000)) == "banned"


@pytest.mark.parametrize("line", ["/send_all", "/who", "/read main", "/presence maybe", "/send_delayed main zz x"])
async def test_a_stranger_is_told_to_sign_in_before_what_is_wrong(chat: Chat, line: str) -> None:
    assert await (await chat.text_stranger()).code(line) == "not_signed_in"


async def test_a_long_name_costs_nothing(chat: Chat) -> None:
    """Text that is made to be normalized slowly is not normalized at all."""
    alice = await chat.json()
    name = "a" + "\u0301" * 15_000 + "\u0316" * 15_000
    assert await alice.code(f"/who {name}") == "unknown_user"
    assert await alice.code(f"/send {name} hi") == "unknown_user"


@pytest.mark.parametrize(("old", "new"), [("max", "МАХ"), ("tom", "ТОМ"), ("alice", "аӏісе")])
async def test_names_in_another_script_that_look_alike(start: Start, old: str, new: str) -> None:
    chat = start()
    await chat.text(old)
    assert await (await chat.text_stranger()).code(f"/sign_in {new}") == "bad_name"


async def test_a_position_that_was_never_shown_is_not_read(chat: Chat) -> None:
    """Who resumes in text says what is known already; what is not known stays unread."""
    name = unique("bob")
    known = await chat.json_stranger()
    token = (await known.ok(f"/sign_in {name}"))["token"]
    await known.ok("/quit")
    alice = await chat.json()
    await alice.ok(f"/send {name} did you see this?")
    text = await chat.text_stranger()
    await text.ok(f"/resume {token} 99999999")
    await text.ok("/ping")
    await text.ok("/quit")
    again = await (await chat.json_stranger()).ok(f"/sign_in {name}")
    assert {each["name"]: each["unread"] for each in again["chats"]}[f"@{alice.name}"] == 1


async def test_one_notice_of_a_deleted_account(chat: Chat) -> None:
    name = unique("gone")
    watcher, gone = await chat.json(), await chat.text(name)
    await gone.ok(f"/delete_account {name}")
    notices = [each for each in await watcher.roundtrip() if each["type"] == "notice" and name in each["text"]]
    assert len(notices) == 1
