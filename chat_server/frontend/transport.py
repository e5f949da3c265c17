"""A transport: the bytes of one connection, in and out, until one side hangs up; and that of a socket.

It knows nothing of lines. What comes is handed to the handler, which says how much may be read at once, and pauses
reading where it has enough to do.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Protocol, cast

# What is read at once at most.
READ_BYTES_MAX = 65_536
# States of a TCP connection (Linux, net/tcp_states.h) in which what was acknowledged is at the other side.
_ESTABLISHED, _CLOSE_WAIT = 1, 8
# Of its `tcp_info` (Linux, include/uapi/linux/tcp.h): the state, the packets that were not acknowledged, and the bytes
# that were not sent.
_TCP_INFO = struct.Struct("=B23xI116xI")
# How often the last of what was written is checked for having been taken, and for how long.
TAKEN_SECONDS, TAKEN_SECONDS_MAX = 0.01, 1.0
# For how long after the end all that still comes is read and thrown away; the second figure holds where the other side
# wanted the end.
LINGER_SECONDS, LAST_SECONDS = 1.0, 0.3
# The buffer is filled and emptied within one callback of the loop, so one serves all connections.
_read_buffer = memoryview(bytearray(READ_BYTES_MAX))


class Handler(Protocol):
    """What a transport tells of its bytes."""

    @property
    def read_bytes_max(self) -> int:
        """How much may be read at once now, up to READ_BYTES_MAX."""

    def receive(self, data: memoryview) -> None:
        """`data` is valid during the call only."""

    def eof(self) -> None:
        """The other side sends nothing more; it may still read."""

    def blocked(self) -> None:
        """The transport holds enough: what is written from here on waits for the other side."""

    def writable(self) -> None:
        """The other side has taken most of it."""

    def lost(self) -> None:
        """The connection is gone; this is the last call."""


class Transport(Protocol):
    """What a session needs of its connection; tests have one in memory."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Send behind what was written before; it never blocks. The outbox keeps this function and calls it itself."""

    def find_descriptor(self) -> int:
        """The descriptor of the socket, if what is written to it now comes behind all that was written, else -1.

        It may be used until `write` is called again, or the handler is told that the connection is lost.
        """

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def waiting_bytes(self) -> int:
        """What was written but has not gone to the kernel."""

    def unsent_bytes(self) -> int:
        """What was written but is not at the other side yet: here, and in the kernel."""

    def is_all_taken(self) -> bool:
        """Whether everything that was written is known to be at the other side."""

    def is_there(self) -> bool:
        """Whether anybody may still be at the other side."""

    def hang_up(self, stall_seconds: float, on_taken: Callable[[], None] | None = None) -> None:
        """Send what was written, then end the connection; after `stall_seconds` it ends all the same.

        With `on_taken` the end waits a moment for the other side to take everything, and calls `on_taken` if it has.
        """

    def abort(self) -> None:
        """End it now, whatever has not been sent."""


class SocketTransport(asyncio.BufferedProtocol):
    """`open` makes the handler once there is a connection. `unsent_bytes_max` is how much may wait to be sent before
    the handler is told that it is blocked.
    """

    write: Callable[[bytes], None]

    def __init__(self, open: Callable[["SocketTransport"], Handler], unsent_bytes_max: int) -> None:
        # None once it was called.
        self._open: Callable[[SocketTransport], Handler] | None = open
        self._unsent_bytes_max = unsent_bytes_max
        self._ending = False
        self._is_lost = False
        self._has_eof = False
        self._abort_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None

    # ---- the loop's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = cast(asyncio.Transport, transport)
        self._connection.set_write_buffer_limits(high=self._unsent_bytes_max, low=self._unsent_bytes_max // 4)
        self.write = self._connection.write
        # With TLS nothing but asyncio can write to the socket.
        sock = self._kernel_socket() if self._connection.get_extra_info("ssl_object") is None else None
        self._descriptor = -1 if sock is None else sock.fileno()
        open, self._open = self._open, None
        assert open is not None
        self._handler = open(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _read_buffer[: self._handler.read_bytes_max]

    def buffer_updated(self, nbytes: int) -> None:
        if not self._ending:
            self._handler.receive(_read_buffer[:nbytes])

    def eof_received(self) -> bool:
        self._has_eof = True
        self._handler.eof()
        # TLS has no half-close. asyncio would write a warning into the log of each who asks for one.
        return not self._ending and self._connection.can_write_eof()

    def pause_writing(self) -> None:
        self._handler.blocked()

    def resume_writing(self) -> None:
        self._handler.writable()

    def connection_lost(self, error: Exception | None) -> None:
        self._ending = self._is_lost = True
        for timer in (self._abort_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._handler.lost()

    # ---- bytes in

    def pause_reading(self) -> None:
        if self._may_read() and self._connection.is_reading():
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        if self._may_read() and not self._connection.is_reading():
            self._connection.resume_reading()

    def _may_read(self) -> bool:
        return not self._ending and not self._has_eof

    # ---- bytes out

    def find_descriptor(self) -> int:
        return -1 if self._ending or self.waiting_bytes() else self._descriptor

    def waiting_bytes(self) -> int:
        return self._connection.get_write_buffer_size()

    def unsent_bytes(self) -> int:
        return self.waiting_bytes() + _queued_bytes(self._kernel_socket(), termios.TIOCOUTQ)

    def is_all_taken(self) -> bool:
        if self._descriptor >= 0 and not self._is_lost:
            return not self.waiting_bytes() and _has_taken_all(self._descriptor)
        sock = self._kernel_socket()
        # A connection that was reset has nothing unsent either.
        return sock is not None and sock.fileno() >= 0 and not self.unsent_bytes() and _is_open(sock)

    def is_there(self) -> bool:
        # The kernel knows of a reset that asyncio no longer sees once it has read the end of what comes.
        return not self._ending and _is_open(self._kernel_socket())

    def _kernel_socket(self) -> socket.socket | None:
        return cast("socket.socket | None", self._connection.get_extra_info("socket"))

    # ---- the end

    def hang_up(self, stall_seconds: float, on_taken: Callable[[], None] | None = None) -> None:
        if self._ending:
            return
        self._ending = True
        if on_taken is not None:
            self._wait_until_taken(on_taken, TAKEN_SECONDS_MAX)
        else:
            self._end()
        # A reader who takes nothing any more would keep the connection for ever.
        self._abort_timer = asyncio.get_running_loop().call_later(stall_seconds, self.abort)

    def abort(self) -> None:
        # asyncio raises AttributeError where the connection is gone already.
        if not self._is_lost:
            self._connection.abort()

    def _wait_until_taken(self, on_taken: Callable[[], None], seconds: float) -> None:
        if self.is_all_taken():
            on_taken()
            self._end(self._reset)
            return
        if seconds > 0:
            self._end_timer = asyncio.get_running_loop().call_later(
                TAKEN_SECONDS, self._wait_until_taken, on_taken, seconds - TAKEN_SECONDS
            )
            return
        self._end()

    def _end(self, at_last: Callable[[], None] | None = None) -> None:
        """Close the socket, after reading and discarding the bytes that still come.

        Closing it with unread bytes would reset the connection, and what was written last might be lost. With `at_last`
        the other side has a moment to close first, and if it has not, `at_last` ends the connection.
        """
        lingers = self._connection.can_write_eof() and not self._has_eof
        if not lingers or (at_last is None and not self._has_unread()):
            self._connection.close()
            return
        self._connection.write_eof()
        if not self._connection.is_reading():
            self._connection.resume_reading()
        loop = asyncio.get_running_loop()
        if at_last is not None:
            self._end_timer = loop.call_later(LAST_SECONDS, at_last)
        else:
            self._end_timer = loop.call_later(LINGER_SECONDS, self._connection.close)

    def _reset(self) -> None:
        """End the connection by a reset, if everything has arrived.

        OpenBSD's nc goes on reading from its terminal after the end of what comes: `/quit` seemed to do nothing until
        one pressed Enter twice. A reset ends it.
        """
        sock = self._kernel_socket()
        if sock is not None and sock.fileno() >= 0 and not self.unsent_bytes():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def _has_unread(self) -> bool:
        return bool(_queued_bytes(self._kernel_socket(), termios.FIONREAD))


def _has_taken_all(descriptor: int) -> bool:
    """Tell whether the connection is open, and the other side has acknowledged all that was written to it.

    Each line that a person sends asks this: one look at the kernel in place of two, without asyncio's object of the
    socket, took 3 µs of a message's 45 with 400 people who write.
    """
    sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
    try:
        state, unacknowledged, unsent = _TCP_INFO.unpack(
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        )
    finally:
        sock.detach()
    return state in (_ESTABLISHED, _CLOSE_WAIT) and not unacknowledged and not unsent


def _is_open(sock: socket.socket | None) -> bool:
    """Tell whether the kernel has the connection, and it was neither reset nor closed."""
    if sock is None or sock.fileno() < 0:
        return False
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in (_ESTABLISHED, _CLOSE_WAIT)


def _queued_bytes(sock: socket.socket | None, direction: int) -> int:
    """Bytes of a connection that the kernel holds: `TIOCOUTQ` those to be sent, `FIONREAD` those to be read."""
    if sock is None or sock.fileno() < 0:
        return 0
    (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), direction, b"\0\0\0\0"))
    return int(queued)
