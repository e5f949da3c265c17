"""One server for all tests, and one of its own for a test that needs other options or stops it.

With `ON_NATS=yes` in the environment, as in `make test-cluster`, each server is a node of a cluster on a NATS server.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Chat, GatedServer, RemoteServer, Server, SteppedServer

Start = Callable[..., Chat]

if os.environ.get("ON_NATS") == "yes":
    from tests.cluster.conformance import reason_of
    from tests.cluster.nodes import NatsBeside

    Server.make_beside = NatsBeside

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        for item in items:
            if reason := reason_of(item.name):
                item.add_marker(pytest.mark.skip(reason))


# Tests send more than a person would, and look at it for longer.
UNLIMITED = ("--command-rate", "off", "--main-rate-limit", "off", "--message-ttl", "off")


@pytest.fixture(autouse=True)
def nothing_outlives_its_test() -> Iterator[None]:
    """A server that a test started ends with it, also where the test fails before it says so."""
    before = set(Server.running)
    yield
    for server in Server.running - before:
        server.kill()
        server.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server") / "data", *UNLIMITED)
    server.start()
    yield server
    server.close()
    assert "Traceback" not in server.log


@pytest.fixture
async def chat(server: Server) -> AsyncIterator[Chat]:
    """The server that the tests share: each takes names of its own."""
    chat = Chat(server)
    yield chat
    await chat.close()


def starting(kind: type[Server]) -> Callable[..., AsyncIterator[Start]]:
    """A fixture: `start("--replay", "3", CHAT_PAGE="2")` gives people at a new server of this kind with these options.

    The server may be killed.
    """

    @pytest.fixture
    async def start(tmp_path: Path) -> AsyncIterator[Start]:
        chats: list[Chat] = []

        def start(*options: str, **environment: str) -> Chat:
            data = tmp_path / f"{kind.__name__}{len(chats)}"
            server = kind(data, *UNLIMITED, *options, environment=environment)
            chats.append(Chat(server))
            server.start()
            return chats[-1]

        yield start
        for chat in chats:
            await chat.close()
            chat.server.close()
            assert "Traceback" not in chat.server.log

    return start


start = starting(Server)
start_remote = starting(RemoteServer)  # `chat.json(source=REMOTE)` comes from another machine then
start_stepped = starting(SteppedServer)  # the test sets its clock
start_gated = starting(GatedServer)  # the test says from when on passwords are hashed
