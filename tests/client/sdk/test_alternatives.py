"""A server that has been of no use for a while is left for another one that is sound, and for no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chat_client.sdk import alternatives
from chat_client.sdk.backoff import Backoff
from chat_client.sdk.events import Connected, Lost, Outgoing
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Message
from tests.client.fake import AT, FakeServer, Json, message
from tests.client.sdk.played import Client, until

STALE: Json = {"type": "notice", "text": "this server has lost its cluster", "stale": True, "as_of": AT}
BACK: Json = {"type": "notice", "text": "this server has its cluster back", "stale": False}


@pytest.fixture
async def servers() -> AsyncIterator[list[FakeServer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FakeServer()) for _ in range(3)]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternatives, "PATIENCE_SECONDS_MIN", 0.001)
    monkeypatch.setattr(alternatives, "PATIENCE_SECONDS_MAX", 0.002)


async def answer_question(server: FakeServer, **fields: object) -> None:
    """Take the next connection, which only asks how the server is."""
    link = await server.link()
    link.greet()
    link.ok(await link.expect("format"), format="json", **fields)
    await link.closed()


async def test_it_goes_to_the_one_that_has_its_cluster(servers: list[FakeServer], client: Client) -> None:
    entering = client.enter(*servers)
    link = await servers[0].link()
    await link.sign_in()
    chat = await entering
    await until(chat, Connected)
    link.write(message(11), STALE)
    posted = chat.post("send", target="main", text="it waits")
    command = await link.expect("send")
    link.refuse(command, "unavailable", done=False)
    await answer_question(servers[1], stale=True)
    await answer_question(servers[2])
    second = await servers[2].link()
    resumed = await second.sign_in(message(12), seq=12)
    assert (resumed["cmd"], resumed["position"]) == ("resume", 11)
    again = await second.expect("send")
    assert (again["key"], again["text"]) == (command["key"], "it waits")
    second.ok(again, id=13, at=AT)
    await chat.wait_until_settled(posted.key)
    events = await until(chat, Connected)
    (lost,) = [event for event in events if isinstance(event, Lost)]
    address = servers[2].address
    assert (lost.why, lost.going_to) == (f"{servers[0].address}: it takes nothing for now", address)
    assert isinstance(events[-1], Connected) and events[-1].server == address and events[-1].resumed
    assert [event.id for event in events if isinstance(event, Message)] == [11, 12]


async def test_a_server_that_takes_nothing_is_left_too(servers: list[FakeServer], client: Client) -> None:
    entering = client.enter(*servers[:2])
    link = await servers[0].link()
    await link.sign_in()
    chat = await entering
    chat.post("send", target="main", text="it waits")
    link.refuse(await link.expect("send"), "unavailable", done=False)
    await answer_question(servers[1])
    second = await servers[1].link()
    await second.sign_in()
    second.ok(await second.expect("send"), id=11, at=AT)
    while (event := (await until(chat, Outgoing))[-1]) and isinstance(event, Outgoing) and event.state != "sent":
        pass


async def test_one_that_does_not_answer_is_not_gone_to(
    servers: list[FakeServer], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alternatives, "ANSWER_SECONDS_MAX", 0.01)
    entering = client.enter(*servers[:2])
    link = await servers[0].link()
    await link.sign_in()
    chat = await entering
    link.write(STALE)
    for _ in range(2):
        await (await servers[1].link()).closed()
    assert isinstance(chat.state, Connected) and chat.state.server == servers[0].address


async def test_one_that_is_well_again_is_not_left(servers: list[FakeServer], client: Client) -> None:
    """Neither for trouble that has passed, nor for another server that is no better."""
    entering = client.enter(*servers[:2])
    link = await servers[0].link()
    await link.sign_in()
    chat = await entering
    await until(chat, Connected)
    link.write(STALE)
    # What breaks off or is no server of the chat is not gone to.
    (await servers[1].link()).lose()
    (await servers[1].link()).write("220 mail")
    await answer_question(servers[1], stale=True)
    other = await servers[1].link()
    other.greet()
    command = await other.expect("format")
    link.write(BACK)
    while (event := (await until(chat, Notice))[-1]) and isinstance(event, Notice) and event.stale:
        pass
    other.ok(command, format="json")
    await other.closed()
    ping = asyncio.create_task(chat.command("ping"))
    link.ok(await link.expect("ping"))
    await ping
    assert isinstance(chat.state, Connected) and chat.state.server == servers[0].address


async def test_what_waits_goes_out_when_the_server_has_its_cluster_back(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server, backoff=Backoff(1000.0, 1000.0))
    link.write(STALE)
    chat.post("send", target="main", text="it waits")
    command = await link.expect("send")
    link.refuse(command, "unavailable", done=False)
    link.write(BACK)
    assert (await link.expect("send"))["key"] == command["key"]


async def test_without_another_server_it_stays(server: FakeServer, client: Client) -> None:
    """Also where it is named twice."""
    entering = client.enter(server, server)
    link = await server.link()
    await link.sign_in()
    chat = await entering
    link.write(STALE)
    await until(chat, Notice)
    ping = asyncio.create_task(chat.command("ping"))
    link.ok(await link.expect("ping"))
    await ping
    assert isinstance(chat.state, Connected)
