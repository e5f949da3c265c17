"""Who reads slowly costs the server little and the others nothing, and gets everything in order."""

import asyncio
import contextlib

from tests.conformance.conftest import Start
from tests.harness import Chat, Client, Json, JsonClient, messages, texts

MESSAGES = 30_000
TEXT_CHARS = 200
GROWTH_BYTES_MAX = 40 << 20
RECEIVE_BUFFER = 4096


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"{number:<{TEXT_CHARS - 1}}." for number in range(first, first + count)]


async def send_all(client: JsonClient, lines: list[str]) -> None:
    replies = await client.pipeline({"cmd": "send_all", "text": line} for line in lines)
    assert all(reply["type"] == "ok" for reply in replies)


async def test_everything_arrives_in_order_and_little_is_held(start: Start) -> None:
    chat = start("--log-level", "warning")
    sender, watcher = await chat.json("sender"), await chat.json("watcher")
    program = await chat.json("program", receive_buffer=RECEIVE_BUFFER)
    person = await chat.text("person", receive_buffer=RECEIVE_BUFFER)
    await send_all(sender, numbered(1000))
    await watcher.roundtrip()
    before, most = chat.server.resident_bytes(), 0
    for first in range(1000, MESSAGES, 1000):
        await send_all(sender, numbered(1000, first))
        # The others are not held up: each thousand is there at once.
        assert [line["text"] for line in await watcher.roundtrip()] == numbered(1000, first)
        most = max(most, chat.server.resident_bytes())
    expected = numbered(MESSAGES)
    seen, lines = await asyncio.gather(program.roundtrip(), person.roundtrip())
    most = max(most, chat.server.resident_bytes())
    assert [line["text"] for line in seen] == expected
    assert [line["id"] for line in seen] == sorted(line["id"] for line in seen)
    assert messages(lines) == expected
    assert most - before < GROWTH_BYTES_MAX
    # Both are up with the chat again, and nothing comes twice.
    await send_all(sender, ["the end"])
    assert [line["text"] for line in await program.roundtrip()] == ["the end"]
    assert messages(await person.roundtrip()) == ["the end"]


async def test_replies_stay_in_place_for_one_who_pipelines_and_does_not_read(start: Start) -> None:
    chat = start("--log-level", "warning")
    sender, other = await chat.json("sender"), await chat.json("other")
    slow = await chat.json("slow", receive_buffer=RECEIVE_BUFFER)
    await slow.send(*(f"/send_all mine {number}" for number in range(100)))
    await send_all(sender, numbered(5000))
    await slow.send(*(f"/send_all late {number}" for number in range(100)))
    seen: list[Json] = []
    while len(seen) < 5200:
        line = await slow.next()
        if line["type"] in ("message", "ok"):
            seen.append(line)
    ids = [line["id"] for line in seen]
    assert ids == sorted(ids), "a reply is out of its place"
    assert sum(line["type"] == "ok" for line in seen) == 200
    assert ids == [line["id"] for line in await other.roundtrip()]


async def _flood_until_gone(sender: JsonClient, watcher: JsonClient, name: str) -> None:
    """Send until the server has closed the connection of this user, and say so."""
    gone = asyncio.create_task(watcher.event("presence", user=name))
    for first in range(0, MESSAGES, 500):
        await send_all(sender, numbered(500, first))
        if first >= 5000 or gone.done():
            break
    assert (await gone)["online"] is False


async def test_one_who_takes_nothing_is_closed_and_gets_the_rest_when_back(start: Start) -> None:
    chat = start("--stall-timeout", "1s", "--log-level", "warning")
    sender, watcher = await chat.json("sender"), await chat.json("watcher")
    stalled = await chat.json("stalled", receive_buffer=RECEIVE_BUFFER)
    await watcher.roundtrip()
    await watcher.ok("/presence on")
    await _flood_until_gone(sender, watcher, "stalled")
    first: list[Json] = []
    with contextlib.suppress(EOFError, OSError):
        while True:
            first.append(await stalled.next())
    assert (first[-1]["type"], first[-1]["code"]) == ("closing", "stalled")
    position = first[-2]["seq"]
    _, rest, _ = await chat.resume(stalled.token, position)
    everything = [line["text"] for line in (*first[:-1], *rest)]
    assert everything == numbered(len(everything))
    assert rest, "nothing waited for the one who took nothing"


async def _read_slowly(client: Client[Json], seconds: float) -> int:
    """Take a little again and again, for longer than one may take nothing; how many lines that were."""
    deadline = asyncio.get_running_loop().time() + seconds
    count = 0
    while asyncio.get_running_loop().time() < deadline:
        for _ in range(100):
            assert (await client.next())["type"] == "message"
        count += 100
        await asyncio.sleep(0.2)  # the reader's slowness is what is tested
    return count


async def test_one_who_reads_slowly_but_steadily_is_served(start: Start) -> None:
    chat = start("--stall-timeout", "2s", "--log-level", "warning")
    sender = await chat.json("sender")
    slow = await chat.json("slow", receive_buffer=RECEIVE_BUFFER)
    sending = asyncio.create_task(send_all(sender, numbered(6000)))
    count = await _read_slowly(slow, 3.0)
    await sending
    rest = await slow.roundtrip()
    assert [line["text"] for line in rest] == numbered(6000)[count:]


async def test_many_unread_messages_are_streamed(start: Start) -> None:
    """A user who was away for long is shown all of it, and the server does not gather it first."""
    chat = start("--log-level", "warning")
    away = await chat.json("away")
    await away.close()
    sender = await chat.json("sender")
    for first in range(0, 20_000, 1000):
        await send_all(sender, numbered(1000, first))
    before, most = chat.server.resident_bytes(), 0
    back = await chat.json_stranger(RECEIVE_BUFFER)
    await back.send("/sign_in away")
    assert (await back.next())["unread"] == {"main": 20_000}
    for number, text in enumerate(numbered(20_000)):
        assert (await back.next())["text"] == text
        if number % 1000 == 0:
            most = max(most, chat.server.resident_bytes())
    assert (await back.next())["chats"][0]["unread"] == 20_000
    assert most - before < GROWTH_BYTES_MAX


async def test_a_slow_reader_does_not_hold_up_the_same_users_other_session(start: Start) -> None:
    chat: Chat = start("--log-level", "warning")
    sender = await chat.json("sender")
    await chat.json("twice", receive_buffer=RECEIVE_BUFFER)
    quick = await chat.text("twice")
    await send_all(sender, numbered(5000))
    assert messages(await quick.roundtrip()) == numbered(5000)


async def test_who_reads_slowly_is_shown_what_changed_meanwhile(start: Start) -> None:
    """For programs all by seq, in its newest state; for people the new ones by id, then the changes to older ones."""
    chat = start("--log-level", "warning")
    sender = await chat.json("sender")
    program = await chat.json("program", receive_buffer=RECEIVE_BUFFER)
    person = await chat.text("person", receive_buffer=RECEIVE_BUFFER)
    edited, deleted, liked = [(await sender.ok(f"/send_all {text}"))["id"] for text in ("one", "two", "three")]
    assert len(await program.roundtrip()) == len(await person.roundtrip()) == 3
    for first in range(0, 8000, 1000):
        await send_all(sender, numbered(1000, first))
    last = (await sender.ok("/send_all the end"))["id"]
    await sender.ok(f"/edit {edited} not one")
    await sender.ok(f"/edit {last} the very end")
    await sender.ok(f"/react {liked} 👍")
    await sender.ok(f"/delete {deleted}")
    await sender.ok(f"/edit {edited} first")
    seen, lines = await asyncio.gather(program.roundtrip(), person.roundtrip())
    assert [line["seq"] for line in seen] == sorted({line["seq"] for line in seen})
    assert texts(seen[:8000]) == numbered(8000)
    assert [(line["id"], line.get("text")) for line in seen[8000:]] == [
        (last, "the very end"), (liked, "three"), (deleted, None), (edited, "first")
    ]  # fmt: skip
    assert messages(lines) == [
        *numbered(8000), "the very end (edited)", "three (👍 sender)", "(deleted)", "first (edited)"
    ]  # fmt: skip
    # Both are up with the chat again.
    await sender.ok(f"/unreact {liked} 👍")
    assert texts(await program.roundtrip()) == messages(await person.roundtrip()) == ["three"]


async def test_a_change_of_ones_own_does_not_hide_the_message(start: Start) -> None:
    """Another device has shown it already, the slow one not yet."""
    chat = start("--log-level", "warning")
    sender = await chat.json("sender")
    slow = await chat.json("slow", receive_buffer=RECEIVE_BUFFER)
    await send_all(sender, numbered(8000))
    last = (await sender.ok("/send_all the end"))["id"]
    await slow.send(f"/react {last} 👍")
    assert texts(await slow.roundtrip()) == [*numbered(8000), "the end"]
