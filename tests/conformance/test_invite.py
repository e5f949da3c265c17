"""/invite: into a private chat that one is in."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    assert await alice.ok(f"/invite {room} {bob.name}") == f"{bob.name} is invited to {room}"
    words = f"* {alice.name} invites you to {room}; /join {room} accepts, /decline {room} refuses"
    assert await bob.roundtrip() == [words]
    shown, _ = await bob.command("/status")
    assert f"  invited to {room} by {alice.name}; /join or /decline {room}" in shown


async def test_json_on_every_device_and_once(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    device = await chat.json(carol.name)
    wanted = {"type": "ok", "re": "invite", "chat": room, "user": carol.name}
    for client in (bob, alice):
        assert await client.ok({"cmd": "invite", "chat": room, "username": carol.name}) == wanted
    for client in (carol, device):
        assert await client.roundtrip() == [{"type": "invited", "chat": room, "by": bob.name}]
    assert (await device.ok("/status"))["invitations"] == [{"chat": room, "by": bob.name}]
    await outside(carol, room, "/history {}")
    assert await alice.roundtrip() == await bob.roundtrip() == []


async def test_who_is_away_is_told_once_and_finds_it_in_the_lists(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    await bob.close()
    await alice.ok(f"/invite {room} bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    told = []
    for _ in range(2):
        bob = await chat.json_stranger()
        shown, reply = await bob.command("/sign_in bob")
        told += [line for line in shown if line["type"] == "invited"]
        assert reply["invitations"] == [{"chat": room, "by": "alice"}]
        await bob.roundtrip()
        await bob.close()
    assert told == [{"type": "invited", "chat": room, "by": "alice"}]
    await (await chat.json("bob")).ok(f"/join {room}")


async def test_errors(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    assert await alice.code(f"/invite {room} {bob.name}") == "exists"
    await outside(carol, room, "/invite {} nobody")
