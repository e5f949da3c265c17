"""The limit in main: so many messages in so long, counted from the first."""

import re
from datetime import datetime

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, JsonClient, soon, texts


async def use_up(client: JsonClient, count: int) -> Json:
    """Send so many, and one that is refused; the refusal."""
    replies = await client.pipeline(f"/send_all {number}" for number in range(count))
    assert [reply["type"] for reply in replies] == ["ok"] * count
    return await client.refused("/send_all too many")


async def send_when_it_may(client: JsonClient, text: str) -> Json:
    """Try until it is not refused any more."""
    while (reply := (await client.command(f"/send_all {text}"))[1])["type"] == "error":
        assert reply["code"] == "rate_limited"
    return reply


def time(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


async def test_json(start: Start) -> None:
    chat = start("--main-rate-limit", "20/4s")
    alice, bob = await chat.json(), await chat.json()
    first = await alice.ok("/send_all first")
    refusal = await use_up(alice, 19)
    assert refusal["code"] == "rate_limited"
    assert 0 <= time(refusal["retry_at"]) - time(first["at"]) - 4 < 0.002, "the time runs from the first"
    assert (await alice.ok(f"/send {bob.name} hi"))["id"], "elsewhere one may go on"
    assert await bob.ok("/send_all of bob"), "and others may"
    sent = await send_when_it_may(alice, "after it")
    assert time(sent["at"]) >= time(refusal["retry_at"])
    later = await use_up(alice, 19)
    assert later["retry_at"] > sent["at"], "the count began again at zero"
    assert texts(await bob.roundtrip()).count("too many") == 0, "nothing was stored or sent"
    assert "too many" not in texts((await bob.command("/history main limit 200"))[0])


async def test_text_says_when_it_goes_on(start: Start) -> None:
    chat = start("--main-rate-limit", "1/1h")
    alice = await chat.text()
    await alice.ok("/send_all one")
    _, reply = await alice.command("/send_all two")
    assert re.fullmatch(
        r"- rate_limited: nothing was sent: you have sent as many messages to main as one may \(1\)"
        r" until (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC, in \d+ min; after that you can go on",
        reply.replace("in 1 h;", "in 60 min;").replace(", on ", ", "),
    ), reply


async def test_comments_count_and_changes_do_not(start: Start) -> None:
    chat = start("--main-rate-limit", "2/1h")
    alice = await chat.json()
    sent = await alice.ok("/send_all one")
    await alice.ok(f"/reply {sent['id']} two")
    assert await alice.code(f"/reply {sent['id']} three") == "rate_limited"
    assert await alice.code(f"/edit {sent['id']} changed") == "ok"
    assert await alice.code(f"/react {sent['id']} 👍") == "ok"


async def test_it_holds_over_restarts_and_for_every_connection(start: Start) -> None:
    chat = start("--main-rate-limit", "3/1h")
    alice = await chat.json("alice")
    refusal = await use_up(alice, 3)
    await chat.close()
    chat.server.kill()
    chat.server.start()
    for client in (await chat.json("alice"), await chat.json("alice")):
        assert await client.refused("/send_all hi") == refusal


async def test_a_key_is_looked_up_before_it(start: Start) -> None:
    chat = start("--main-rate-limit", "1/1h")
    alice = await chat.json()
    keyed = {"cmd": "send_all", "text": "hi", "key": "k"}
    sent = await alice.ok(keyed)
    assert await alice.code("/send_all more") == "rate_limited"
    assert await alice.ok(keyed) == sent


async def test_a_delayed_message_waits_for_its_end(start: Start) -> None:
    chat = start("--main-rate-limit", "2/2s")
    alice, bob = await chat.json(), await chat.json()
    refusal = await use_up(alice, 2)
    await alice.ok(f"/send_delayed main {soon(0.2)} later")
    message = await bob.event("message", text="later")
    assert time(message["at"]) >= time(refusal["retry_at"])


async def test_off_is_no_limit(chat: Chat) -> None:
    alice = await chat.json()
    replies = await alice.pipeline("/send_all hi" for _ in range(25))
    assert {reply["type"] for reply in replies} == {"ok"}


async def test_what_is_left_is_said_before_it_is_used_up(start: Start) -> None:
    chat = start("--main-rate-limit", "8/1h")
    alice, bob = await chat.text(), await chat.json()
    notes = {6: "2 of 8 left in main this hour; private chats are free"}
    notes[7] = notes[6].replace("2", "1", 1)
    for number in range(1, 9):
        said = [f"* {notes[number]}"] if number in notes else []
        assert (await alice.command(f"/send_all {number}"))[0] == said, "and nothing of it to anybody else"
        assert (await bob.ok(f"/send_all {number}")).get("note") == notes.get(number)


async def test_a_newcomer_is_told_of_the_limits_and_of_a_name_without_a_password(start: Start) -> None:
    chat = start("--main-rate-limit", "20/1h", "--message-ttl", "90s")
    stranger = await chat.text_stranger()
    assert (await stranger.command("/sign_in newcomer"))[0] == [
        "* main takes 20 messages of yours in 1h, private chats any number;"
        " a message is gone 90s after all have read it",
        "* newcomer has no password: /password <new> sets one, so that nobody else signs in as newcomer",
    ]
    again = await chat.text_stranger()
    assert (await again.command("/sign_in newcomer"))[0] == ["* nothing unread"]
    other = await chat.text_stranger()
    assert not [line for line in (await other.command("/sign_in safe secret"))[0] if "password" in line]
