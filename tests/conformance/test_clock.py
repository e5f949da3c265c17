"""The machine's clock is set while the server runs, or was wrong at a start: nothing ends, and nothing lasts longer."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.conftest import Start
from tests.conformance.operating import done
from tests.harness import Chat, JsonClient, SteppedServer, texts

MONTH = timedelta(days=30)
HOUR = timedelta(hours=1)
steps = pytest.mark.parametrize("step", [HOUR, -HOUR, MONTH, -MONTH], ids=str)


def ahead(at: str) -> timedelta:
    """By how much a time is ahead of the right clock."""
    return datetime.fromisoformat(at) - datetime.now(UTC)


def is_about(one: timedelta, other: timedelta) -> bool:
    return abs(one - other) < timedelta(minutes=1)


def server_of(chat: Chat) -> SteppedServer:
    assert isinstance(chat.server, SteppedServer)
    return chat.server


async def some_durations(chat: Chat) -> tuple[JsonClient, JsonClient]:
    """alice has used up the limit in main and waits for a delayed message; what all have read lives for an hour."""
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/send_all one")
    await alice.ok("/send_all two")
    await bob.ok("/read main 2")
    await alice.ok("/send bob unread")
    await alice.ok("/send_delayed bob 5h later")
    await bob.ok("/report alice")
    return alice, bob


async def assert_unharmed(chat: Chat, alice: JsonClient, bob: JsonClient, step: timedelta) -> None:
    """All goes on as if the clock had not been set; only what is shown is by the clock as it goes."""
    told = await alice.refused("/send_all more")
    assert told["code"] == "banned" and is_about(ahead(told["until"]) - step, 4 * HOUR)
    limit = (await alice.ok("/status"))["limits"]["main_messages"]
    assert limit["used"] == 2 and is_about(ahead(limit["until"]) - step, HOUR)
    (waiting,) = (await alice.ok("/delayed"))["delayed"]
    assert is_about(ahead(waiting["due"]) - step, 5 * HOUR), "later than the end of the ban"
    shown, _ = await bob.command("/history main")
    assert texts(shown) == ["one", "two"], "nothing has expired"
    sent = await bob.ok("/send alice now")
    assert is_about(ahead(sent["at"]), step)
    again = await chat.json_stranger()
    assert await again.code(f"/resume {alice.token}") == "ok", "no token has ended"


OPTIONS = ("--main-rate-limit", "2/1h", "--message-ttl", "1h", "--report-limit", "1", "--metrics-file", "off")


@steps
async def test_a_step_while_it_runs_changes_nothing_but_what_is_shown(start_stepped: Start, step: timedelta) -> None:
    chat = start_stepped(*OPTIONS)
    server = server_of(chat)
    alice, bob = await some_durations(chat)
    for clock in (step, timedelta()):
        server.set_clock(clock)
        await assert_unharmed(chat, alice, bob, clock)
    length = "1.0 h" if abs(step) == HOUR else "30.0 d"
    there, back = ("forward", "back") if step > timedelta() else ("back", "forward")
    for way in (there, back):
        assert (await server.logged(f"the clock was set {way} by {length};")).count(f"was set {way}") == 1


@steps
async def test_a_clock_that_was_wrong_and_is_right_after_a_restart(start_stepped: Start, step: timedelta) -> None:
    chat = start_stepped(*OPTIONS)
    server = server_of(chat)
    alice, bob = await some_durations(chat)
    server.set_clock(step)
    await assert_unharmed(chat, alice, bob, step)
    await chat.close()
    if step > timedelta():
        assert server.terminate() == 0
        server.set_clock(timedelta())
        server.start()
        await server.logged("behind the last thing that was stored")
        step = timedelta()
    else:
        # Set right while it stands, it could not be told from a long stop.
        server.restart()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await assert_unharmed(chat, alice, bob, step)


async def test_a_step_right_before_a_stop(start_stepped: Start) -> None:
    chat = start_stepped(*OPTIONS)
    server = server_of(chat)
    alice, bob = await some_durations(chat)
    await alice.roundtrip()
    server.set_clock(MONTH)
    server.restart()
    await chat.close()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await assert_unharmed(chat, alice, bob, MONTH)


async def test_delays_go_by_their_own_clock_each(start_stepped: Start) -> None:
    chat = start_stepped()
    server = server_of(chat)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok(f"/send_delayed bob {(datetime.now(UTC) + MONTH).isoformat()} a month later")
    await alice.ok("/send_delayed bob 1 a second later")
    server.set_clock(-MONTH)
    assert (await bob.event("message"))["text"] == "a second later"
    server.set_clock(MONTH)
    assert (await bob.event("message"))["text"] == "a month later"


async def test_what_lies_in_the_future_is_found_and_mended(start_stepped: Start) -> None:
    chat = start_stepped()
    server = server_of(chat)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    server.set_clock(MONTH)
    first = (await alice.ok("/send bob wrong"))["id"]
    await alice.ok(f"/edit {first} wrong too")
    server.set_clock(timedelta())
    assert "stored: 1 messages and accounts have times in the future" in done(server, "check")
    assert done(server, "repair-time") == "1 message and 0 accounts had times in the future\n"
    shown, _ = await bob.command("/history alice")
    (message,) = shown
    assert is_about(ahead(message["at"]), timedelta()) and is_about(ahead(message["edited"]), timedelta())
    assert done(server, "repair-time") == "nothing lies in the future\n"
    server.set_clock(MONTH)
    await alice.ok("/send bob wrong again")
    await chat.close()
    assert server.terminate() == 0
    server.set_clock(timedelta())
    told = done(server, "check")
    assert "stored: the last batch is dated" in told and "stored: 3 messages and accounts" in told
    assert done(server, "repair-time") == "1 message and 2 accounts had times in the future\n"
    assert "stored: nothing lies in the future" in done(server, "check")
    assert " server repair-time" in done(server, "audit")
