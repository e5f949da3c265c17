"""/announce: everybody who is connected gets a notice."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator


async def test_json_and_text(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, other, bob, anna = (
        await json_operator(chat), await json_operator(chat), await chat.json("bob"), await chat.text("anna")
    )  # fmt: skip
    assert await boss.ok({"cmd": "announce", "text": "down at noon\nfor an hour"}) == {"type": "ok", "re": "announce"}
    notice = {"type": "notice", "text": "down at noon\nfor an hour", "by": "boss"}
    assert await bob.roundtrip() == [notice]
    assert await other.roundtrip() == [notice]
    assert await boss.roundtrip() == []
    assert await anna.roundtrip() == ["* announcement by boss: down at noon", "    | for an hour"]
    assert await (await text_operator(chat)).ok("/announce hi") == "everybody who is connected is told"


async def test_it_is_no_message(start: Start) -> None:
    chat = start("--operator", "boss")
    boss = await json_operator(chat)
    await boss.ok("/announce hi")
    await chat.close()
    chat.server.restart()
    bob = await chat.json("bob")
    assert (await bob.command("/history main"))[1]["count"] == 0


async def test_too_large(start: Start) -> None:
    chat = start("--operator", "boss", "--text-max", "10")
    boss = await json_operator(chat)
    assert await boss.code(f"/announce {'x' * 11}") == "too_large"
    assert await boss.roundtrip() == []
