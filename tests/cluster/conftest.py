"""NATS servers for the tests of a module, and connections that end with their test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from chat_server.log.jetstream_api import open_nats
from chat_server.log.nats_connection import Nats, NatsAccess
from chat_server.runtime import SystemRuntime
from tests.cluster.servers import NatsServers
from tests.conformance.conftest import nothing_outlives_its_test

__all__ = ["nothing_outlives_its_test"]

Connect = Callable[..., Awaitable[Nats]]


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServers]:
    servers = NatsServers(tmp_path_factory.mktemp("nats"), 1)
    servers.start()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def three_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServers]:
    servers = NatsServers(tmp_path_factory.mktemp("nats"), 3)
    servers.start()
    yield servers
    servers.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(urls, node)`: an open connection to NATS."""
    opened: list[Nats] = []

    async def connect(urls: list[str], node: str = "n1") -> Nats:
        opened.append(await open_nats(SystemRuntime(), NatsAccess(urls), node, 30))
        return opened[-1]

    yield connect
    for connection in opened:
        await connection.close()
