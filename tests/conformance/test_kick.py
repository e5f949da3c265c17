"""/kick: all connections of a user are closed; the user may come back."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, one, two, bob = await json_operator(chat), await chat.json("mallory"), await chat.json("mallory"), \
        await chat.json("bob")  # fmt: skip
    assert await boss.ok({"cmd": "kick", "username": "mallory", "reason": "calm down"}) == {
        "type": "ok", "re": "kick", "user": "mallory"
    }  # fmt: skip
    for client in (one, two):
        told = await client.event("closing")
        assert told["code"] == "kicked" and told["reason"].endswith(": calm down")
        assert await client.rest() == []
    assert await bob.roundtrip() == []
    again = await chat.json("mallory")
    assert await again.code("/send_all back") == "ok"


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await text_operator(chat), await chat.text("mallory")
    await boss.ok("/kick mallory")
    assert await mallory.rest() == ["* closing: an operator closed this connection"]


async def test_what_was_said_before_it_is_answered_first(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await json_operator(chat), await chat.json("mallory")
    await mallory.ok("/send_all one")
    await boss.ok("/kick mallory")
    await chat.close()
    chat.server.restart()
    _, page = await (await chat.json("bob")).command("/history main")
    assert page["count"] == 1


async def test_someone_who_is_not_there(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await json_operator(chat), await chat.json("mallory")
    await mallory.close()
    assert await boss.code("/kick mallory") == "ok"


async def test_no_operator_kicks_another(start: Start) -> None:
    chat = start("--operator", "boss,chief")
    boss, _ = await json_operator(chat), await json_operator(chat, "chief")
    assert await boss.code("/kick chief") == "forbidden"
