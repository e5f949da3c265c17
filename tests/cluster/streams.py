"""Streams on real NATS servers: what tests do with them until the servers have taken it."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from nats.aio.client import Client

from chat_server.log.jetstream import JetStreamChain
from chat_server.log.jetstream_api import call
from chat_server.log.nats_connection import Nats
from chat_server.log.stream import FateUnknown, NotAppended, Records, StreamRecord
from tests.cluster.servers import NatsServer, NatsServers

R = TypeVar("R")

# Streams are numbered anew in each test.
numbers = itertools.count(1)
WAIT_SECONDS = 60


async def begin(connection: Nats) -> tuple[JetStreamChain, int]:
    chain, number = JetStreamChain(connection), next(numbers)
    await settled(chain.begin, number)
    return chain, number


async def settled(function: Callable[..., Awaitable[R]], *args: object) -> R:
    """Its result, once it is no longer refused for the moment."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await function(*args)
            except NotAppended:
                await asyncio.sleep(0.1)


async def appended(chain: JetStreamChain, stream: int, data: bytes, unique: str = "") -> int:
    """Append it as often as needed; a repetition has the same `unique`, so that it stands there once."""
    unique = unique or secrets.token_hex(8)
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await chain.append(stream, "n1", data, unique)
            except (NotAppended, FateUnknown):
                await asyncio.sleep(0.1)


async def take(records: Records, count: int) -> list[StreamRecord]:
    async with asyncio.timeout(WAIT_SECONDS):
        return [await records.next() for _ in range(count)]


def client_of(connection: Nats) -> Client:
    """The package's client under a connection."""
    assert connection._client is not None
    return connection._client


async def leader(connection: Nats, servers: NatsServers, stream: int) -> NatsServer:
    info = await settled(call, connection, f"STREAM.INFO.log-{stream}")
    return servers.named(info["cluster"]["leader"])


async def pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for begun in range(0, len(data), size):
        yield data[begun : begun + size]
