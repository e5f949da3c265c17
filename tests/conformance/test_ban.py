"""/ban: an operator forbids a user to write, for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.conftest import Start
from tests.conformance.operating import SECRET, json_operator, text_operator


def in_seconds(until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds()


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory, other = await json_operator(chat), await chat.json("mallory"), await chat.json("mallory")
    reply = await boss.ok({"cmd": "ban", "username": "mallory", "duration": "2d", "reason": "floods main"})
    assert reply.keys() == {"type", "re", "user", "until", "reason"}
    assert (reply["re"], reply["user"], reply["reason"]) == ("ban", "mallory", "floods main")
    assert timedelta(days=1, hours=23) < timedelta(seconds=in_seconds(reply["until"])) <= timedelta(days=2)
    event = {"type": "banned", "until": reply["until"], "reason": "floods main"}
    assert await mallory.roundtrip() == [event] and await other.roundtrip() == [event]
    refusal = await mallory.refused("/send_all hi")
    assert (refusal["code"], refusal["until"]) == ("banned", reply["until"])
    assert await mallory.code("/history main") == "ok"


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await text_operator(chat), await chat.text("mallory")
    assert (await boss.ok("/ban @MALLORY 90s calm down")).startswith("mallory is banned until ")
    (told,) = await mallory.roundtrip()
    assert told.startswith("* you are banned until ") and told.endswith(": calm down; you can still read")


@pytest.mark.parametrize(
    ("line", "seconds", "reason"),
    [
        ("/ban mallory", 7200, "by an operator"),
        ("/ban mallory floods main", 7200, "floods main"),
        ("/ban mallory 5m", 300, "by an operator"),
        ("/ban mallory 60 and a reason", 60, "and a reason"),
    ],
)
async def test_the_duration_and_the_reason_may_be_left_out(
    start: Start, line: str, seconds: float, reason: str
) -> None:
    chat = start("--operator", "boss", "--ban-duration", "2h")
    boss, _ = await json_operator(chat), await chat.json("mallory")
    reply = await boss.ok(line)
    assert reply["reason"] == reason
    assert seconds - 20 < in_seconds(reply["until"]) <= seconds


async def test_no_operator_bans_another(start: Start) -> None:
    chat = start("--operator", "boss,chief")
    boss, _ = await json_operator(chat), await json_operator(chat, "chief")
    assert await boss.code("/ban chief") == "forbidden"


async def test_it_ends_and_stays_over_a_restart(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, _ = await json_operator(chat), await chat.json("mallory")
    until = (await boss.ok("/ban mallory 3s x"))["until"]
    await chat.close()
    chat.server.kill()
    chat.server.start()
    mallory = await chat.json_stranger()
    await mallory.send("/sign_in mallory")
    (reply,) = await mallory.replies(1)
    if "ban" in reply:
        assert reply["ban"] == {"until": until, "reason": "x"}
        await mallory.event("unbanned")
    assert in_seconds(until) <= 0
    assert await mallory.code("/send_all back") == "ok"


async def test_a_second_ban_replaces_the_first(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, mallory = await json_operator(chat), await chat.json("mallory")
    for line in ("/ban mallory 1d", "/ban mallory 1h"):
        until = (await boss.ok(line))["until"]
        assert (await mallory.refused("/send_all x"))["until"] == until


async def test_an_operator_needs_a_password(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, _ = await chat.json("boss"), await chat.json("mallory")
    assert await boss.code("/ban mallory") == "password_required"
    await boss.ok(f"/password {SECRET}")
    assert await boss.code("/ban mallory") == "ok"
