"""/join: accepts an invitation, or asks to be let in."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, code_for, make_room, outside, room_of
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    reply = await bob.ok(f"/join {room}")
    assert reply == f"you are in {room}; /history {room} shows what was said, /talk {room} and just type"
    assert await alice.roundtrip() == [f"* {bob.name} joined {room}"]


async def test_who_accepts_sees_what_was_said_and_has_nothing_unread(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    device = await chat.json(bob.name)
    room = await make_room(alice, carol)
    ids = [(await alice.ok(f"/send {room} {text}"))["id"] for text in ("one", "two")]
    await alice.ok(f"/invite {room} {bob.name}")
    for client in (bob, device, carol):
        await client.roundtrip()
    for _ in range(2):
        assert await bob.ok({"cmd": "join", "chat": room}) == {"type": "ok", "re": "join", "chat": room}
    joined = {"type": "joined", "chat": room, "user": bob.name}
    assert [await client.roundtrip() for client in (alice, carol, device, bob)] == [[joined]] * 3 + [[]]
    listed = (await chats_of(device))[room]
    assert (listed["read"], listed["unread"]) == (ids[1], 0)
    assert listed["members"] == [alice.name, carol.name, bob.name]
    assert texts((await device.command(f"/history {room}"))[0]) == ["one", "two"]
    sent = await carol.ok(f"/send {room} three")
    for client in (alice, bob, device):
        assert [line["id"] for line in await client.roundtrip()] == [sent["id"]]
    assert (await device.ok("/status"))["invitations"] == []


async def test_who_asks_is_not_in(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    carol, code = await chat.json(), await code_for(bob, room)
    for command in (f"/join {code}", {"cmd": "join", "code": code}, {"cmd": "join", "chat": code}):
        assert (await carol.ok(command)).get("asked") is True
    assert await alice.roundtrip() == [{"type": "join_request", "chat": room, "user": carol.name}]
    assert await bob.roundtrip() == []
    for line in ("/history {}", "/members {}", "/join {}", "/send {} hi", "/leave {}", "/topic {}"):
        await outside(carol, room, line)
    await alice.ok(f"/send {room} hi")
    assert await carol.roundtrip() == []


async def test_an_owner_who_is_away_is_told(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    code = await code_for(alice, room)
    await alice.close()
    await bob.ok(f"/join {code}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json_stranger()
    shown, reply = await alice.command("/sign_in alice")
    assert {"type": "join_request", "chat": room, "user": "bob"} in shown
    assert reply["join_requests"] == [{"chat": room, "user": "bob"}]
    await alice.ok(f"/approve {room} bob")
    assert room in await chats_of(await chat.json("bob"))


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/join {}")
    assert [await bob.code(f"/join {code}") for code in ("nonsense", "main", "@bob")] == ["unknown_chat"] * 3
    for command in ("/join", f"/join {room} x", {"cmd": "join"}, {"cmd": "join", "chat": room, "code": "x"}):
        assert await bob.code(command) == "bad_argument", command
