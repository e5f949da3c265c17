"""A connection that is lost: it goes on from its position, and what was not answered goes out again."""

import asyncio

import pytest

from chat_client.sdk import link
from chat_client.sdk.backoff import Backoff
from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import (  # fmt: skip
    Connected,
    Forgotten,
    Lost,
    Outgoing,
)
from chat_client.sdk.runtime import Runtime
from chat_server.protocol.messages import Message
from tests.client.fake import AT, FakeServer, message
from tests.client.sdk.played import Client, ids, until


class LaterRuntime(Runtime):
    """Time has passed that a test does not wait for."""

    later = 0.0

    def elapsed(self) -> float:
        return super().elapsed() + self.later


async def test_it_goes_on_from_its_position(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write(message(11), message(12))
    assert ids([*(await until(chat, Message)), *(await until(chat, Message))]) == [11, 12]
    link.lose()
    link = await server.link()
    # This one breaks in the middle of what was missed.
    command = await link.begin_sign_in()
    assert (command["cmd"], command["token"], command["position"]) == ("resume", "the token", 12)
    link.returned(command, message(13), message(14))
    link.lose()
    link = await server.link()
    command = await link.sign_in(message(13), message(14), message(11, 15), message(16), seq=16)
    assert command["position"] == 12, "what a command returns does not move it"
    events = await until(chat, Connected)
    assert [(each.id, each.seq) for each in events if isinstance(each, Message)] == [
        (13, 13), (14, 14), (11, 15), (16, 16),
    ]  # fmt: skip
    assert isinstance(events[-1], Connected) and events[-1].resumed
    assert chat.position == 16


async def test_what_was_not_answered_goes_out_again_with_its_key(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    posted = [chat.post("send", target="main", text=text) for text in ("one", "two")]
    first, second = await link.expect("send"), await link.expect("send")
    assert [first["key"], second["key"]] == [each.key for each in posted]
    link.ok(first, id=11, at=AT)
    await chat.wait_until_settled(posted[0].key)
    link.lose()
    await until(chat, Lost)
    later = chat.post("send", target="main", text="three")
    link = await server.link()
    # Both of one's own have come to the server; the answer to the second was lost.
    await link.sign_in(message(11, sender="bob"), message(12, sender="bob"), seq=12)
    again, new = await link.expect("send"), await link.expect("send")
    assert (again["key"], again["text"], new["key"]) == (second["key"], "two", later.key)
    link.ok(again, id=12, at=AT)
    link.ok(new, id=13, at=AT)
    assert (await chat.wait_until_settled(later.key)).state == "sent"
    events = await until(chat, Connected)
    assert ids(events) == [12], "the first was acknowledged: it is no news"
    states = [(each.key, each.state, each.is_shown)
              for each in [*(await until(chat, Outgoing)), *(await until(chat, Outgoing))]
              if isinstance(each, Outgoing)]  # fmt: skip
    assert states == [(second["key"], "sent", True), (later.key, "sent", False)]
    assert chat.outgoing == []
    with pytest.raises(KeyError):
        await chat.wait_until_settled(later.key)


async def test_ones_own_message_does_not_come_again(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send("main", "mine"))
    link.ok(await link.expect("send"), id=11, at=AT)
    await sending
    link.lose()
    await (await server.link()).sign_in(message(11, sender="bob"), message(12), seq=12)
    assert ids(await until(chat, Connected)) == [12]


async def test_what_is_old_is_held(server: FakeServer, client: Client) -> None:
    runtime = LaterRuntime()
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    old = [chat.post("send", target="main", text=text) for text in ("old", "older")]
    runtime.later += 301
    new = chat.post("send", target="main", text="new")
    link = await server.link()
    await link.sign_in()
    assert (await link.expect("send"))["key"] == new.key
    assert [each.key for each in chat.held] == [each.key for each in old]
    chat.discard(old[1].key)
    chat.confirm()
    assert (await link.expect("send"))["key"] == old[0].key
    with pytest.raises(KeyError):
        {each.key: each for each in chat.outgoing}[old[1].key]


async def test_another_history(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    doubtful = chat.post("send", target="main", text="did it come?")
    await link.expect("send")
    link.lose()
    await (await server.link()).sign_in(message(11), seq=11, history="restored")
    again = await server.link()
    command = await again.sign_in(message(3), seq=3, history="restored")
    assert "position" not in command
    events = await until(chat, Connected)
    forgotten = [type(each) for each in events].index(Forgotten)
    assert ids(events[forgotten:]) == [3], "what is unread there"
    assert [each.key for each in chat.held] == [doubtful.key], "its key means nothing there"
    assert (chat.position, chat.history) == (3, "restored")


async def test_reconnect_at_once(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server, backoff=Backoff(1000, 1000))
    link.lose()
    lost = (await until(chat, Lost))[-1]
    assert isinstance(lost, Lost) and lost.retry_at > chat.runtime.elapsed() + 400
    with pytest.raises(Disconnected, match="the server closed the connection"):
        await chat.command("ping")
    connected = asyncio.create_task(chat.wait_until_connected())
    chat.reconnect()
    await (await server.link()).sign_in()
    await connected


async def test_a_server_that_falls_silent(server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "QUIET_SECONDS", 0.02)
    chat, far = await client.sign_in(server)
    far.ok(await far.expect("ping"))
    monkeypatch.setattr(link, "PONG_SECONDS_MAX", 0.02)
    lost = (await until(chat, Lost))[-1]
    assert isinstance(lost, Lost) and "nothing came from the server" in lost.why


async def test_a_server_that_hangs_is_left_for_another_one_while_something_waits(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeServer() as other:
        entering = client.enter(server, other)
        await (await server.link()).sign_in()
        chat = await entering
        with monkeypatch.context() as patched:
            patched.setattr(link, "LOOK_SECONDS", 0.02)
            patched.setattr(link, "WAITING_QUIET_SECONDS", 0.02)
            patched.setattr(link, "WAITING_PONG_SECONDS_MAX", 0.02)
            await until(chat, Connected)
            chat.post("send", target="main", text="one")
            lost = (await until(chat, Lost))[-1]
        assert isinstance(lost, Lost) and "nothing came from the server" in lost.why
        far = await other.link()
        await far.sign_in()
        assert (await far.expect("send"))["text"] == "one"


async def test_a_command_whose_answer_is_lost(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    command = asyncio.create_task(chat.command("who", username="alice"))
    await link.expect("who")
    link.lose()
    with pytest.raises(Disconnected, match="whether it was done is not known"):
        await command


async def test_a_client_that_moves_to_another_server_goes_on_without_gap_or_doubling(
    server: FakeServer, client: Client
) -> None:
    async with FakeServer() as other, FakeServer() as cut_off:
        entering = client.enter(server, cut_off, other)
        link = await server.link()
        await link.sign_in()
        chat = await entering
        await until(chat, Connected)
        posted = chat.post("send", target="main", text="one")
        sent = await link.expect("send")
        link.write(message(11), message(12))
        await until(chat, Message)
        link.lose()
        link = await cut_off.link()
        link.refuse(await link.begin_sign_in(), "unavailable", done=False)
        link = await other.link()
        # The other one has executed more; what the first one did not acknowledge had been done.
        command = await link.sign_in(message(13, sender="bob"), message(11, 14), seq=14)
        assert (command["cmd"], command["token"], command["position"]) == ("resume", "the token", 12)
        again = await link.expect("send")
        assert again["key"] == sent["key"] == posted.key
        link.ok(again, id=13, at=AT)
        link.write(message(15))
        events = [*(await until(chat, Connected)), *(await until(chat, Message))]
        shown = [(each.id, each.seq) for each in events if isinstance(each, Message)]
        assert shown == [(12, 12), (13, 13), (11, 14), (15, 15)]
        connected = [each.server for each in events if isinstance(each, Connected)]
        assert connected == [other.address]
