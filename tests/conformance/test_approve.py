"""/approve: the owner lets in who asked."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, code_for, make_room, outside, room_of
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    code = (await alice.ok(f"/invite_link {room}")).rsplit(" ", 1)[1]
    await bob.ok(f"/join {code}")
    asks = f"{bob.name} asks to join {room}"
    assert await alice.roundtrip() == [
        f"* {asks}; /approve {room} {bob.name} lets them in, /deny {room} {bob.name} refuses"
    ]
    assert f"  {asks}; /approve or /deny {room} {bob.name}" in (await alice.command("/status"))[0]
    assert await alice.ok(f"/approve {room} {bob.name}") == f"{bob.name} is in {room} now"
    assert await bob.roundtrip() == [
        f"* you are in {room} now, its owner let you in; /history {room} shows what was said"
    ]


async def test_json_on_every_device(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    device = await chat.json(carol.name)
    await alice.ok(f"/send {room} before")
    await carol.ok(f"/join {await code_for(bob, room)}")
    await bob.roundtrip()
    reply = await alice.ok({"cmd": "approve", "chat": room, "username": carol.name})
    assert reply == {"type": "ok", "re": "approve", "chat": room, "user": carol.name}
    for client in (carol, device):
        assert await client.roundtrip() == [{"type": "approved", "chat": room}]
    assert await bob.roundtrip() == [{"type": "joined", "chat": room, "user": carol.name}]
    await alice.ok(f"/send {room} after")
    for client in (carol, device, bob):
        assert texts(await client.roundtrip()) == ["after"]
    assert texts((await device.command(f"/history {room}"))[0]) == ["before", "after"]
    assert (await alice.ok("/status"))["join_requests"] == []


async def test_who_asked_and_is_away_is_told(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    await bob.ok(f"/join {await code_for(alice, room)}")
    await bob.close()
    await alice.ok(f"/approve {room} bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    for told in ([{"type": "approved", "chat": room}], []):
        bob = await chat.json_stranger()
        shown, reply = await bob.command("/sign_in bob")
        assert [line for line in shown if line["type"] == "approved"] == told
        assert room in [each["name"] for each in reply["chats"]]
        await bob.roundtrip()
        await bob.close()


async def test_errors(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol = await chat.json()
    await carol.ok(f"/join {await code_for(bob, room)}")
    refused = await bob.refused(f"/approve {room} {carol.name}")
    assert refused["code"] == "forbidden" and alice.name in refused["text"]
    await outside(carol, room, f"/approve {{}} {carol.name}")
    assert [await alice.code(f"/approve {room} {name}") for name in ("nobody", bob.name)] == ["unknown_user"] * 2
    await alice.ok(f"/approve {room} {carol.name}")
    assert await alice.code(f"/approve {room} {carol.name}") == "unknown_user"


async def test_not_past_the_limit_of_who_asked(start: Start) -> None:
    chat = start("--chats-max", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    await bob.ok("/create_chat #own")
    await bob.ok(f"/join {await code_for(alice, room)}")
    assert await alice.code(f"/approve {room} bob") == "too_many"
    assert room not in await chats_of(bob)
