"""/get_chat_with: the last messages with a user, or all the unread ones if they are more; marks them read."""

import re

from tests.conformance.conftest import Start
from tests.conformance.missed import fill, unread
from tests.harness import Chat, messages, texts


async def test_the_last_20(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await fill(bob, alice.name, 25)
    await alice.ok(f"/read @{bob.name} {(await bob.ok(f'/send {alice.name} last'))['id']}")
    returned, reply = await alice.command(f"/get_chat_with {bob.name}")
    assert texts(returned) == [*sent, "last"][-20:]
    assert (reply["re"], reply["chat"], reply["count"]) == ("get_chat_with", f"@{bob.name}", 20)


async def test_all_the_unread_ones_if_they_are_more(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await fill(bob, alice.name, 450)
    returned, reply = await alice.command({"cmd": "get_chat_with", "username": bob.name})
    assert (texts(returned), reply["count"]) == (sent, 450)
    assert await unread(alice, f"@{bob.name}") == 0


async def test_unread_ones_behind_many_of_ones_own_are_shown(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    unread_ones = await fill(bob, alice.name, 2)
    own = await fill(alice, bob.name, 30)
    returned, reply = await alice.command(f"/get_chat_with {bob.name}")
    assert (texts(returned), reply["count"]) == (unread_ones + own, 32)
    assert await unread(alice, f"@{bob.name}") == 0
    returned, _ = await alice.command(f"/get_chat_with {bob.name}")
    assert texts(returned) == own[-20:]


async def test_both_sides_by_id(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok(f"/send {alice.name} one")
    await alice.ok(f"/send {bob.name} two")
    returned, _ = await alice.command(f"/get_chat_with @{bob.name.upper()}")
    assert [(line["from"], line["chat"]) for line in returned] == [
        (bob.name, f"@{bob.name}"),
        (alice.name, f"@{bob.name}"),
    ]
    assert returned[0]["id"] < returned[1]["id"]


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    await bob.ok(f"/send {alice.name} one")
    await alice.ok(f"/send {bob.name} two")
    returned, reply = await alice.command(f"/get_chat_with {bob.name}")
    assert [re.sub(r"\[\S+\] |\(#\d+\)", "", line) for line in returned] == [
        f"@{bob.name}: one ",
        f"to @{bob.name}: two ",
    ]
    assert reply == f"+ 2 messages of @{bob.name}"
    assert messages(returned) == ["one", "two"]


async def test_nothing_yet(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    returned, reply = await alice.command(f"/get_chat_with {bob.name}")
    assert (returned, reply["count"]) == ([], 0)


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/get_chat_with main") == "unknown_user"


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    sent = await fill(bob, "alice", 30)
    await alice.command("/get_chat_with bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json("alice")
    assert await unread(alice, "@bob") == 0
    returned, _ = await alice.command("/get_chat_with bob")
    assert texts(returned) == sent[-20:]
