"""/mute, /unmute: kept by the server for all of a user's devices."""

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, JsonClient, unique


async def muted(client: JsonClient) -> dict[str, bool]:
    reply: Json = await client.ok("/status")
    return {each["name"]: each["muted"] for each in reply["chats"]}


async def test_all_devices_follow_at_once(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    one, other, person = await chat.json(name), await chat.json(name), await chat.text(name)
    await bob.ok(f"/send {name} hi")
    for client in (one, other, person):
        await client.roundtrip()
    assert await one.ok(f"/mute {bob.name}") == {"type": "ok", "re": "mute", "chat": f"@{bob.name}", "muted": True}
    told = {"type": "muted", "chat": f"@{bob.name}", "muted": True}
    assert (await other.event("muted"), await person.roundtrip()) == (told, [f"* @{bob.name} is muted now"])
    assert [line for line in await one.roundtrip() if line["type"] == "muted"] == []
    assert await muted(one) == await muted(other) == {"main": False, f"@{bob.name}": True}
    assert await muted(bob) == {"main": False, f"@{name}": False}
    await other.ok({"cmd": "unmute", "chat": f"@{bob.name}"})
    assert (await one.event("muted"))["muted"] is False
    assert not any((await muted(one)).values())


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    assert await alice.ok("/mute main") == "main is muted; /unmute main ends it"
    items, _ = await alice.command("/status")
    assert "  chat main: all read, muted" in items
    assert await alice.ok("/unmute main") == "main is not muted"


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    await (await chat.json("alice")).ok("/mute main")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json_stranger()
    assert (await alice.ok("/sign_in alice"))["chats"][0]["muted"] is True


async def test_a_chat_in_which_nothing_was_said(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    assert [await alice.code(f"/{verb} {bob.name}") for verb in ("mute", "unmute")] == ["unknown_chat"] * 2
