"""Bounds of the connection: a program that does not read, and what is held for it."""

import asyncio

import pytest

from chat_client.sdk import event_queue, link
from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import (  # fmt: skip
    Connected,
)
from chat_server.protocol.messages import Message
from tests.client.fake import FakeServer, message
from tests.client.sdk.played import Client, ids, until


async def test_who_does_not_read_makes_the_server_wait(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    chat, far = await client.sign_in(server)
    count = 20_000
    far.write(*(message(id_, text="x" * 500) for id_ in range(11, 11 + count)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(chat._events._events) < 100
    seen = 0
    async for event in chat:
        assert isinstance(event, Message) and event.id == 11 + seen
        seen += 1
        if seen == count:
            break


async def test_a_command_is_answered_though_nobody_reads(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    chat, far = await client.sign_in(server)
    far.write(*(message(id_) for id_ in range(11, 211)))
    asking = asyncio.create_task(chat.command("ping"))
    far.ok(await far.expect("ping"))
    await asking


async def test_who_waits_behind_too_much_is_given_up(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(event_queue, "OVERFLOW_MAX", 500)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    chat, far = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("ping"))
    await far.expect("ping")
    far.write(*(message(id_) for id_ in range(11, 5011)))
    with pytest.raises(Disconnected, match="too many events"):
        await asking
    assert len(chat._events._events) < 600


async def test_so_much_was_missed_that_it_must_be_read_first(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    entering = client.enter(server)
    far = await server.link()
    await far.sign_in(*(message(id_) for id_ in range(1, 2001)), seq=2000)
    chat = await entering
    assert chat.user == ""
    assert len(ids(await until(chat, Connected))) == 2000
    assert chat.user == "bob"
    await chat.close()
