"""/revoke_link: ends the codes of a private chat."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import code_for, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, room = await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite_link {room}")
    assert await alice.ok(f"/revoke_link {room}") == f"1 code of {room} ended"
    assert await alice.ok(f"/revoke_link {room}") == f"0 codes of {room} ended"


async def test_json(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    asker = await chat.json()
    codes = [await code_for(client, room) for client in (alice, bob)]
    assert await bob.ok(f"/revoke_link {room}") == {"type": "ok", "re": "revoke_link", "chat": room, "revoked": 2}
    assert [await asker.code(f"/join {code}") for code in codes] == ["unknown_chat"] * 2
    await asker.ok(f"/join {await code_for(bob, room)}")


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    room = await make_room(alice)
    code = await code_for(alice, room)
    await alice.ok(f"/revoke_link {room}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json("bob")).code(f"/join {code}") == "unknown_chat"


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/revoke_link {}")
