"""Reports and bans: three reporters ban for four hours, over restarts and new connections."""

from datetime import UTC, datetime, timedelta

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, JsonClient, ids, messages, texts

FORBIDDEN: list[Json] = [
    {"cmd": "send_all", "text": "hi"},
    {"cmd": "send", "target": "carol", "text": "hi"},
    {"cmd": "send", "target": "nobody", "text": "hi"},
    {"cmd": "send", "target": "#nowhere", "text": "hi"},
    {"cmd": "send", "target": "mallory", "text": "hi"},
    {"cmd": "reply", "id": 1, "text": "hi"},
    {"cmd": "reply", "id": 99999, "text": "hi"},
    {"cmd": "edit", "id": 1, "text": "hi"},
    {"cmd": "react", "id": 1, "emoji": "👍"},
    {"cmd": "unreact", "id": 1, "emoji": "👍"},
    {"cmd": "send_delayed", "target": "main", "delay": "1h", "text": "hi"},
    {"cmd": "send_delayed", "target": "nobody", "delay": "999d", "text": "hi"},
]
ALLOWED = (
    "/status",
    "/history main",
    "/messages main",
    "/read main 1",
    "/get_chat_with carol",
    "/delayed",
    "/who carol",
)


def in_four_hours(until: str) -> bool:
    distance = datetime.fromisoformat(until) - datetime.now(UTC)
    return timedelta(hours=3, minutes=59) < distance < timedelta(hours=4, seconds=1)


async def report(chat: Chat, *reporters: str) -> list[Json]:
    replies = []
    for name in reporters:
        reporter = await chat.json(name)
        replies.append(await reporter.ok("/report mallory floods main"))
        await reporter.close()
    return replies


async def assert_banned(chat: Chat, mallory: JsonClient) -> str:
    untils = {reply["until"] for reply in [await mallory.refused(command) for command in FORBIDDEN]}
    codes = [await mallory.code(command) for command in FORBIDDEN]
    assert codes == ["banned"] * len(FORBIDDEN)
    (until,) = untils
    assert in_four_hours(until)
    assert [await mallory.code(line) for line in ALLOWED] == ["ok"] * len(ALLOWED)
    assert (await mallory.ok("/status"))["ban"]["until"] == until
    return str(until)


async def test_three_reporters_ban_over_restarts_and_new_connections(start: Start) -> None:
    chat = start()
    mallory, carol = await chat.json("mallory"), await chat.json("carol")
    assert [reply["reports"] for reply in await report(chat, "r1", "r2")] == [1, 2]
    assert await mallory.code("/send_all still here") == "ok"
    await chat.close()
    chat.server.kill()
    chat.server.start()
    mallory, carol = await chat.json("mallory"), await chat.json("carol")
    (third,) = await report(chat, "r3")
    assert (third["reports"], third["limit"]) == (3, 3)
    event = await mallory.event("banned")
    assert event.keys() == {"type", "until", "reason"}
    until = await assert_banned(chat, mallory)
    assert until == event["until"]
    assert await carol.roundtrip() == []
    again = await chat.json("mallory")
    assert await assert_banned(chat, again) == until
    await chat.close()
    chat.server.restart()
    resumed, _, reply = await chat.resume(again.token)
    assert reply["ban"] == {"until": until, "reason": event["reason"]}
    assert await assert_banned(chat, resumed) == until


async def test_a_person_is_told_until_when(start: Start) -> None:
    chat = start()
    mallory = await chat.text("mallory")
    await report(chat, "r1", "r2", "r3")
    (line,) = await mallory.roundtrip()
    assert line.startswith("* you are banned until ")
    _, reply = await mallory.command("/send_all hi")
    assert reply.startswith("- banned: ")
    assert " UTC, in 3 h 59 min" in reply or " UTC, in 4 h" in reply


async def test_a_line_said_to_whom_one_talks_is_refused_too(start: Start) -> None:
    chat = start("--report-limit", "1")
    mallory = await chat.text("mallory")
    await mallory.ok("/talk main")
    await report(chat, "r1")
    await mallory.roundtrip()
    await mallory.send("hi")
    assert (await mallory.line()).startswith("- banned: ")


async def test_the_same_reporter_counts_once(start: Start) -> None:
    chat = start()
    mallory, r1 = await chat.json("mallory"), await chat.json("r1")
    await r1.ok("/report mallory")
    for _ in range(3):
        assert await r1.code("/report mallory") == "already_reported"
    assert await mallory.code("/send_all hi") == "ok"


async def test_the_end_of_a_ban_is_told_and_the_count_starts_again(start: Start) -> None:
    chat = start("--ban-duration", "1s")
    mallory = await chat.json("mallory")
    await report(chat, "r1", "r2", "r3")
    banned = await mallory.event("banned")
    # Reports during a ban are kept, not counted.
    (during,) = await report(chat, "r4")
    assert await mallory.event("unbanned") == {"type": "unbanned"}
    assert datetime.now(UTC) >= datetime.fromisoformat(banned["until"])
    assert await mallory.code("/send_all back again") == "ok"
    assert "ban" not in await mallory.ok("/status")
    r4 = await chat.json("r4")
    assert await r4.code("/report mallory") == "already_reported"
    assert [reply["reports"] for reply in await report(chat, "r5", "r6")] == [1, 2]
    assert await mallory.code("/send_all and again") == "ok"
    await report(chat, "r7")
    assert await mallory.code("/send_all never") == "banned"
    assert "note" in during


async def test_a_ban_that_ends_while_the_server_is_down(start: Start) -> None:
    chat = start("--ban-duration", "1h")
    mallory = await chat.json("mallory")
    await report(chat, "r1", "r2", "r3")
    assert (await mallory.event("banned"))["until"]
    await chat.close()
    chat.server.stand_still(timedelta(minutes=50))
    mallory = await chat.json("mallory")
    until = (await mallory.ok("/status"))["ban"]["until"]
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10), "the stop counts"
    assert (await mallory.refused("/send_all hi"))["until"] == until
    await chat.close()
    chat.server.stand_still(timedelta(minutes=11))
    mallory = await chat.json("mallory")
    assert "ban" not in await mallory.ok("/status")
    assert await mallory.code("/send_all back") == "ok"
    assert [reply["reports"] for reply in await report(chat, "r4", "r5")] == [1, 2], "the count starts again"


async def test_what_a_banned_user_delayed_waits_for_the_end_of_the_ban(start: Start) -> None:
    chat = start("--ban-duration", "2s", "--report-limit", "1")
    mallory, carol = await chat.json("mallory"), await chat.json("carol")
    delayed = [await mallory.ok(f"/send_delayed {target} 1 {target}") for target in ("main", "carol")]
    await carol.ok("/report mallory")
    until = (await mallory.event("banned"))["until"]
    assert len((await mallory.ok("/delayed"))["delayed"]) == 2
    sent = [await mallory.event("delayed_sent") for _ in range(2)]
    assert [each["id"] for each in sent] == [each["delayed_id"] for each in delayed]
    lines = [await carol.event("message") for _ in range(2)]
    assert texts(lines) == ["main", "carol"]
    assert ids(lines) == [each["message_id"] for each in sent]
    for line in lines:
        late = datetime.fromisoformat(line["at"]) - datetime.fromisoformat(until)
        assert timedelta(0) <= late <= timedelta(seconds=10)


async def test_a_ban_does_not_close_and_reading_goes_on(start: Start) -> None:
    chat = start("--report-limit", "1")
    mallory, bob = await chat.text("mallory"), await chat.json("bob")
    await bob.ok("/report mallory")
    await bob.ok("/send_all hi all")
    await bob.ok("/send mallory hi you")
    assert messages(await mallory.roundtrip()) == ["hi all", "hi you"]
