"""/deny: the owner does not let in who asked."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import code_for, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await bob.ok(f"/join {(await alice.ok(f'/invite_link {room}')).rsplit(' ', 1)[1]}")
    assert await alice.ok(f"/deny {room} {bob.name}") == f"{bob.name} is not let into {room}"
    assert await bob.roundtrip() == [f"* the owner of {room} does not let you in"]


async def test_json(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    code = await code_for(bob, room)
    await carol.ok(f"/join {code}")
    reply = await alice.ok({"cmd": "deny", "chat": room, "username": carol.name})
    assert reply == {"type": "ok", "re": "deny", "chat": room, "user": carol.name}
    assert await carol.roundtrip() == [{"type": "denied", "chat": room}]
    assert await bob.roundtrip() == []
    await outside(carol, room, "/history {}")
    assert (await alice.ok("/status"))["join_requests"] == []
    await carol.ok(f"/join {code}")
    await alice.ok(f"/approve {room} {carol.name}")


async def test_who_asked_and_is_away_is_told_once(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    await bob.ok(f"/join {await code_for(alice, room)}")
    await bob.close()
    await alice.ok(f"/deny {room} bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    for told in ([{"type": "denied", "chat": room}], []):
        bob = await chat.json_stranger()
        shown, _ = await bob.command("/sign_in bob")
        assert [line for line in shown if line["type"] == "denied"] == told
        await bob.roundtrip()
        await bob.close()


async def test_errors(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    assert await bob.code(f"/deny {room} {carol.name}") == "forbidden"
    assert await alice.code(f"/deny {room} {carol.name}") == "unknown_user"
    await outside(carol, room, f"/deny {{}} {carol.name}")
