"""Two ends of a connection with small buffers, and a handler that notes what it is told."""

import asyncio
import socket
from collections.abc import Callable

from chat_server.frontend import transport as t
from chat_server.frontend.transport import SocketTransport

SECONDS_MAX = 60


class Recorder:
    """A handler that notes what it is told."""

    def __init__(self, transport: SocketTransport) -> None:
        self.transport = transport
        self.read_bytes_max = t.READ_BYTES_MAX
        self.pieces: list[bytes] = []
        self.told: list[str] = []

    def receive(self, data: memoryview) -> None:
        self.pieces.append(bytes(data))

    def eof(self) -> None:
        self.told.append("eof")

    def blocked(self) -> None:
        self.told.append("blocked")

    def writable(self) -> None:
        self.told.append("writable")

    def lost(self) -> None:
        self.told.append("lost")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():
            await asyncio.sleep(0.001)


async def connected_sockets() -> tuple[socket.socket, socket.socket]:
    """The peer's socket and the server's, with small buffers in the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, listening.getsockname())
        sock, _ = listening.accept()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return peer, sock
