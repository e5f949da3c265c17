"""/give: hands a private chat on."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    await bob.roundtrip()
    assert await alice.ok(f"/give {room} {bob.name}") == f"{bob.name} owns {room} now"
    assert await bob.roundtrip() == [f"* {bob.name} owns {room} now"]


async def test_json(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    reply = await alice.ok({"cmd": "give", "chat": room, "username": bob.name})
    assert reply == {"type": "ok", "re": "give", "chat": room, "owner": bob.name}
    assert {(await chats_of(client))[room]["owner"] for client in (alice, bob)} == {bob.name}
    assert await alice.code(f"/remove {room} {bob.name}") == "forbidden"
    await bob.ok(f"/remove {room} {alice.name}")


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice, bob)
    await alice.ok(f"/give {room} bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    await (await chat.json("bob")).ok(f"/remove {room} alice")


async def test_errors(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    assert await bob.code(f"/give {room} {bob.name}") == "forbidden"
    assert await alice.code(f"/give {room} {carol.name}") == "unknown_user"
    await outside(carol, room, f"/give {{}} {bob.name}")
