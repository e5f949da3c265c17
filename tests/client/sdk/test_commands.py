"""Commands over the connection: answers by label, refusals, and what waits while there is no connection."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chat_client.sdk.errors import Disconnected, Refused
from chat_client.sdk.events import (  # fmt: skip
    Connected,
    Lost,
    OtherReply,
    Outgoing,
    Unknown,
)
from chat_client.sdk.runtime import Runtime
from chat_server.protocol.messages import Message, MessagesShown
from tests.client.fake import AT, FakeServer, message
from tests.client.sdk.played import Client, ids, until


class LaterRuntime(Runtime):
    """Time has passed that a test does not wait for."""

    later = 0.0

    def elapsed(self) -> float:
        return super().elapsed() + self.later


async def test_commands_are_answered_by_label(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    pages = [asyncio.create_task(chat.command("history", chat="main", limit=limit)) for limit in (1, 2)]
    commands = [await link.expect("history"), await link.expect("history")]
    assert [(each["chat"], each["limit"]) for each in commands] == [("main", 1), ("main", 2)]
    for command in commands:
        link.returned(command, message(command["limit"]))
        link.write(message(10 + command["limit"]))
        link.ok(command, chat="main", count=1)
    for limit, page in enumerate(pages, 1):
        lines, reply = await page
        assert ids(list(lines)) == [limit]
        assert reply == MessagesShown("main", 1)
    assert ids(await until(chat, Message)) == [11]
    assert chat.position == 12, "what was pushed moves it"


async def test_a_refusal(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("who", username="nobody"))
    link.refuse(await link.expect("who"), "unknown_user")
    with pytest.raises(Refused) as refused:
        await asking
    assert refused.value.code == "unknown_user"
    sending = asyncio.create_task(chat.send("nobody", "hi"))
    link.refuse(await link.expect("send"), "unknown_user")
    with pytest.raises(Refused, match="unknown_user"):
        await sending


async def test_a_message_is_written_behind_what_was_told_of_its_typing(server: FakeServer, client: Client) -> None:
    """The other way round it was shown for six seconds after the message that somebody types."""
    chat, link = await client.sign_in(server)
    chat.tell_typing("@bob")
    chat.post("send", target="@bob", text="hi")
    chat.tell_typing("@bob", False)
    written = [await link.next() for _ in range(3)]
    assert [(each["cmd"], each.get("typing")) for each in written] == [
        ("typing", True), ("send", None), ("typing", False)
    ]  # fmt: skip
    link.refuse(written[0], "unknown_chat")
    link.lose()
    await until(chat, Lost)
    chat.tell_typing("@bob")


async def test_what_no_server_could_take_is_refused_here(server: FakeServer, client: Client) -> None:
    chat, _ = await client.sign_in(server)
    with pytest.raises(Refused, match="line_too_long"):
        await chat.send("main", "x" * 70_000)
    with pytest.raises(Refused, match="line_too_long"):
        await chat.command("who", username="x" * 70_000)
    for line in ("hi", "/who a\nb", "/format text"):
        with pytest.raises(Refused):
            await chat.line(line)


@pytest.mark.parametrize(("code", "in_doubt"), [("unavailable", True), ("busy", False)])
async def test_nothing_overtakes_what_the_server_could_not_take(
    server: FakeServer, client: Client, code: str, in_doubt: bool
) -> None:
    chat, link = await client.sign_in(server)
    first = chat.post("send", target="main", text="first")
    link.refuse(await link.expect("send"), code)
    told = (await until(chat, Outgoing))[-1]
    assert isinstance(told, Outgoing) and (told.state, told.in_doubt) == ("waiting", in_doubt)
    assert told.error is not None and ("it is not known whether it was done" in str(told.error)) == in_doubt
    chat.post("send", target="main", text="second")
    chat.post("send", target="main", text="third")
    for _ in range(3):
        again = await link.expect("send")
        assert (again["key"], again["text"]) == (first.key, "first")
        link.refuse(again, code, done=False)
    ping = asyncio.create_task(chat.command("ping"))
    answered = {"first": await link.next()}
    if answered["first"]["cmd"] == "ping":
        link.ok(answered["first"])
        answered["first"] = await link.expect("send")
    else:
        link.ok(await link.expect("ping"))
    await ping
    for text in ("first", "second", "third"):
        command = answered.get(text) or await link.expect("send")
        assert command["text"] == text
        link.ok(command, id=11, at=AT)
    assert (await chat.wait_until_settled(command["key"])).state == "sent"


@pytest.mark.parametrize(("fields", "done", "words"), [({}, None, "not known"), ({"done": False}, False, "nothing")])
async def test_whether_it_was_done_is_said(
    server: FakeServer, client: Client, fields: dict[str, Any], done: bool | None, words: str
) -> None:
    chat, link = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("edit", id=3, text="x"))
    link.refuse(await link.expect("edit"), "unavailable", **fields)
    with pytest.raises(Refused, match=words) as refused:
        await asking
    assert refused.value.done is done


async def test_what_was_typed_without_a_connection_goes_out_in_order_whatever_it_is(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path, runtime = tmp_path / "a.txt", LaterRuntime()
    path.write_text("hi")
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    chat.post("send", target="main", text="one")
    chat.post("send_delayed", target="main", delay="10m", text="two")
    file = chat.post_file("main", path)
    chat.post("reply", id=3, text="four")
    assert [(each.verb, each.summary) for each in chat.outgoing] == [
        ("send", "one"), ("send_delayed", "delayed 10m: two"), ("send_file", "file a.txt"), ("reply", "four"),
    ]  # fmt: skip
    runtime.later += 240
    link = await server.link()
    await link.sign_in()
    took: Any = {}
    for _ in range(4):
        command = await link.next()
        took[command["cmd"]] = command
    assert set(took) == {"send", "send_delayed", "send_file", "reply"}
    assert 359 <= float(took["send_delayed"]["delay"]) <= 360
    link.ok(took["send_file"], upload=7, received=0)
    chunk = await link.expect("chunk")
    link.ok(chunk, upload=7, received=2, id=12, at=AT, file={"id": 1, "name": "a.txt", "size": 2, "sha256": "0"})
    assert (await chat.wait_until_settled(file.key)).state == "sent"


async def test_a_file_that_waits_is_held_and_thrown_away_like_a_message(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path, runtime = tmp_path / "a.txt", LaterRuntime()
    path.write_text("hi")
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    sending = asyncio.create_task(chat.send_file("main", path))
    while not chat.outgoing:
        await asyncio.sleep(0)
    chat.post("send_delayed", target="main", delay="10m", text="two")
    runtime.later += 301
    await (await server.link()).sign_in()
    await until(chat, Connected)
    assert [each.verb for each in chat.held] == ["send_file", "send_delayed"]
    chat.discard()
    with pytest.raises(Disconnected, match="it was not sent"):
        await sending
    assert chat.outgoing == []


async def test_what_a_newer_server_says(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write({"type": "waved", "user": "alice"}, "no JSON at all", message(11, mood="good"))
    assert await until(chat, Message) == [
        Unknown("waved", {"user": "alice"}),
        Message(11, 11, "main", "alice", AT, "text 11"),
    ]
    asking = asyncio.create_task(chat.command("wave", username="alice"))
    link.ok(await link.expect("wave"), waved=True)
    assert (await asking).reply == OtherReply({"waved": True})
