"""/block, /unblock, /blocked: nothing goes between the two, and the other's mentions do not call."""

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, soon


@pytest.mark.parametrize("verb", ["block", "ignore"])
async def test_json(chat: Chat, verb: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    told = await alice.ok(f"/{verb} {bob.name.upper()}")
    assert told == {"type": "ok", "re": "block", "user": bob.name, "blocked": True}
    for one, other in ((alice, bob), (bob, alice)):
        refused = await one.refused(f"/send {other.name} hi")
        assert refused["code"] == "blocked" and other.name in refused["text"]
        assert await one.code(f"/send_delayed {other.name} 1h hi") == "blocked"
    assert await bob.roundtrip() == []
    assert (await alice.ok("/blocked"))["blocked"] == [bob.name]
    assert (await bob.ok("/blocked"))["blocked"] == []
    assert (await alice.ok({"cmd": "unblock", "username": bob.name}))["blocked"] is False
    await bob.ok(f"/send {alice.name} hi")
    assert len((await alice.command(f"/history {bob.name}"))[0]) == 1, "nothing else was stored"


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    assert await alice.ok("/blocked") == "0 blocked"
    assert (await alice.ok(f"/block {bob.name}")).startswith(f"nothing goes between you and {bob.name} any more")
    assert await alice.command("/blocked") == ([f"  {bob.name}"], "+ 1 blocked; /unblock <username> ends it")
    _, reply = await bob.command(f"/send {alice.name} hi")
    assert reply.startswith(f"- blocked: nothing goes between you and {alice.name}: one of you ")
    assert await alice.ok(f"/unblock {bob.name}") == f"{bob.name} is not blocked by you"


async def test_what_was_said_before_does_not_change_any_more_either(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await alice.ok(f"/send {bob.name} hi")
    await bob.ok(f"/block {alice.name}")
    await bob.roundtrip()
    for line in (f"/reply {sent['id']} hi", f"/edit {sent['id']} hi", f"/react {sent['id']} +1"):
        assert await alice.code(line) == "blocked", line
    assert await bob.roundtrip() == []
    await alice.ok(f"/delete {sent['id']}")
    (deleted,) = await bob.roundtrip()
    assert deleted["deleted"] is True


async def test_a_delayed_message_fails(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    delayed = await alice.ok(f"/send_delayed {bob.name} {soon()} hi")
    await bob.ok(f"/block {alice.name}")
    event = await alice.event("delayed_failed")
    assert event == {"type": "delayed_failed", "id": delayed["delayed_id"], "code": "blocked"}
    assert await bob.roundtrip() == []


async def test_mentions_do_not_call(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    await alice.ok(f"/block {bob.name}")
    await bob.ok(f"/send_all @{alice.name} @{carol.name}")
    assert (await alice.event("message"))["mentions"] == [carol.name]


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice, _ = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/block bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json("bob")).code("/send alice hi") == "blocked"
    assert (await (await chat.json("alice")).ok("/blocked"))["blocked"] == ["bob"]
