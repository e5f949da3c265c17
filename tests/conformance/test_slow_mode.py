"""/slow_mode: how long each person waits between two messages in a chat."""

from datetime import UTC, datetime, timedelta

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator
from tests.conformance.rooms import chats_of, make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    await bob.ok(f"/talk {room}")
    assert await bob.ok("/slow_mode") == f"{room} is not in slow mode"
    await bob.roundtrip()
    slow = f"{room} is in slow mode: everybody may send one message in 1h"
    assert await alice.ok(f"/slow {room} 60m") == slow
    told = f"* {alice.name} put {room} in slow mode: everybody may send one message in 1h"
    assert await bob.roundtrip() == [told]
    assert await bob.ok("/slow_mode") == slow
    await bob.ok(f"/send {room} one")
    _, refusal = await bob.command(f"/send {room} two")
    assert refusal.startswith(f"- rate_limited: nothing was sent: {room} is in slow mode, which lets each send one")
    assert refusal.endswith(("in 59 min", "in 1 h"))
    lines, _ = await bob.command("/status")
    assert any(line.startswith(f"  chat {room}: ") and "slow mode: 1h" in line for line in lines)
    assert await alice.ok(f"/slow {room} off") == f"{room} is not in slow mode"
    assert f"* {alice.name} ended the slow mode of {room}" in await bob.roundtrip()
    await bob.ok(f"/send {room} two")


async def test_json(chat: Chat) -> None:
    room, (alice, bob) = await room_of(chat, "", "")
    device = await chat.json(alice.name)
    reply = await alice.ok({"cmd": "slow_mode", "chat": room, "interval": 90})
    assert reply == {"type": "ok", "re": "slow_mode", "chat": room, "seconds": 90}
    for client in (bob, device):
        event = await client.event("slow_mode")
        assert event == {"type": "slow_mode", "chat": room, "seconds": 90, "by": alice.name}
    assert (await chats_of(bob))[room]["slow_mode"] == 90
    await bob.ok({"cmd": "send", "target": room, "text": "one", "key": "k1"})
    refusal = await bob.refused({"cmd": "send", "target": room, "text": "two", "key": "k2"})
    wait = datetime.fromisoformat(refusal["retry_at"]) - datetime.now(UTC)
    assert (refusal["code"], timedelta(seconds=30) < wait <= timedelta(seconds=90)) == ("rate_limited", True)
    # The same message again is no second one.
    await bob.ok({"cmd": "send", "target": room, "text": "one", "key": "k1"})
    await bob.ok(f"/send {alice.name} a chat of two has none")
    assert await bob.code(f"/slow_mode @{alice.name} 5s") == "bad_argument"
    assert (await alice.ok({"cmd": "slow_mode", "chat": room, "interval": 0}))["seconds"] == 0
    await bob.ok({"cmd": "send", "target": room, "text": "two", "key": "k2"})
    assert "slow_mode" not in (await chats_of(bob))[room]


async def test_main_belongs_to_operators_and_all_stays_over_a_restart(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, bob = await json_operator(chat), await chat.json("bob")
    room = await make_room(bob)
    await bob.ok(f"/slow_mode {room} 1h")
    assert await bob.code("/slow_mode main 1h") == "forbidden"
    await boss.ok("/slow_mode main 1h")
    assert (await bob.event("slow_mode"))["chat"] == "main"
    for text in ("one", "two"):
        await boss.ok(f"/send_all {text}")
    await bob.ok("/send_all one")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json("bob")
    assert await bob.code("/send_all two") == "rate_limited"
    found = await chats_of(bob)
    assert (found["main"]["slow_mode"], found[room]["slow_mode"]) == (3600, 3600)


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    for line in ("/slow_mode {}", "/slow_mode {} 5s"):
        await outside(bob, room, line)
    assert await alice.code(f"/slow_mode {room} soon") == "bad_argument"
