"""/typing and /watch_typing: programs are told who types, people never."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator
from tests.conformance.rooms import make_room
from tests.harness import Chat, JsonClient


async def watcher(chat: Chat, name: str | None = None) -> JsonClient:
    client = await chat.json(name)
    told = await client.ok({"cmd": "watch_typing", "watch": True})
    assert told == {"type": "ok", "re": "watch_typing", "watch": True}
    return client


async def test_between_two_who_have_talked(chat: Chat) -> None:
    alice, bob = await watcher(chat), await chat.json()
    typing = {"cmd": "typing", "chat": f"@{alice.name}"}
    assert await bob.ok(typing) == {"type": "ok", "re": "typing", "typing": True}
    assert await alice.roundtrip() == [], "nothing was ever said between them"
    await alice.ok(f"/send {bob.name} hi")
    await bob.ok(typing)
    seen = {"type": "typing", "chat": f"@{bob.name}", "user": bob.name, "typing": True}
    assert await alice.event("typing") == seen
    await bob.ok({**typing, "typing": False})
    assert await alice.event("typing") == {**seen, "typing": False}
    await bob.ok(f"/typing {alice.name}")
    assert await alice.roundtrip() == [], "so soon it is not told again"


async def test_in_a_private_chat_all_but_oneself_and_those_in_text(chat: Chat) -> None:
    alice, bob, carol, quiet = await watcher(chat), await watcher(chat), await watcher(chat), await chat.json()
    room = await make_room(alice, bob, carol, quiet)
    text = await chat.text(alice.name)
    await text.ok("/watch_typing on")
    twin = await watcher(chat, bob.name)
    await bob.ok({"cmd": "typing", "chat": room})
    for client in (alice, carol):
        assert await client.event("typing") == {"type": "typing", "chat": room, "user": bob.name, "typing": True}
    for client in (bob, twin, quiet):
        assert await client.roundtrip() == []
    assert await text.roundtrip() == []


async def test_who_has_left_or_is_blocked_is_not_told(chat: Chat) -> None:
    alice, bob, carol, dave = [await watcher(chat) for _ in range(4)]
    room = await make_room(alice, bob, carol, dave)
    await carol.ok(f"/leave {room}")
    await dave.ok(f"/block {bob.name}")
    for client in (alice, dave):
        await client.roundtrip()
    await bob.ok({"cmd": "typing", "chat": room})
    await alice.event("typing")
    assert await carol.roundtrip() == await dave.roundtrip() == []
    assert await carol.code({"cmd": "typing", "chat": room}) == "unknown_chat"
    await dave.ok({"cmd": "typing", "chat": room})
    await alice.event("typing", user=dave.name)
    assert await bob.roundtrip() == [{"type": "left", "chat": room, "user": carol.name}]


async def test_nobody_is_told_in_main(chat: Chat) -> None:
    alice, bob = await watcher(chat), await chat.json()
    await bob.ok({"cmd": "typing", "chat": "main"})
    assert await alice.roundtrip() == []


async def test_it_ends_with_what_asked_for_it(chat: Chat) -> None:
    alice, bob = await watcher(chat), await chat.json()
    room = await make_room(alice, bob)
    assert (await alice.ok("/watch_typing off"))["watch"] is False
    await bob.ok({"cmd": "typing", "chat": room})
    assert await alice.roundtrip() == []


async def test_a_banned_user_tells_nobody(start: Start) -> None:
    chat = start("--operator", "boss")
    alice, bob = await watcher(chat), await chat.json()
    room = await make_room(alice, bob)
    boss = await json_operator(chat)
    await boss.ok(f"/ban {bob.name} 1h rude")
    assert await bob.code({"cmd": "typing", "chat": room}) == "banned"
    assert [each for each in await alice.roundtrip() if each["type"] == "typing"] == []


async def test_no_list_of_commands_and_no_log_has_it(start: Start) -> None:
    chat = start()
    alice, bob = await watcher(chat), await chat.json()
    room = await make_room(alice, bob)
    await bob.ok({"cmd": "typing", "chat": room})
    assert "typing" not in "".join((await bob.ok("/help"))["help"])
    forms = (await bob.ok("/format json"))["commands"]
    assert not any("typing" in form["verb"] for form in forms)
    await bob.ok("/ping there")
    assert "typing" not in await chat.server.logged("ping")
