"""/remove: the owner takes a member out."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, make_room, outside, room_of
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, carol, room = await chat.text(), await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    for client in (bob, carol):
        await alice.ok(f"/invite {room} {client.name}")
        await client.ok(f"/join {room}")
    for client in (bob, carol):
        await client.roundtrip()
    assert await alice.ok(f"/remove {room} {bob.name}") == f"{bob.name} is no longer in {room}"
    for client in (bob, carol):
        assert await client.roundtrip() == [f"* {alice.name} removed {bob.name} from {room}"]


async def test_json_on_every_device(chat: Chat) -> None:
    room, (alice, bob, carol) = await room_of(chat, "", "", "")
    device = await chat.text(bob.name)
    await alice.ok(f"/send {room} before")
    await device.ok(f"/talk {room}")
    await device.roundtrip()
    reply = await alice.ok({"cmd": "remove", "chat": room, "username": bob.name})
    assert reply == {"type": "ok", "re": "remove", "chat": room, "user": bob.name}
    await alice.ok(f"/send {room} after")
    left = {"type": "left", "chat": room, "user": bob.name, "by": alice.name}
    assert (await bob.roundtrip())[-1] == left
    shown = await carol.roundtrip()
    assert left in shown and texts(shown) == ["before", "after"]
    assert await device.roundtrip() == [f"* {alice.name} removed {bob.name} from {room}"]
    await device.send("to whom?")
    assert (await device.line()).startswith("- unknown_chat: ")
    assert room not in await chats_of(bob)
    await outside(bob, room, "/history {}")
    assert texts((await bob.command("/history main"))[0]).count("before") == 0
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    assert texts((await bob.command(f"/history {room}"))[0]) == ["before", "after"]


async def test_who_is_away_is_told(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice, bob)
    await alice.ok(f"/send {room} unread")
    await bob.close()
    await alice.ok(f"/remove {room} bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json_stranger()
    shown, reply = await bob.command("/sign_in bob")
    assert shown[1:] == [{"type": "left", "chat": room, "user": "bob", "by": "alice"}]
    assert [each["name"] for each in reply["chats"]] == ["main"]


async def test_errors(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    assert await bob.code(f"/remove {room} {alice.name}") == "forbidden"
    assert await alice.code(f"/remove {room} {carol.name}") == "unknown_user"
    await outside(carol, room, f"/remove {{}} {bob.name}")
