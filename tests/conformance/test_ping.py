"""/ping: answers; a barrier for scripts."""

from tests.harness import Chat


async def test_text(chat: Chat) -> None:
    client = await chat.text_stranger()
    assert await client.ok("/ping") == "pong"
    assert await client.ok("/ping here") == "pong here"
    assert await client.ok('/ping "two words"') == "pong two words"


async def test_json(chat: Chat) -> None:
    client = await chat.json()
    assert await client.ok("/ping") == {"type": "ok", "re": "ping"}
    assert await client.ok({"cmd": "ping", "word": "here"}) == {"type": "ok", "re": "ping", "word": "here"}


async def test_what_was_sent_before_it_was_done_before_it(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    replies = await alice.pipeline([*(f"/send_all {number}" for number in range(200)), "/ping"])
    assert replies[-1]["re"] == "ping"
    assert len(await bob.roundtrip()) == 200
