"""/react: an emoji on a message."""

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, carol = await chat.text(), await chat.text(), await chat.text()
    id_ = (await alice.ok("/send_all lunch?")).removeprefix("sent #")
    (before,) = await bob.roundtrip()
    assert await bob.ok(f"/react #{id_} 👍") == f"changed #{id_}"
    await carol.ok(f"/react {id_} 👍")
    await carol.ok(f"/react {id_} +1")
    marks = (f"(👍 {bob.name})", f"(👍 {bob.name} {carol.name})", f"(👍 {bob.name} {carol.name}) (+1 {carol.name})")
    assert await alice.roundtrip() == [before.replace("lunch?", f"lunch? {mark}") for mark in marks]


async def test_json_on_every_device(chat: Chat) -> None:
    alice, stranger, name = await chat.json(), await chat.json(), unique("bob")
    bob, device = await chat.json(name), await chat.json(name)
    sent = await alice.ok(f"/send {name} hi")
    for client in (bob, device):
        await client.roundtrip()
    reply = await bob.ok({"cmd": "react", "id": sent["id"], "emoji": "👍"})
    changed = reply["message"]
    assert reply == {"type": "ok", "re": "react", "id": sent["id"], "seq": sent["id"] + 1, "message": changed}
    for client, other in ((device, alice.name), (alice, name)):
        now = {"type": "message", "id": sent["id"], "seq": reply["seq"], "chat": f"@{other}", "from": alice.name,
               "at": sent["at"], "text": "hi", "reactions": {"👍": [name]}}  # fmt: skip
        # Whoever was here before may only just be gone.
        assert [line for line in await client.roundtrip() if line["type"] == "message"] == [now]
        assert client is alice or changed == now
    assert await bob.roundtrip() == await stranger.roundtrip() == []
    # Once more changes nothing, and is told to nobody.
    again = await bob.ok(f"/react {sent['id']} 👍")
    assert again.pop("note") == f"nothing changed: you have reacted to #{sent['id']} with 👍 already"
    assert again == reply
    assert await device.roundtrip() == await alice.roundtrip() == []
    # One's own message too.
    await alice.ok(f"/react {sent['id']} +1")
    assert (await bob.event("message"))["reactions"] == {"👍": [name], "+1": [alice.name]}


@pytest.mark.parametrize("emoji", ["👍", "❤️", "+1", "👩🏽‍🚀", "🇺🇦", "1️⃣", "!?", "👍" * 16])
async def test_emojis(chat: Chat, emoji: str) -> None:
    alice = await chat.json()
    id_ = (await alice.ok("/send_all hi"))["id"]
    await alice.ok(f"/react {id_} {emoji}")
    shown, _ = await alice.command(f"/thread {id_}")
    assert shown[0]["reactions"] == {emoji: [alice.name]}


async def test_errors(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    secret = (await alice.ok(f"/send {bob.name} psst"))["id"]
    hidden, nothing = await stranger.refused(f"/react {secret} +1"), await stranger.refused("/react 99999999 +1")
    assert hidden["code"] == "unknown_message"
    assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(secret))}
    await alice.ok(f"/delete {secret}")
    assert await bob.code(f"/react {secret} 👍") == "unknown_message"


async def test_so_many_different_ones(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    id_ = (await alice.ok("/send_all hi"))["id"]
    replies = await alice.pipeline(f"/react {id_} +{number}" for number in range(20))
    assert {line["type"] for line in replies} == {"ok"}
    assert await bob.code(f"/react {id_} +20") == "too_many"
    assert await bob.code(f"/react {id_} +19") == "ok"
    await alice.ok(f"/unreact {id_} +0")
    assert await bob.code(f"/react {id_} +20") == "ok"


async def test_what_is_missed_comes_once_by_seq(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    one, two = [(await alice.ok(f"/send_all {text}"))["id"] for text in ("one", "two")]
    await bob.event("message", id=two)
    await bob.close()
    for id_, emoji in ((one, "👍"), (two, "👍"), (one, "+1")):
        last = await alice.ok(f"/react {id_} {emoji}")
    _, shown, reply = await chat.resume(bob.token, two)
    name = alice.name
    assert [(line["id"], line["reactions"]) for line in shown] == [
        (two, {"👍": [name]}), (one, {"👍": [name], "+1": [name]})
    ]  # fmt: skip
    assert reply["seq"] == last["seq"]


async def test_an_account_takes_its_reactions_along(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    kept, going = (await alice.ok("/send_all hi"))["id"], (await bob.ok("/send_all bye"))["id"]
    for client in (bob, carol):
        for id_ in (kept, going):
            await client.ok(f"/react {id_} 👍")
    await alice.roundtrip()
    await bob.ok(f"/delete_account {bob.name}")
    changes = {line["id"]: line for line in await alice.roundtrip() if line["type"] == "message"}
    assert changes.keys() == {kept, going}
    assert changes[kept]["reactions"] == {"👍": [carol.name]}
    assert changes[going]["deleted"] and "reactions" not in changes[going]
    shown, _ = await carol.command(f"/thread {kept}")
    assert (texts(shown), shown[0]["reactions"]) == (["hi"], {"👍": [carol.name]})


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    id_ = (await alice.ok("/send_all hi"))["id"]
    seqs = [(await client.ok(f"/react {id_} 👍"))["seq"] for client in (bob, alice)]
    await chat.close()
    chat.server.kill()
    chat.server.start()
    (message,) = (await (await chat.json("carol")).command("/history main"))[0]
    assert sorted(message["reactions"]["👍"]) == ["alice", "bob"]
    assert message["seq"] == seqs[-1]
