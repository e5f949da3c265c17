"""A chat at a server that the test plays: what the tests of the connection share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chat_client.sdk import chat as chat_module
from chat_client.sdk.backoff import Backoff
from chat_client.sdk.chat import Chat, connect
from chat_client.sdk.events import (  # fmt: skip
    AnyEvent,
    Connected,
)
from chat_server.protocol.messages import Message
from tests.client.fake import FakeLink, FakeServer
from tests.harness import TIMEOUT_SECONDS


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


class Client:
    """A chat at fake servers, and what it tells."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    def enter(self, *servers: FakeServer, **options: Any) -> asyncio.Task[Chat]:
        addresses = [server.address for server in servers]
        context = connect(addresses, **{"user": "bob", "backoff": Backoff(0.001, 0.002), **options})
        return asyncio.create_task(self._stack.enter_async_context(context))

    async def sign_in(self, server: FakeServer, *missed: Any, **options: Any) -> tuple[Chat, FakeLink]:
        entering = self.enter(server, **options)
        link = await server.link()
        await link.sign_in(*missed)
        chat = await entering
        assert isinstance((await until(chat, Connected))[-1], Connected)
        return chat, link

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(chat_module, "GOODBYE_SECONDS_MAX", 0)  # the server that is played answers no goodbye
    client = Client()
    yield client
    await client.close()


async def until(chat: Chat, kind: type) -> list[AnyEvent]:
    """The events up to the first of this kind."""
    events: list[AnyEvent] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in chat:
            events.append(event)
            if isinstance(event, kind):
                return events
    raise AssertionError(f"the chat ended: {events}")


def ids(events: list[AnyEvent]) -> list[int]:
    return [event.id for event in events if isinstance(event, Message)]
