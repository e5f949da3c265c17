"""/decline: refuses an invitation."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import make_room, outside
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    assert await bob.ok(f"/decline {room}") == f"the invitation to {room} is declined"
    assert await alice.roundtrip() == []


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await alice.ok(f"/invite {room} {bob.name}")
    assert await bob.ok({"cmd": "decline", "chat": room}) == {"type": "ok", "re": "decline", "chat": room}
    assert (await bob.ok("/status"))["invitations"] == []
    for line in ("/join {}", "/decline {}"):
        await outside(bob, room, line)
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    await alice.ok(f"/invite {room} bob")
    await bob.ok(f"/decline {room}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json("bob")).code(f"/join {room}") == "unknown_chat"


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/decline {}")
    assert await alice.code(f"/decline {room}") == "unknown_chat", "one is in it already"
