"""/invite_link: a code by which one asks to be let in."""

from datetime import UTC, datetime, timedelta

from tests.conformance.conftest import Start
from tests.conformance.rooms import code_for, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    words, code = (await alice.ok(f"/invite_link {room}")).rsplit(" ", 1)
    assert words.startswith("until ") and words.endswith(f"UTC anybody may ask to join {room}: /join")
    assert await bob.ok(f"/join {code}") == f"asked to join {room}; you will be told what its owner decides"


async def test_json(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    reply = await bob.ok({"cmd": "invite_link", "chat": room})
    assert (reply["type"], reply["re"], reply["chat"]) == ("ok", "invite_link", room)
    ahead = datetime.fromisoformat(reply["expires"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < ahead <= timedelta(hours=24)
    # 128 bits are 22 letters of 64.
    assert len(reply["code"]) >= 22
    another = await code_for(alice, room)
    assert another != reply["code"]
    asker = await chat.json()
    for code in (another, reply["code"]):
        assert await asker.ok(f"/join {code}") == {"type": "ok", "re": "join", "chat": room, "asked": True}


async def test_a_code_ends_with_its_time(start: Start) -> None:
    chat = start("--link-ttl", "1s")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    room = await make_room(alice)
    code = await code_for(alice, room)
    await bob.ok(f"/join {code}")
    await alice.ok(f"/deny {room} bob")
    while (reply := (await bob.command(f"/join {code}"))[1])["type"] == "ok":
        pass
    assert reply["code"] == "unknown_chat" and "expired" in reply["text"]
    never = await bob.refused("/join never-a-code")
    assert never == reply, "and looks like one that never was"


async def test_stays_over_a_kill_and_is_nowhere_in_the_data(start: Start) -> None:
    chat = start()
    room = await make_room(await chat.json("alice"))
    code = await code_for(await chat.json("alice"), room)
    bob = await chat.json("bob")
    await bob.ok(f"/join {code}")
    await chat.close()
    chat.server.kill()
    for path in chat.server.data.iterdir():
        assert not path.is_file() or code.encode() not in path.read_bytes(), path
    assert code not in chat.server.log
    chat.server.start()
    assert (await (await chat.json("carol")).ok(f"/join {code}"))["asked"]


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/invite_link {}")
