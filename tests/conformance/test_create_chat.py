"""/create_chat: a private chat of one's own."""

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, make_room
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, room = await chat.text(), unique("#Room")
    reply = await alice.ok(f"/create {room}")
    assert reply == f"{room} is yours; /invite {room} <username> brings others in, /talk {room} and just type"
    await alice.ok(f"/talk {room.lower()}")
    await alice.send("hello")
    assert (await alice.line()).startswith("+ sent #")
    shown, _ = await alice.command("/status")
    assert f"  chat {room}: all read, owned by {alice.name}, with {alice.name}" in shown


async def test_json_on_every_device(chat: Chat) -> None:
    alice, other = await chat.json(), await chat.json()
    device, room = await chat.json(alice.name), unique("#room")
    assert await alice.ok({"cmd": "create_chat", "name": room}) == {"type": "ok", "re": "create_chat", "chat": room}
    assert await device.roundtrip() == [{"type": "joined", "chat": room, "user": alice.name}]
    assert await alice.roundtrip() == await other.roundtrip() == []
    wanted = {
        "name": room, "read": 0, "unread": 0, "muted": False, "owner": alice.name, "members": [alice.name],
    }  # fmt: skip
    assert (await chats_of(device))[room] == wanted
    assert room not in await chats_of(other)
    sent = await alice.ok(f"/send {room} hi")
    (message,) = await device.roundtrip()
    assert (message["chat"], message["id"], message["from"]) == (room, sent["id"], alice.name)
    assert await other.roundtrip() == []


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    assert [await bob.code(f"/create_chat {name}") for name in (room, room.upper())] == ["exists"] * 2
    for name, code in (
        ("#main", "bad_name"), ("#.x", "bad_name"), (f"#{'x' * 33}", "bad_name"),
        ("#xбx", "bad_name"), (room.replace("o", "о"), "bad_name"),
    ):  # fmt: skip
        assert await bob.code(f"/create_chat {name}") == code, name


async def test_so_many_chats(start: Start) -> None:
    chat = start("--chats-max", "2")
    alice = await chat.json("alice")
    for name in ("#one", "#two"):
        await alice.ok(f"/create_chat {name}")
    assert await alice.code("/create_chat #three") == "too_many"
    assert (await alice.ok("/status"))["limits"]["chats"] == {"used": 2, "max": 2}
    await alice.ok("/leave #one")
    await alice.ok("/create_chat #three")


async def test_all_of_it_stays_over_a_kill(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/create_chat #Team")
    await alice.ok("/invite #team bob")
    await bob.ok("/join #team")
    await alice.ok("/topic #team plans")
    await alice.ok("/send #team hi")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json("bob")
    team = (await chats_of(bob))["#Team"]
    assert (team["owner"], team["topic"], team["members"], team["unread"]) == ("alice", "plans", ["alice", "bob"], 1)
    assert texts((await bob.command("/messages #team"))[0]) == ["hi"]
    assert await bob.code("/create_chat #team") == "exists"
    alice = await chat.json("alice")
    await bob.ok("/send #team there")
    assert texts(await alice.roundtrip()) == ["there"]
