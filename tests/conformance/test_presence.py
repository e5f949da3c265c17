"""/presence: whether this connection is told who comes and goes."""

from tests.conformance.conftest import Start
from tests.harness import Chat, JsonClient, TextClient


async def watcher(chat: Chat) -> JsonClient:
    client = await chat.json()
    await client.ok("/presence on")
    await client.roundtrip()
    return client


async def test_json(chat: Chat) -> None:
    alice = await watcher(chat)
    bob = await chat.json()
    told = await alice.event("presence", user=bob.name)
    assert told == {"type": "presence", "user": bob.name, "online": True}
    await bob.ok("/quit")
    assert (await alice.event("presence", user=bob.name))["online"] is False


async def test_text(chat: Chat) -> None:
    alice: TextClient = await chat.text()
    await alice.ok("/presence on")
    bob = await chat.json()
    await bob.ok("/sign_out")
    lines: list[str] = []
    while f"* {bob.name} is offline" not in lines:
        lines.append(await alice.line())
    assert f"* {bob.name} is online" in lines


async def test_off_and_on(chat: Chat) -> None:
    alice, marker = await watcher(chat), await watcher(chat)
    assert (await alice.ok({"cmd": "presence", "presence": False}))["presence"] is False
    await alice.roundtrip()
    bob = await chat.json()
    await marker.event("presence", user=bob.name)
    assert await alice.roundtrip() == []
    assert (await alice.ok("/presence ON"))["presence"] is True
    await bob.ok("/sign_out")
    assert (await alice.event("presence", user=bob.name))["online"] is False


async def test_only_the_first_and_the_last_connection_are_told(chat: Chat) -> None:
    alice, bob = await watcher(chat), await chat.json()
    await alice.event("presence", user=bob.name)
    other = await chat.json(bob.name)
    await bob.ok("/quit")
    await bob.rest()
    assert bob.name not in [line.get("user") for line in await alice.roundtrip()]
    await other.ok("/quit")
    assert (await alice.event("presence", user=bob.name))["online"] is False


async def test_oneself_is_not_told_of_oneself(chat: Chat) -> None:
    alice, marker = await watcher(chat), await watcher(chat)
    other = await chat.json_stranger()
    await other.command(f"/sign_in {alice.name}")
    await other.ok("/sign_out all")
    assert (await marker.event("presence", user=alice.name))["online"] is False
    told = [*alice.pushed, *await other.roundtrip()]
    assert alice.name not in [line["user"] for line in told if line["type"] == "presence"]


async def test_it_is_not_told_past_a_number_of_users(start: Start) -> None:
    chat = start("--presence-max", "2")
    alice = await watcher(chat)
    await chat.json()
    await alice.event("presence")
    third = await chat.json()
    assert len((await third.ok("/status"))["active"]) == 3
    assert await alice.roundtrip() == []
