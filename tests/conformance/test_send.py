"""/send: to a user, online or not, or to a chat."""

import re

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob, carol = await chat.text(), await chat.text(), await chat.text()
    reply = await alice.ok(f"/send {bob.name} hi there")
    (line,) = await bob.roundtrip()
    assert re.fullmatch(rf"\[\d\d:\d\d:\d\d\] @{alice.name}: hi there \({reply.removeprefix('sent ')}\)", line)
    assert await carol.roundtrip() == []


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    reply = await alice.ok({"cmd": "send", "target": bob.name, "text": "hi"})
    assert reply.keys() == {"type", "re", "id", "at"}
    same = {"id": reply["id"], "seq": reply["id"], "at": reply["at"]}
    assert await bob.roundtrip() == [
        {"type": "message", "chat": f"@{alice.name}", "from": alice.name, "text": "hi", **same}
    ]


@pytest.mark.parametrize("verb", ["send", "send_to", "msg", "w", "W"])
@pytest.mark.parametrize("mark", ["", "@"])
async def test_aliases_and_marks(chat: Chat, verb: str, mark: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    reply = await alice.ok(f"/{verb} {mark}{bob.name.upper()} hi")
    assert reply["re"] == "send"
    assert texts(await bob.roundtrip()) == ["hi"]


@pytest.mark.parametrize("target", ["main", "MAIN"])
async def test_to_main(chat: Chat, target: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok(f"/send {target} hi")
    assert [line["chat"] for line in await bob.roundtrip()] == ["main"]


async def test_to_someone_who_is_offline(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.close()
    await alice.ok(f"/send {bob.name} when you are back")
    back = await chat.json_stranger()
    shown, _ = await back.command(f"/sign_in {bob.name}")
    assert texts(shown) == ["when you are back"]


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, _ = await chat.json("alice"), await chat.json("bob")
    sent = await alice.ok("/send bob hi")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json_stranger()
    shown, _ = await bob.command("/sign_in bob")
    assert [(line.get("id"), line.get("chat")) for line in shown[1:]] == [(sent["id"], "@alice")]
    assert (await (await chat.json(unique("carol"))).command("/history main"))[0] == []
