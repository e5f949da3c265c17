"""/leave: out of a private chat."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, code_for, make_room, outside, room_of
from tests.harness import Chat, soon, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    await bob.ok(f"/talk {room}")
    await alice.roundtrip()
    assert await bob.ok(f"/part {room}") == f"you left {room}"
    assert await alice.roundtrip() == [f"* {bob.name} left {room}"]
    await bob.send("still here?")
    assert (await bob.line()).startswith("- unknown_chat: ")


async def test_who_leaves_loses_all_of_it_on_every_device(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    device = await chat.json(bob.name)
    id_ = (await bob.ok(f"/send {room} hi"))["id"]
    await device.roundtrip()
    assert await bob.ok({"cmd": "leave", "chat": room}) == {"type": "ok", "re": "leave", "chat": room}
    left = {"type": "left", "chat": room, "user": bob.name}
    assert left in await alice.roundtrip()
    assert await device.roundtrip() == [left]
    for client in (bob, device):
        assert room not in await chats_of(client)
        for line in ("/send {} x", "/history {}", "/messages {}", "/read {} 1", "/talk {}", "/leave {}", "/join {}"):
            await outside(client, room, line)
        for line in (f"/thread {id_}", f"/edit {id_} x", f"/delete {id_}", f"/reply {id_} x", f"/react {id_} 👍"):
            assert await client.code(line) == "unknown_message"
    await alice.ok(f"/send {room} among us")
    assert texts(await device.roundtrip()) == texts(await bob.roundtrip()) == []
    _, shown, reply = await chat.resume(bob.token, 0)
    assert room not in [line.get("chat") for line in shown]
    assert room not in [each["name"] for each in reply["chats"]]


async def test_what_was_to_go_out_later_fails(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    # In one batch, so that it is not due before.
    delayed, _ = await bob.pipeline([f"/send_delayed {room} {soon()} later", f"/leave {room}"])
    failed = {"type": "delayed_failed", "id": delayed["delayed_id"], "code": "unknown_chat"}
    assert await bob.event("delayed_failed") == failed
    assert texts(await alice.roundtrip()) == []


async def test_an_owner_hands_it_to_the_longest_member(chat: Chat) -> None:
    room, (alice, bob, carol) = await room_of(chat, "", "", "")
    dave = await chat.json()
    await dave.ok(f"/join {await code_for(bob, room)}")
    await alice.ok(f"/leave {room}")
    owned = {"type": "notice", "text": f"{bob.name} owns {room} now", "chat": room, "owner": bob.name}
    assert owned in await carol.roundtrip()
    told = await bob.roundtrip()
    assert owned in told and {"type": "join_request", "chat": room, "user": dave.name} in told
    await bob.ok(f"/approve {room} {dave.name}")
    assert (await carol.ok(f"/members {room}"))["members"] == [bob.name, carol.name, dave.name]


async def test_a_chat_ends_with_its_last_member(start: Start) -> None:
    chat = start()
    alice, bob, carol = await chat.json("alice"), await chat.json("bob"), await chat.json("carol")
    room = await make_room(alice)
    code = await code_for(alice, room)
    await alice.ok(f"/invite {room} bob")
    for number in range(3):
        await alice.ok(f"/send {room} secret-{number}")
    await alice.ok(f"/leave {room}")
    assert [await carol.code(f"/join {each}") for each in (code, room)] == ["unknown_chat"] * 2
    assert await bob.code(f"/join {room}") == "unknown_chat"
    await carol.ok(f"/create_chat {room}")
    assert (await carol.ok(f"/history {room}"))["count"] == 0
    await chat.close()
    chat.server.restart()
    assert (await (await chat.json("bob")).ok("/status"))["invitations"] == []


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/leave {}")
