"""Writing past a transport, over real sockets on both loops: when its descriptor may be used, and when no more."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

import pytest
import trustme
import uvloop

from chat_server.frontend.transport import SocketTransport
from tests.harness import TIMEOUT_SECONDS
from tests.unit.frontend.sockets import Recorder, connected_sockets, until

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
UNSENT_BYTES_MAX = 100_000


class Pair(Recorder):
    """A handler that notes whether its descriptor is still its socket's when it is told that the connection is lost."""

    peer: socket.socket
    is_open_when_lost: bool | None = None

    def __init__(self, transport: SocketTransport) -> None:
        super().__init__(transport)
        self.descriptor = transport.find_descriptor()
        self.inode = os.fstat(self.descriptor).st_ino if self.descriptor >= 0 else 0

    def lost(self) -> None:
        super().lost()
        self.is_open_when_lost = os.fstat(self.descriptor).st_ino == self.inode


async def connect(context: ssl.SSLContext | None = None) -> Pair:
    loop = asyncio.get_running_loop()
    peer, sock = await connected_sockets()
    _, transport = await loop.connect_accepted_socket(lambda: SocketTransport(Pair, UNSENT_BYTES_MAX), sock)
    assert isinstance(transport, SocketTransport)
    pair = transport._handler
    assert isinstance(pair, Pair)
    pair.peer = peer
    return pair


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    def run(main: Callable[[], Awaitable[None]]) -> None:
        async def with_time() -> None:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await main()

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(with_time())

    return run


Run = Callable[[Callable[[], Awaitable[None]]], None]


def test_what_waits_in_the_transport_is_not_overtaken(run: Run) -> None:
    """Partly the kernel's, partly the transport's: the descriptor is back once all of it has gone."""

    async def main() -> None:
        pair = await connect()
        data = os.urandom(3_000_000)
        assert pair.transport.find_descriptor() == pair.descriptor >= 0
        sent = 0
        with pytest.raises(BlockingIOError):
            while True:
                sent += os.write(pair.descriptor, data[sent:])
        assert 0 < sent < len(data)
        pair.transport.write(data[sent:])
        assert pair.transport.find_descriptor() == -1 and pair.told == ["blocked"]
        read = b""
        while len(read) < len(data):
            read += await asyncio.get_running_loop().sock_recv(pair.peer, 1 << 20)
        assert read == data
        await until(lambda: pair.transport.find_descriptor() == pair.descriptor)
        assert pair.told == ["blocked", "writable"]
        pair.transport.abort()
        await until(lambda: "lost" in pair.told)
        pair.peer.close()

    run(main)


def _reset(pair: Pair) -> None:
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.peer.close()


def _write_after_reset(pair: Pair) -> None:
    """The write past the transport meets the error first; the transport finds it out by itself."""
    pair.transport.pause_reading()
    _reset(pair)
    with pytest.raises(ConnectionError):
        os.write(pair.descriptor, b"x")
    pair.transport.write(b"x")


ENDS: dict[str, Callable[[Pair], object]] = {
    "the other side resets": _reset,
    "the other side resets, and a write finds out": _write_after_reset,
    "it is hung up": lambda pair: pair.transport.hang_up(0.01),
    "it is hung up, and the other side takes everything": lambda pair: pair.transport.hang_up(1, lambda: None),
    "it is aborted": lambda pair: pair.transport.abort(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_socket_is_closed_only_after_its_connection_is_said_to_be_lost(run: Run, end: str) -> None:
    """Whoever writes to the descriptor until then never writes to another file that was given its number."""

    async def main() -> None:
        pair = await connect()
        ENDS[end](pair)
        await until(lambda: pair.is_open_when_lost is not None)
        assert pair.is_open_when_lost
        assert pair.transport.find_descriptor() == -1
        pair.peer.close()

    run(main)


def test_whoever_is_hung_up_is_written_to_no_more(run: Run) -> None:
    async def main() -> None:
        pair = await connect()
        pair.transport.hang_up(0.01)
        assert pair.transport.find_descriptor() == -1
        await until(lambda: "lost" in pair.told)
        pair.peer.close()

    run(main)


def test_with_tls_nothing_goes_past_the_transport(run: Run) -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        found: list[int] = []

        class Noting(Recorder):
            def __init__(self, transport: SocketTransport) -> None:
                super().__init__(transport)
                found.append(transport.find_descriptor())

        listening = await loop.create_server(lambda: SocketTransport(Noting, 4096), "127.0.0.1", 0, ssl=server)
        port = listening.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("localhost", port, ssl=client)
        await until(lambda: found == [-1])
        writer.transport.abort()
        listening.close()

    run(main)
