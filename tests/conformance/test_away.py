"""/away and /back: shown by /who, /status and presence."""

from tests.conformance.conftest import Start
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok("/presence on")
    await bob.roundtrip()
    assert (await alice.ok("/away having lunch"))["away"] == "having lunch"
    told = await bob.event("presence", user=alice.name)
    assert told == {"type": "presence", "user": alice.name, "online": True, "away": "having lunch"}
    assert (await bob.ok(f"/who {alice.name}"))["away"] == "having lunch"
    assert (await bob.ok("/status"))["away"][alice.name] == "having lunch"
    assert "away" not in await alice.ok("/back")
    told = await bob.event("presence", user=alice.name)
    assert told == {"type": "presence", "user": alice.name, "online": True}
    assert "away" not in await bob.ok(f"/who {alice.name}")
    await alice.ok({"cmd": "away", "text": "again"})
    assert (await bob.event("presence", user=alice.name))["away"] == "again"
    await alice.ok("/away")
    assert "away" not in await bob.event("presence", user=alice.name)
    # Nothing new is no news.
    await alice.ok("/back")
    assert [line for line in await bob.roundtrip() if line.get("user") == alice.name] == []


async def test_who_does_not_want_to_know_is_not_told(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    await carol.ok("/presence on")
    await alice.ok("/away now")
    await carol.event("presence", user=alice.name)
    assert await bob.roundtrip() == []
    await alice.ok("/back")


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    await bob.ok("/presence on")
    await bob.roundtrip()
    assert await alice.ok("/away at lunch") == "you are away: at lunch; /back ends it"
    line = ""
    while line != f"* {alice.name} is away: at lunch":
        line = await bob.line()
    assert await bob.ok(f"/who {alice.name}") == f"{alice.name} is online (away: at lunch)"
    items, _ = await bob.command("/status")
    assert f"{alice.name} (away: at lunch)" in items[0]
    assert await alice.ok("/back") == "you are not away; /away <text> tells others why you are"


async def test_it_is_kept_until_back(start: Start) -> None:
    chat = start()
    await (await chat.json("alice")).ok("/away on holiday")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json("bob")
    assert (await bob.ok("/who alice"))["away"] == "on holiday"
    await bob.ok("/presence on")
    await chat.json("alice")
    assert (await bob.event("presence", user="alice"))["away"] == "on holiday"


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/away " + "x" * 201) == "too_large"


async def test_a_banned_user_says_nothing(start: Start) -> None:
    chat = start("--report-limit", "1")
    mallory = await chat.json("mallory")
    await mallory.ok("/away for now")
    await (await chat.json("bob")).ok("/report mallory")
    assert await mallory.code("/away shouting") == "banned"
    await mallory.ok("/back")
