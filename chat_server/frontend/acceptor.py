"""The acceptor of connections: it counts them, also by address, and refuses those too many.

`loop.create_server` would not do: it counts a TLS connection only after its handshake, allows a minute for one, and
spins at full speed when no descriptors are left.
"""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, cast

from chat_server.addresses import is_loopback, network_of, plain_address
from chat_server.errors import StartError
from chat_server.protocol.connection import Closing
from chat_server.protocol.formats import TEXT

log = logging.getLogger("chat.acceptor")

HANDSHAKE_SECONDS = 10.0
# For one socket in one turn of the loop; then the others are served.
ACCEPTED_AT_ONCE_MAX = 8
# Connections leave these free for the database, for files, and for refusing connections in words.
DESCRIPTORS_RESERVED = 64
# Of these, so many stay free for the database and for files, whatever else uses up the others.
SPARE_DESCRIPTORS = 16
PAUSE_SECONDS = 1.0
# A refused connection stays open for this time: bytes that its peer still sends would otherwise reset it before the
# peer has read the refusal. While this many are open, further ones are cut at once.
REFUSAL_SECONDS = 1.0
REFUSALS_MAX = 16
# These errors mean that a connection was gone before it was accepted (accept(2)). Any other would come again at once.
_GONE = {
    errno.ECONNABORTED, errno.EPROTO, errno.ENOPROTOOPT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENONET, errno.EOPNOTSUPP, errno.EINTR,
}  # fmt: skip


Open = Callable[[str, Callable[[], None]], asyncio.BaseProtocol]
"""Makes the protocol of a connection from this address. The protocol calls the function, which gives the connection's
place back, when the connection is lost.
"""


WhyBanned = Callable[[str], str | None]
"""Tells why nobody may connect from an address; None if one may."""


def limit_connections(wanted: int) -> int:
    """Raise the limit on open files if need be; return how many of these connections it allows. Raises StartError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_RESERVED
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = soft - DESCRIPTORS_RESERVED
    if room < 1:
        raise StartError(
            f"the limit on open files (ulimit -n) is {soft}, and the server alone takes {DESCRIPTORS_RESERVED};"
            f" for {wanted} connections raise it to {needed}"
        )
    if room < wanted:
        log.warning("only %d connections: the limit on open files (ulimit -n) is %d", room, soft)
    return min(wanted, room)


class Acceptor:
    """Accepts at most `most` connections, and `most_of_network` from one address; None means any number.

    `spare` open files stay free for others.
    """

    def __init__(
        self,
        open: Open,
        most: int,
        most_of_network: int | None,
        *,
        spare: int = SPARE_DESCRIPTORS,
        why_banned: WhyBanned = lambda address: None,
    ) -> None:
        self.count = 0
        self.refused: Counter[str] = Counter()  # connections, by the code that they were told
        self._open = open
        self._most = most
        self._most_of_network = most_of_network
        self._spare = spare
        self._why_banned = why_banned
        self._of_network: Counter[str] = Counter()
        self._listening: dict[socket.socket, ssl.SSLContext | None] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._being_refused = 0

    def limit(self, most: int, most_of_network: int | None) -> None:
        """Accept so many from now on. Nobody who is connected is cut."""
        self._most, self._most_of_network = most, most_of_network

    def listen(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Accept from this socket until `close`, with TLS if there is a context."""
        self._listening[sock] = context
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def close(self) -> None:
        """Accept nothing more, and end the handshakes under way."""
        if self._pause is not None:
            self._pause.cancel()
        for sock in self._listening:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._listening.clear()
        for task in list(self._tasks):
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        context = self._listening[listening]
        for _ in range(ACCEPTED_AT_ONCE_MAX):
            try:
                sock, peer = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._pause_for(error.strerror or str(error))
                return
            sock.setblocking(False)
            # The kernel gives the lowest free number, so a high one shows how few are left.
            if sock.fileno() >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - self._spare:
                why = "the server has no open file left for you; try again in a few seconds"
                self._refuse(sock, context, Closing(why, "busy"))
                self._pause_for("few open files are left")
                return
            # The peer of a Unix socket has no address.
            self._admit(sock, context, plain_address(peer[0]) if peer else "")

    def _pause_for(self, why: str) -> None:
        if self._pause is not None:
            return
        log.warning("%s: with %d connections none is accepted for %g s", why, self.count, PAUSE_SECONDS)
        loop = asyncio.get_running_loop()
        for sock in self._listening:
            loop.remove_reader(sock)
        self._pause = loop.call_later(PAUSE_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        for sock in self._listening:
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    # ---- connections that are accepted

    def _admit(self, sock: socket.socket, context: ssl.SSLContext | None, address: str) -> None:
        network = network_of(address)
        why = self._why_not(address, network)
        if why is not None:
            self._refuse(sock, context, why)
            return
        self.count += 1
        self._of_network[network] += 1
        self._start(self._connect(sock, context, address, network))

    def _why_not(self, address: str, network: str) -> Closing | None:
        if banned := self._why_banned(address):
            return Closing(banned, "banned")
        if self.count >= self._most:
            return Closing(f"the server has all the {self._most} connections that it takes; try again later", "busy")
        most = self._most_of_network
        if most is not None and self._of_network[network] >= most and not is_loopback(address):
            why = f"your address has all the {most} connections that one may have; close one, then connect again"
            return Closing(why, "busy")
        return None

    async def _connect(self, sock: socket.socket, context: ssl.SSLContext | None, address: str, network: str) -> None:
        place = _Place(self, network)
        try:
            await _take_over(lambda: self._open(address, place), sock, context)
        except OSError as error:
            log.debug("a connection from %s was lost before it began: %s", address, error)
            place()
        except BaseException:
            place()
            raise

    def release(self, network: str) -> None:
        """A connection from this network is gone."""
        self.count -= 1
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]

    # ---- connections that are refused

    def _refuse(self, sock: socket.socket, context: ssl.SSLContext | None, why: Closing) -> None:
        self.refused[why.code] += 1
        if self._being_refused >= REFUSALS_MAX:
            if context is None:
                # Nothing was sent before, so the kernel takes the line at once even if nobody reads it.
                with contextlib.suppress(OSError):
                    sock.send(_refusal_line(why))
            sock.close()
            return
        self._being_refused += 1
        self._start(self._send_refusal(sock, context, why))

    async def _send_refusal(self, sock: socket.socket, context: ssl.SSLContext | None, why: Closing) -> None:
        ended = asyncio.get_running_loop().create_future()
        try:
            transport = await _take_over(lambda: _RefusedConnection(_refusal_line(why), ended), sock, context)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFUSAL_SECONDS):
                    await ended
            transport.abort()
        except OSError:
            pass
        finally:
            self._being_refused -= 1

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Place:
    """The place of a connection among those that are counted. It is called to give the place back; once counts."""

    __slots__ = ("_acceptor", "_network")

    def __init__(self, acceptor: Acceptor, network: str) -> None:
        self._acceptor: Acceptor | None = acceptor
        self._network = network

    def __call__(self) -> None:
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.release(self._network)


class _RefusedConnection(asyncio.Protocol):
    """Sends one line and ends. It discards incoming bytes: the kernel resets a connection that leaves some unread."""

    def __init__(self, line: bytes, ended: "asyncio.Future[None]") -> None:
        self._line = line
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        transport.write(self._line)
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


def _refusal_line(why: Closing) -> bytes:
    return TEXT.event(why, "")


async def _take_over(
    open: Callable[[], asyncio.BaseProtocol], sock: socket.socket, context: ssl.SSLContext | None
) -> asyncio.Transport:
    """Return the transport of an accepted socket after its handshake. Raises OSError, and then the socket is closed."""
    timeout = HANDSHAKE_SECONDS if context else None
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
        open, sock, ssl=context, ssl_handshake_timeout=timeout
    )
    return transport
