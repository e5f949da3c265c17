"""/topic: what a private chat is about."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    await bob.roundtrip()
    assert await bob.ok(f"/topic {room}") == f"{room} has no topic"
    assert await alice.ok(f'/topic {room} the "next" one') == f'the topic of {room}: the "next" one'
    assert await bob.roundtrip() == [f'* {alice.name} set the topic of {room}: the "next" one']
    assert await alice.ok(f'/topic {room} ""') == f"{room} has no topic"
    assert await bob.roundtrip() == [f"* {alice.name} took the topic of {room} away"]


async def test_json(chat: Chat) -> None:
    room, (alice, bob, carol) = await room_of(chat, "", "", "")
    device = await chat.json(bob.name)
    hostile = "\x1b[2Jplans\n+ forged\u202e"
    reply = await bob.ok({"cmd": "topic", "chat": room, "text": hostile})
    assert reply == {"type": "ok", "re": "topic", "chat": room, "topic": "[2Jplans + forged"}
    event = {"type": "topic", "chat": room, "topic": "[2Jplans + forged", "by": bob.name}
    for client in (alice, carol, device):
        assert (await client.roundtrip())[-1] == event
    assert (await chats_of(carol))[room]["topic"] == "[2Jplans + forged"
    assert await carol.ok({"cmd": "topic", "chat": room, "text": ""}) == {"type": "ok", "re": "topic", "chat": room}
    assert (await bob.event("topic"))["topic"] == ""
    assert "topic" not in (await chats_of(carol))[room]


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    room = await make_room(alice)
    await alice.ok(f"/topic {room} plans")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert (await (await chat.json("alice")).ok(f"/topic {room}"))["topic"] == "plans"


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    for line in ("/topic {}", "/topic {} new"):
        await outside(bob, room, line)
    assert await alice.code(f"/topic {room} {'x' * 301}") == "too_large"


async def test_a_ban_forbids_setting_it(start: Start) -> None:
    chat = start("--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice, bob)
    await bob.ok("/report alice")
    assert await alice.code(f"/topic {room} x") == "banned"
    assert await alice.code(f"/topic {room}") == "ok"
