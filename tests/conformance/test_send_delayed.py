"""/send_delayed: never early, and on time, over restarts."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, soon

# A second is promised (docs/protocol.md), but a busy machine may stop the server itself for longer than that.
LATE_MAX = timedelta(seconds=10)


def on_time(message: Json, due: str) -> bool:
    now, at = datetime.now(UTC), datetime.fromisoformat(due)
    return at <= datetime.fromisoformat(message["at"]) <= at + LATE_MAX and at <= now


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    direct = await alice.ok({"cmd": "send_delayed", "target": bob.name, "delay": 1, "text": "two\nlines"})
    assert direct.keys() == {"type", "re", "delayed_id", "due"}
    main = await alice.ok("/send_delayed main 1s to all")
    for delayed, chat_name, text in ((direct, f"@{alice.name}", "two\nlines"), (main, "main", "to all")):
        message = await bob.event("message")
        assert on_time(message, delayed["due"])
        assert (message["chat"], message["from"], message["text"]) == (chat_name, alice.name, text)
        assert (message["delayed"], message["seq"]) == (True, message["id"])
        sent = await alice.event("delayed_sent")
        assert sent == {"type": "delayed_sent", "id": delayed["delayed_id"], "message_id": message["id"]}
    assert (await alice.ok("/delayed"))["delayed"] == []


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    reply = await alice.ok(f"/send_delayed {bob.name} {soon()} later ")
    number = reply.split()[2]
    assert reply.startswith(f"delayed message {number} goes out at ")
    assert reply.endswith(f" UTC; /cancel_delayed {number} cancels it")
    line = await bob.line()
    assert f"] @{alice.name}: later " in line
    assert [f"your delayed message {number} was sent" in each for each in await alice.lines(2)].count(True) == 1


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("365d", 365 * 86400), (60, 60)],
)
async def test_durations(chat: Chat, delay: str | int, seconds: int) -> None:
    alice = await chat.json()
    before = datetime.now(UTC)
    reply = await alice.ok({"cmd": "send_delayed", "target": "main", "delay": delay, "text": "later"})
    wait = datetime.fromisoformat(reply["due"]) - before
    assert timedelta(seconds=seconds - 1) < wait < timedelta(seconds=seconds + 20)
    await alice.ok(f"/cancel_delayed {reply['delayed_id']}")


async def test_iso_times(chat: Chat) -> None:
    alice = await chat.json()
    day = (datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%d")
    for written, due in (
        ("T18:00", "T18:00:00.000Z"),
        ("T18:00:01Z", "T18:00:01.000Z"),
        ("T18:00:00.250+02:00", "T16:00:00.250Z"),
    ):
        reply = await alice.ok(f"/send_delayed main {day}{written} later")
        assert reply["due"] == day + due
        await alice.ok(f"/cancel_delayed {reply['delayed_id']}")


async def test_at_an_iso_time(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    due = soon().replace("+00:00", "Z")
    reply = await alice.ok(f"/send_delayed {bob.name} {due} now")
    assert datetime.fromisoformat(reply["due"]) == datetime.fromisoformat(due)
    assert on_time(await bob.event("message"), due)


async def test_those_due_at_once_go_out_in_their_order(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    due = soon(1)
    await alice.pipeline(f"/send_delayed {bob.name} {due} {number}" for number in range(100))
    received = [await bob.event("message") for _ in range(100)]
    assert [message["text"] for message in received] == [str(number) for number in range(100)]
    assert all(on_time(message, due) for message in received)


async def test_too_many(start: Start) -> None:
    chat = start("--delayed-max", "2")
    alice = await chat.json()
    codes = [await alice.code("/send_delayed main 1h later") for _ in range(3)]
    assert codes == ["ok", "ok", "too_many"]


async def test_over_the_limit_of_main_it_waits_for_its_end(start: Start) -> None:
    chat = start("--main-rate-limit", "1/2s")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    delayed = await alice.ok("/send_delayed main 1 waits")
    first = await alice.ok("/send_all now")
    free = datetime.fromisoformat(first["at"]) + timedelta(seconds=2)
    assert (await bob.event("message"))["text"] == "now"
    message = await bob.event("message")
    assert message["text"] == "waits"
    assert on_time(message, free.isoformat())
    assert (await alice.event("delayed_sent"))["id"] == delayed["delayed_id"]


async def test_it_fails_if_its_target_is_gone(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    delayed = await alice.ok(f"/send_delayed {bob.name} {soon()} too late")
    await bob.ok(f"/delete_account {bob.name}")
    assert await alice.event("delayed_failed") == {
        "type": "delayed_failed", "id": delayed["delayed_id"], "code": "unknown_user",
    }  # fmt: skip


async def test_due_while_the_server_is_down_it_goes_out_at_its_start(start: Start) -> None:
    chat = start()
    alice, _ = await chat.json("alice"), await chat.json("bob")
    at_once, later = (
        await alice.ok("/send_delayed bob 0 at once"),
        await alice.ok(f"/send_delayed bob {soon(1.2)} later"),
    )
    missed = await alice.ok(f"/send_delayed bob {soon(0.5)} missed")
    await alice.event("delayed_sent")
    await alice.ok("/read main 0")  # by now it is on disk that alice was told
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json_stranger()
    shown, _ = await bob.command("/sign_in bob")
    received = [line for line in shown if line["type"] == "message"]
    while len(received) < 3:
        received.append(await bob.event("message"))
    assert [line["text"] for line in received] == ["at once", "missed", "later"]
    assert on_time(received[2], later["due"])
    # What its sender was not told yet comes with the next sign-in, once.
    told = await _told_of(chat, "alice")
    assert [each["id"] for each in told] == [missed["delayed_id"], later["delayed_id"]]
    assert await _told_of(chat, "alice") == []
    assert at_once["delayed_id"] < later["delayed_id"]


async def _told_of(chat: Chat, name: str) -> list[Json]:
    client = await chat.json_stranger()
    shown, _ = await client.command(f"/sign_in {name}")
    return [line for line in shown if line["type"] == "delayed_sent"]
