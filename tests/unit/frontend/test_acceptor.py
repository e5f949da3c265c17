"""Accepting: what is counted and for how long, and what happens where there are no descriptors left."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
import trustme

from chat_server.frontend import acceptor as a
from chat_server.frontend.acceptor import Acceptor
from chat_server.frontend.listener import listen
from tests.harness import TIMEOUT_SECONDS

HOST = "127.0.0.1"


class Greeting(asyncio.Protocol):
    """Says hello and stays until the peer goes."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(b"hello\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._release()


class Peers:
    """Connections to an acceptor; those with a `context` are expected to speak TLS."""

    def __init__(self, acceptor: Acceptor, context: ssl.SSLContext | None) -> None:
        self.acceptor = acceptor
        self._sock = listen(HOST, 0)[0]
        self._address = self._sock.getsockname()
        self._writers: list[asyncio.StreamWriter] = []
        acceptor.listen(self._sock, context)

    async def connect(self) -> asyncio.StreamReader:
        """It speaks no TLS."""
        reader, writer = await asyncio.open_connection(*self._address)
        self._writers.append(writer)
        return reader

    async def refused(self) -> bytes:
        """What one is told who does not stay."""
        told = await (await self.connect()).read()
        self._writers.pop().close()
        return told

    async def gone(self) -> None:
        """The last one that came goes; this ends when the acceptor knows."""
        before = self.acceptor.count
        self._writers.pop().transport.abort()
        await self.count_is(before - 1)

    async def count_is(self, count: int) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self.acceptor.count != count:
                await asyncio.sleep(0)

    def close(self) -> None:
        self.acceptor.close()
        for writer in self._writers:
            writer.transport.abort()


Meet = Callable[..., Peers]


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """`meet(2, 1)`: peers of an acceptor for so many connections, so many of one address."""
    made: list[Peers] = []

    def meet(most: int = 100, most_of_network: int | None = None, context: ssl.SSLContext | None = None) -> Peers:
        made.append(Peers(Acceptor(lambda _, release: Greeting(release), most, most_of_network), context))
        return made[-1]

    yield meet
    for peers in made:
        peers.close()


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a, "is_loopback", lambda _: False)


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("limits", [(2, None), (100, 2)])
async def test_a_place_is_free_again_once_its_connection_is_gone(meet: Meet, limits: tuple[int, int | None]) -> None:
    peers = meet(*limits)
    for _ in range(3):
        kept = [await peers.connect(), await peers.connect()]
        assert [await each.readline() for each in kept] == [b"hello\n"] * 2
        assert (await peers.refused()).startswith(b"* closing: ")
        await peers.gone()
        await peers.gone()
    assert not peers.acceptor._of_network


async def test_loopback_is_no_address_that_is_limited(meet: Meet) -> None:
    peers = meet(100, 1)
    assert [await (await peers.connect()).readline() for _ in range(3)] == [b"hello\n"] * 3


@pytest.mark.usefixtures("remote")
async def test_a_handshake_counts_and_ends_in_time(
    meet: Meet, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert a.HANDSHAKE_SECONDS == 10
    peers = meet(100, 2, tls)
    silent = [await peers.connect(), await peers.connect()]
    await peers.count_is(2)
    monkeypatch.setattr(a, "REFUSALS_MAX", 0)
    assert await peers.refused() == b""
    assert not silent[0].at_eof() and not silent[1].at_eof()
    await peers.gone()
    await peers.gone()
    monkeypatch.setattr(a, "HANDSHAKE_SECONDS", 0.05)
    silent = [await peers.connect()]
    await peers.count_is(1)
    assert await silent[0].read() == b""
    await peers.count_is(0)


async def test_over_tls_the_refusal_is_said(meet: Meet) -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    peers = meet(0, None, server)
    reader, writer = await asyncio.open_connection(*peers._address, ssl=client, server_hostname="localhost")
    peers._writers.append(writer)
    assert b"has all the 0 connections" in await reader.read()


async def test_refused_connections_stay_only_while_they_are_few(meet: Meet, monkeypatch: pytest.MonkeyPatch) -> None:
    """What refused ones hold is bounded, however many come; each of them has its line."""
    monkeypatch.setattr(a, "REFUSALS_MAX", 2)
    peers = meet(0)
    for _ in range(20):
        assert (await peers.refused()).startswith(b"* closing: the server has all the 0 connections")
        assert peers.acceptor._being_refused <= 2
    assert peers.acceptor.refused == {"busy": 20}


@pytest.mark.parametrize("how", ["the kernel has none", "few are left"])
async def test_without_descriptors_accepting_pauses_and_goes_on(
    meet: Meet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    assert a.PAUSE_SECONDS <= 1
    monkeypatch.setattr(a, "PAUSE_SECONDS", 0.01)
    peers = meet()
    stays = await peers.connect()
    assert await stays.readline() == b"hello\n"
    with monkeypatch.context() as short:
        if how == "few are left":
            short.setattr(peers.acceptor, "_spare", 1 << 30)
        else:
            short.setattr(socket.socket, "accept", _no_descriptor)
        waiting = await peers.connect()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(caplog.records) < (1 if how == "few are left" else 3):
                await asyncio.sleep(0)
        assert peers.acceptor.count == 1
        if how == "few are left":
            assert b"no open file left" in await waiting.read()
    if how == "few are left":
        # Before, the pause might be over while there are few.
        waiting = await peers.connect()
    assert await waiting.readline() == b"hello\n"
    assert "with 1 connections none is accepted for 0.01 s" in caplog.text


def _no_descriptor(sock: socket.socket) -> tuple[socket.socket, object]:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_a_banned_address_is_told_so_and_takes_no_place() -> None:
    banned = {HOST: "your address is banned: bots"}
    peers = Peers(Acceptor(lambda _, release: Greeting(release), 1, None, why_banned=banned.get), None)
    assert await peers.refused() == b"* closing: your address is banned: bots\n"
    assert peers.acceptor.count == 0
    assert peers.acceptor.refused == {"banned": 1}
    banned.clear()
    assert await (await peers.connect()).readline() == b"hello\n"
    peers.acceptor.close()
