"""/unban: a ban ends at once, one by reports too."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await json_operator(chat), await chat.json("mallory")
    await boss.ok("/ban mallory")
    assert await boss.ok({"cmd": "unban", "username": "mallory"}) == {"type": "ok", "re": "unban", "user": "mallory"}
    assert [event["type"] for event in await mallory.roundtrip()] == ["banned", "unbanned"]
    assert await mallory.code("/send_all back") == "ok"
    assert "ban" not in await mallory.ok("/status")
    await chat.close()
    chat.server.restart()
    assert await (await chat.json("mallory")).code("/send_all still") == "ok"


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await text_operator(chat), await chat.text("mallory")
    await boss.ok("/ban mallory")
    assert await boss.ok("/unban mallory") == "the ban of mallory is over"
    assert (await mallory.roundtrip())[-1] == "* your ban is over: you can write again"
    assert await boss.ok("/unban mallory") == "mallory is not banned"


async def test_after_a_ban_by_reports_the_count_starts_again(start: Start) -> None:
    chat = start("--operator", "boss", "--report-limit", "2")
    boss, mallory = await json_operator(chat), await chat.json("mallory")
    reporters = [await chat.json(f"r{number}") for number in range(3)]
    for reporter in reporters[:2]:
        await reporter.ok("/report mallory")
    assert await mallory.code("/send_all hi") == "banned"
    await boss.ok("/unban mallory")
    await boss.roundtrip()
    assert (await reporters[2].ok("/report mallory"))["reports"] == 1
    assert await mallory.code("/send_all hi") == "ok"
