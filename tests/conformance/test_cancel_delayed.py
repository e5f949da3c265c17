"""/cancel_delayed: only one's own."""

from tests.conformance.conftest import Start
from tests.harness import Chat, soon, texts


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    cancelled = (await alice.ok(f"/send_delayed {bob.name} {soon()} never"))["delayed_id"]
    reply = await alice.ok({"cmd": "cancel_delayed", "delayed_id": cancelled})
    assert reply == {"type": "ok", "re": "cancel_delayed", "delayed_id": cancelled}
    assert (await alice.ok("/delayed"))["delayed"] == []
    # One that is due after it has come, so the cancelled one never does.
    await alice.ok(f"/send_delayed {bob.name} {soon()} later")
    await alice.event("delayed_sent")
    assert texts(await bob.roundtrip()) == ["later"]


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    number = (await alice.ok("/send_delayed main 1h never")).split()[2]
    assert await alice.ok(f"/cancel_delayed #{number}") == f"delayed message {number} is cancelled"


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    waiting = (await alice.ok("/send_delayed main 1h later"))["delayed_id"]
    assert await bob.code(f"/cancel_delayed {waiting}") == "unknown_delayed"
    assert len((await alice.ok("/delayed"))["delayed"]) == 1
    assert await alice.code(f"/cancel_delayed {waiting}") == "ok"
    assert await alice.code(f"/cancel_delayed {waiting}") == "unknown_delayed"


async def test_one_that_was_sent(chat: Chat) -> None:
    alice = await chat.json()
    sent = (await alice.ok("/send_delayed main 0 now"))["delayed_id"]
    await alice.event("delayed_sent")
    assert await alice.code(f"/cancel_delayed {sent}") == "unknown_delayed"


async def test_stays_cancelled_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    cancelled = await alice.ok(f"/send_delayed bob {soon(4)} never")
    await alice.ok(f"/cancel_delayed {cancelled['delayed_id']}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok(f"/send_delayed bob {cancelled['due']} later")
    assert (await bob.event("message"))["text"] == "later"


async def test_a_number_is_never_given_again(chat: Chat) -> None:
    alice = await chat.json()
    first = (await alice.ok("/send_delayed main 1h one"))["delayed_id"]
    await alice.ok(f"/cancel_delayed {first}")
    assert (await alice.ok("/send_delayed main 1h two"))["delayed_id"] > first
