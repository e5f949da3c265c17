"""/read: moves the read marker, only forwards, at most to the chat's newest."""

from tests.conformance.conftest import Start
from tests.conformance.missed import unread
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = [(await bob.ok(f"/send main {number}"))["id"] for number in range(5)]
    assert await alice.ok({"cmd": "read", "chat": "main", "id": sent[1]}) == {
        "type": "ok", "re": "read", "chat": "main", "id": sent[1],
    }  # fmt: skip
    assert await unread(alice, "main") == 3
    # Backwards: it stays.
    assert (await alice.ok(f"/read main {sent[0]}"))["id"] == sent[1]
    assert (await alice.ok("/read main 0"))["id"] == sent[1]
    assert await unread(alice, "main") == 3
    # Beyond the newest: it is the newest, so what comes later is unread.
    assert (await alice.ok("/read main 9223372036854775807"))["id"] == sent[4]
    await bob.ok("/send main later")
    assert await unread(alice, "main") == 1


async def test_of_a_user(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await bob.ok(f"/send {alice.name} hi")
    await bob.ok("/send_all newer, elsewhere")
    reply = await alice.ok(f"/read {bob.name} {sent['id'] + 1}")
    assert (reply["chat"], reply["id"]) == (f"@{bob.name}", sent["id"])
    assert await unread(alice, f"@{bob.name}") == 0
    assert await unread(alice, "main") == 1


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    sent = await bob.ok("/send_all hi")
    assert await alice.ok(f"/read main #{sent['id']}") == f"main is read up to #{sent['id']}"


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    sent = [(await bob.ok(f"/send main {number}"))["id"] for number in range(3)]
    await alice.ok(f"/read main {sent[1]}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await unread(await chat.json("alice"), "main") == 1
