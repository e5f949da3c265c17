"""Bytes over real sockets: what is read, what waits to be sent, and how a connection ends."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from chat_server.frontend import transport as t
from chat_server.frontend.transport import SocketTransport
from tests.unit.frontend.sockets import SECONDS_MAX, Recorder, connected_sockets, until

UNSENT_BYTES_MAX = 4096


class Pair:
    """A transport, and the other side as a plain socket."""

    def __init__(self, handler: Recorder, peer: socket.socket) -> None:
        self.handler = handler
        self.transport = handler.transport
        self.peer = peer

    async def read(self, size: int = 1 << 20) -> bytes:
        async with asyncio.timeout(SECONDS_MAX):
            return await asyncio.get_running_loop().sock_recv(self.peer, size)

    async def read_all(self) -> bytes:
        found = b""
        while piece := await self.read():
            found += piece
        return found

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    peer, sock = await connected_sockets()
    handlers: list[Recorder] = []

    def open(transport: SocketTransport) -> Recorder:
        handlers.append(Recorder(transport))
        return handlers[-1]

    await asyncio.get_running_loop().connect_accepted_socket(lambda: SocketTransport(open, UNSENT_BYTES_MAX), sock)
    yield Pair(handlers[0], peer)
    handlers[0].transport.abort()
    peer.close()
    await until(lambda: "lost" in handlers[0].told)


async def test_no_more_is_read_at_once_than_the_handler_takes(pair: Pair) -> None:
    pair.handler.read_bytes_max = 10
    await pair.send(b"x" * 35)
    await until(lambda: sum(map(len, pair.handler.pieces)) == 35)
    assert max(map(len, pair.handler.pieces)) == 10


async def test_nothing_is_read_while_reading_is_paused(pair: Pair) -> None:
    pair.transport.pause_reading()
    pair.transport.pause_reading()
    await pair.send(b"x")
    await asyncio.sleep(0.02)
    assert not pair.handler.pieces
    pair.transport.resume_reading()
    pair.transport.resume_reading()
    await until(lambda: pair.handler.pieces == [b"x"])


async def test_a_slow_reader_is_told_of_and_its_bytes_are_counted(pair: Pair) -> None:
    data = b"x" * 3_000_000
    assert pair.transport.is_all_taken() and pair.transport.is_there()
    pair.transport.write(data)
    assert pair.handler.told == ["blocked"] and not pair.transport.is_all_taken()
    assert 0 < pair.transport.waiting_bytes() < pair.transport.unsent_bytes() <= len(data)
    read = 0
    while read < len(data):
        read += len(await pair.read())
    await until(pair.transport.is_all_taken)
    assert pair.handler.told == ["blocked", "writable"] and not pair.transport.unsent_bytes()


async def test_after_its_end_the_other_side_may_still_read(pair: Pair) -> None:
    pair.peer.shutdown(socket.SHUT_WR)
    await until(lambda: pair.handler.told == ["eof"])
    pair.transport.write(b"still here")
    assert await pair.read() == b"still here"
    pair.transport.pause_reading()
    pair.transport.hang_up(60)
    assert await pair.read_all() == b""


async def test_what_was_written_is_sent_before_the_end(pair: Pair) -> None:
    data = b"x" * 1_000_000
    pair.transport.write(data)
    pair.transport.hang_up(60)
    assert not pair.transport.is_there()
    assert await pair.read_all() == data


async def test_unread_bytes_do_not_reset_the_connection_at_its_end(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t, "LINGER_SECONDS", 0.05)
    pair.transport.pause_reading()
    await pair.send(b"unread")
    await until(pair.transport._has_unread)
    pair.transport.write(b"goodbye")
    pair.transport.hang_up(60)
    assert await pair.read_all() == b"goodbye", "a reset would raise"
    await until(lambda: pair.handler.told == ["lost"])
    assert pair.handler.pieces == []


async def test_whoever_takes_nothing_is_cut_off_in_the_end(pair: Pair) -> None:
    pair.transport.write(b"x" * 10_000_000)
    pair.transport.hang_up(0.05)
    await until(lambda: "lost" in pair.handler.told)


async def test_the_end_may_wait_until_everything_was_taken(pair: Pair) -> None:
    taken: list[bool] = []
    pair.transport.write(b"x" * 100_000)
    pair.transport.hang_up(60, lambda: taken.append(True))
    assert not taken
    assert len(await pair.read_all()) == 100_000
    assert taken == [True]


async def test_whoever_has_everything_and_does_not_close_is_reset(pair: Pair) -> None:
    """As nc of OpenBSD, which reads on from its terminal: the end alone did not end it."""
    pair.transport.write(b"goodbye")
    pair.transport.hang_up(60, lambda: None)
    assert await pair.read_all() == b"goodbye", "the end comes before the reset, and nothing is lost by it"
    assert "lost" not in pair.handler.told
    await until(lambda: "lost" in pair.handler.told)
    with pytest.raises(ConnectionError):
        for _ in range(2):  # the first one tells of the reset where the end was read already
            await pair.send(b"more")


async def test_whoever_closes_is_let_go_at_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t, "LAST_SECONDS", 60)
    pair.transport.write(b"goodbye")
    pair.transport.hang_up(60, lambda: None)
    assert await pair.read_all() == b"goodbye"
    pair.peer.close()
    await until(lambda: "lost" in pair.handler.told)


async def test_it_does_not_wait_for_long(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t, "TAKEN_SECONDS_MAX", 0.02)
    taken: list[bool] = []
    pair.transport.write(b"x" * 3_000_000)
    pair.transport.hang_up(0.2, lambda: taken.append(True))
    await until(lambda: "lost" in pair.handler.told)
    assert not taken


async def test_a_reset_connection_has_taken_nothing(pair: Pair) -> None:
    pair.transport.pause_reading()
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.peer.close()
    await until(lambda: not pair.transport.is_there())
    assert not pair.transport.is_all_taken()
