"""/unreact: takes a reaction of one's own back."""

from tests.conformance.conftest import Start
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    id_ = (await alice.ok("/send_all lunch?")).removeprefix("sent #")
    (before,) = await bob.roundtrip()
    await bob.ok(f"/react {id_} 👍")
    assert await bob.ok(f"/unreact #{id_} 👍") == f"changed #{id_}"
    assert (await alice.roundtrip())[-1] == before
    assert await bob.roundtrip() == []


async def test_json_on_every_device(chat: Chat) -> None:
    alice, stranger, name = await chat.json(), await chat.json(), unique("bob")
    bob, device = await chat.json(name), await chat.json(name)
    sent = await alice.ok(f"/send {name} hi")
    await bob.ok(f"/react {sent['id']} 👍")
    await alice.ok(f"/react {sent['id']} 👍")
    for client in (alice, bob, device):
        await client.roundtrip()
    reply = await bob.ok({"cmd": "unreact", "id": sent["id"], "emoji": "👍"})
    changed = reply.pop("message")
    assert reply == {"type": "ok", "re": "unreact", "id": sent["id"], "seq": sent["id"] + 3}
    for client, other in ((device, alice.name), (alice, name)):
        (event,) = await client.roundtrip()
        assert (event["seq"], event["chat"]) == (reply["seq"], f"@{other}")
        assert event["reactions"] == {"👍": [alice.name]}
        assert client is alice or changed == event
    await alice.ok(f"/unreact {sent['id']} 👍")
    (event,) = await device.roundtrip()
    assert "reactions" not in event
    assert [line["seq"] for line in await bob.roundtrip()] == [event["seq"]]
    assert await stranger.roundtrip() == []


async def test_what_is_not_there_is_gone_already(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    id_ = (await alice.ok("/send_all hi"))["id"]
    seq = (await alice.ok(f"/react {id_} 👍"))["seq"]
    await bob.roundtrip()
    for emoji in ("👍", "+1"):
        reply = await bob.ok(f"/unreact {id_} {emoji}")
        assert reply["note"] == f"nothing changed: you have not reacted to #{id_} with {emoji}"
        assert reply["seq"] == reply["message"]["seq"] == seq
    person = await chat.text()
    assert (await person.ok(f"/unreact {id_} 👍")).startswith("nothing changed: ")
    assert await alice.roundtrip() == []
    shown, _ = await bob.command(f"/thread {id_}")
    assert shown[0]["reactions"] == {"👍": [alice.name]}


async def test_errors(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    secret = (await alice.ok(f"/send {bob.name} psst"))["id"]
    hidden, nothing = await stranger.refused(f"/unreact {secret} +1"), await stranger.refused("/unreact 99999999 +1")
    assert hidden["code"] == "unknown_message"
    assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(secret))}
    await bob.ok(f"/react {secret} 👍")
    await alice.ok(f"/delete {secret}")
    assert await bob.code(f"/unreact {secret} 👍") == "unknown_message"


async def test_stays_over_a_restart_and_is_resumed(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    id_ = (await alice.ok("/send_all hi"))["id"]
    seq = (await bob.ok(f"/react {id_} 👍"))["seq"]
    await bob.ok(f"/unreact {id_} 👍")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    _, shown, reply = await chat.resume(alice.token, seq)
    assert [(line["id"], "reactions" in line) for line in shown] == [(id_, False)]
    assert reply["seq"] == shown[0]["seq"] == seq + 1
