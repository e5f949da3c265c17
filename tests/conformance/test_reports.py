"""/reports: who reported whom, when, why, and how often."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator
from tests.harness import Chat


async def report(chat: Chat) -> None:
    for name in ("mallory", "trudy"):
        await (await chat.json(name)).close()
    for by, target, reason in (("anna", "mallory", "floods"), ("ben", "mallory", ""), ("anna", "trudy", "rude")):
        reporter = await chat.json(by)
        await reporter.ok(f"/report {target} {reason}")
        await reporter.close()


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    await report(chat)
    boss = await json_operator(chat)
    reply = await boss.ok("/reports")
    told = sorted((each["user"], each["by"], each["reason"], each["counted"]) for each in reply["reports"])
    assert told == [
        ("mallory", "anna", "floods", True), ("mallory", "ben", "", True), ("trudy", "anna", "rude", True)
    ]  # fmt: skip
    times = [each["at"] for each in reply["reports"]]
    assert times == sorted(times, reverse=True)
    assert sorted((each["user"], each["reports"], each["counting"]) for each in reply["users"]) == [
        ("mallory", 2, 2), ("trudy", 1, 1)
    ]  # fmt: skip
    assert "more" not in reply
    await boss.ok("/ban trudy 1h rude")
    await chat.close()
    chat.server.restart()
    boss = await json_operator(chat)
    about = await boss.ok({"cmd": "reports", "username": "trudy"})
    assert [each["by"] for each in about["reports"]] == ["anna"]
    (trudy,) = about["users"]
    assert trudy["ban"]["reason"] == "rude"
    assert (await boss.ok("/reports boss"))["reports"] == []


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    await report(chat)
    boss = await text_operator(chat)
    items, reply = await boss.command("/reports mallory")
    assert reply == "+ 2 reports"
    assert any(line.endswith("UTC  mallory by anna: floods") for line in items)
    assert items[-1] == "  mallory: 2 reports, 2 of them count now"


async def test_an_operator_is_not_banned_by_reports(start: Start) -> None:
    chat = start("--operator", "boss", "--report-limit", "1")
    boss, anna = await json_operator(chat), await chat.json("anna")
    reply = await anna.ok("/report boss bossy")
    assert reply["reports"] == 0 and "is an operator" in reply["note"]
    assert await boss.code("/send_all hi") == "ok"
    ((made,), (accused,)) = (await boss.ok("/reports"))["reports"], (await boss.ok("/reports"))["users"]
    assert (made["user"], made["counted"], accused["counting"]) == ("boss", False, 0)
