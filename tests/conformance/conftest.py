"""One server for all tests, and one of its own for a test that needs other options or stops it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Chat, GatedServer, RemoteServer, Server, SteppedServer

Start = Callable[..., Chat]

# Tests send more than a person would, and look at it for longer.
UNLIMITED = ("--command-rate", "off", "--main-rate-limit", "off", "--message-ttl", "off")


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


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """`start("--replay", "3", CHAT_PAGE="2")`: people at a new server with these options. It may be killed."""
    async with _starting(Server, tmp_path / "data") as start:
        yield start


@pytest.fixture
async def start_remote(tmp_path: Path) -> AsyncIterator[Start]:
    """The same, of a `RemoteServer`: `chat.json(source=REMOTE)` comes from another machine then."""
    async with _starting(RemoteServer, tmp_path / "remote") as start:
        yield start


@pytest.fixture
async def start_stepped(tmp_path: Path) -> AsyncIterator[Start]:
    """The same, of a `SteppedServer`: the test sets its clock."""
    async with _starting(SteppedServer, tmp_path / "stepped") as start:
        yield start


@pytest.fixture
async def start_gated(tmp_path: Path) -> AsyncIterator[Start]:
    """The same, of a `GatedServer`: the test says from when on passwords are hashed."""
    async with _starting(GatedServer, tmp_path / "gated") as start:
        yield start


@contextlib.asynccontextmanager
async def _starting(kind: type[Server], data: Path) -> AsyncIterator[Start]:
    chats: list[Chat] = []

    def start(*options: str, **environment: str) -> Chat:
        numbered = data.with_name(f"{data.name}{len(chats)}")
        server = kind(numbered, *UNLIMITED, *options, environment=environment)
        chats.append(Chat(server))
        server.start()
        return chats[-1]

    yield start
    for chat in chats:
        await chat.close()
        chat.server.close()
        assert "Traceback" not in chat.server.log
