"""A connection: bytes in and out of one socket, bounded both ways, until one side hangs up.

Nothing is read from a connection that has enough to do, or that does not take what it is sent. What the lines mean is
for `session` to say.
"""

import asyncio
import fcntl
import logging
import socket
import struct
import termios
from abc import abstractmethod
from typing import cast

from chat_server.addresses import is_loopback, network_of
from chat_server.clock import Clock
from chat_server.delivery.blocks import render
from chat_server.delivery.hub import Hub
from chat_server.delivery.outbox import Outbox
from chat_server.frontend.rate_limits import Allowance, Allowances
from chat_server.protocol.events import Closing, Event
from chat_server.protocol.lines import LineBuffer, UnendedLine
from chat_server.settings import Settings

log = logging.getLogger("chat.connection")

# What is read at once; and what may wait to be executed, past which nothing more is read.
READ_BYTES_MAX = 65_536
WAITING_BYTES_MAX = 65_536
# Of a line before signing in. Then no more than this is read at once, nor kept, nor waits behind a sign-in.
STRANGER_LINE_BYTES_MAX = 4096
# A chunk of a file that has so many takes nothing off the rate of commands.
FREE_CHUNK_BYTES = 8192
# States of a TCP connection (Linux, net/tcp_states.h) in which what was acknowledged is at the other side.
_ESTABLISHED, _CLOSE_WAIT = 1, 8
# How often one looks whether the last of what was written has been taken, and for how long.
TAKEN_SECONDS, TAKEN_SECONDS_MAX = 0.01, 1.0
# How long what still comes is read and thrown away after the end.
LINGER_SECONDS = 1.0
# Filled and emptied within one callback of the loop, so one will do for all connections.
_read_buffer = memoryview(bytearray(READ_BYTES_MAX))


class Connection(asyncio.BufferedProtocol):
    transport: asyncio.Transport
    outbox: Outbox
    number: int

    def __init__(self, hub: Hub, clock: Clock, settings: Settings, address: str, allowances: Allowances) -> None:
        self.hub = hub
        self._clock = clock
        self.settings = settings
        self._lines = LineBuffer(settings.line_bytes_max)
        self._allowances = allowances
        self._command_wait: asyncio.TimerHandle | None = None
        self._has_waited = False
        self._abort: asyncio.TimerHandle | None = None
        self._taken: asyncio.TimerHandle | None = None
        self._sign_in: asyncio.TimerHandle | None = None
        self._eof = False
        self._stopping = False
        self._in_order = False  # whether the end is the wish of the one at the other side
        self.closing = False
        self.address = address
        self.network = network_of(address)
        self.local = is_loopback(address)
        now = clock.monotonic()
        self._buckets = allowances.of_connection(now)
        if not self.local:
            self._buckets += allowances.of_network(self.network, now)
        self.since_ms = clock.now_ms()
        # Whose it is, and what program it says that it is.
        self.name = ""
        self.client: str | None = None

    @property
    def user_id(self) -> int:
        """0 before signing in."""
        return self.outbox.user_id

    # ---- what a session makes of it

    @abstractmethod
    def opened(self) -> None: ...

    @abstractmethod
    def lines_came(self) -> None:
        """Whole lines wait, or no more will come."""

    @abstractmethod
    def go_on(self) -> None:
        """Whatever held the lines up may be over."""

    @abstractmethod
    def is_busy(self) -> bool:
        """Whether a command that was taken is not answered yet."""

    @abstractmethod
    def hanging_up(self) -> None: ...

    @abstractmethod
    def taken(self) -> None:
        """The other side wanted the end, and has taken all that was written before."""

    @abstractmethod
    def ended(self) -> None: ...

    # ---- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        high = self.settings.outbox_bytes_max // 2
        self.transport.set_write_buffer_limits(high=high, low=high // 4)
        self.outbox = Outbox(self.hub, self.transport, self.go_on)
        self.opened()
        timeout_ms = self.settings.sign_in_timeout_ms
        if timeout_ms is not None and not self.local:
            self._sign_in = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._sign_in_timeout)

    def _sign_in_timeout(self) -> None:
        if not self.user_id:
            self.close("sign_in_timeout", "nobody signed in; connect again when you want to")

    def get_buffer(self, sizehint: int) -> memoryview:
        return _read_buffer if self.user_id else _read_buffer[:STRANGER_LINE_BYTES_MAX]

    def buffer_updated(self, nbytes: int) -> None:
        if self.closing:
            return
        try:
            # What comes behind a sign-in may be as long as a line of a user.
            may_enter = self.user_id or self.is_busy() or self._lines.has_line()
            if self._lines.feed(_read_buffer[:nbytes], None if may_enter else STRANGER_LINE_BYTES_MAX):
                self.lines_came()
        except UnendedLine:
            self.close("line_too_long", "1 MiB came without a line end")
        self._throttle()

    def eof_received(self) -> bool:
        self._eof = self._in_order = True
        self.lines_came()
        return not self.closing

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()
        self.go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """The one place where a connection ends."""
        self.closing = True
        if self._command_wait is not None:
            self.charge(-1.0)
        for timer in (self._abort, self._command_wait, self._taken, self._sign_in):
            if timer is not None:
                timer.cancel()
        self.ended()

    # ---- lines in

    def take_line(self, line_bytes_max: int) -> bytes | None:
        """The next line that is not empty; None if none waits or the rate of commands leaves no room for one yet.

        Raises Refusal `line_too_long` in place of one that is.
        """
        return self._lines.take(line_bytes_max) if self._lines.has_line() and self._allowed() else None

    def _allowed(self) -> bool:
        """Take one command off what the rates allow. Over them nothing is refused: the line waits for its turn."""
        if self._command_wait is not None:
            return False
        if self._has_waited:
            self._has_waited = False
            return True
        now = self._clock.monotonic()
        wait = max((each.reserve(now) for each in self._all_buckets(now)), default=0.0)
        if wait <= 0:
            return True
        self._command_wait = asyncio.get_running_loop().call_later(wait, self._has_its_turn)
        return False

    def _all_buckets(self, now: float) -> list[Allowance]:
        if not self.user_id:
            return self._buckets
        return self._buckets + self._allowances.of_user(self.user_id, now)

    def discount(self, chunk_bytes: int) -> None:
        """Chunks of files are paced by their answers: the more one carries, the less it takes off the rates."""
        self.charge(-min(1.0, chunk_bytes / FREE_CHUNK_BYTES))

    def charge(self, commands: float) -> None:
        """What was done cost the others as much as so many more commands: the next ones wait for longer, or shorter."""
        for each in self._all_buckets(self._clock.monotonic()):
            each.give_back(-commands)

    def _has_its_turn(self) -> None:
        self._command_wait = None
        self._has_waited = True
        self.go_on()

    def _throttle(self) -> None:
        """Read no more than can be executed soon."""
        if self.closing or self._eof or self._stopping:
            return
        # An unfinished line has its own bound, and is waited for; behind a sign-in its bound is not known yet.
        stranger = not self.user_id
        held_up = self._lines.has_line() or (stranger and self.is_busy())
        if held_up and self._lines.pending_bytes >= (STRANGER_LINE_BYTES_MAX if stranger else WAITING_BYTES_MAX):
            if self.transport.is_reading():
                self.transport.pause_reading()
        elif not self.transport.is_reading():
            self.transport.resume_reading()

    def stop_reading(self) -> None:
        """The server stops: what was not taken yet is not taken any more."""
        self._stopping = True
        if not self.closing and not self._eof and self.transport.is_reading():
            self.transport.pause_reading()

    # ---- bytes out

    def say(self, event: Event) -> None:
        self.outbox.write(render(event, self.outbox.format, self.hub.now()))

    def unsent_bytes(self) -> int:
        """What was written but is not at the other side yet: in the transport, and in the kernel."""
        sock = self.transport.get_extra_info("socket")
        return self.transport.get_write_buffer_size() + _queued(sock, termios.TIOCOUTQ)

    def all_taken(self) -> bool:
        """Whether everything that was written is known to be at the other side."""
        sock = self.transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0 or self.unsent_bytes():
            return False
        # A connection that was reset has nothing unsent either.
        return _is_open(sock)

    def is_there(self) -> bool:
        """Whether anybody may still be at the other side.

        The kernel knows of a reset that asyncio does not see any more once the end of what comes was read.
        """
        return not self.closing and _is_open(self.transport.get_extra_info("socket"))

    def may_have_left(self) -> bool:
        """Whether the other side said that nothing more comes: a script that waits, or somebody who has gone."""
        return self._eof

    def unsent_bytes_if_stuck(self) -> int:
        """What a reader leaves lying who is behind; 0 for one who is not."""
        return self.unsent_bytes() if self.outbox.paused and not self.closing else 0

    # ---- the end

    def close(self, code: str, reason: str) -> None:
        """Say why, then hang up."""
        if not self.closing:
            self.say(Closing(reason, code))
            self.hang_up()

    def hang_up(self, *, in_order: bool = False) -> None:
        """End the connection once what was written has been taken, or after a while. `in_order`: see `taken`."""
        if self.closing:
            return
        self._in_order |= in_order
        self.hanging_up()
        self.closing = True
        self.outbox.close()
        if self._in_order:
            self._wait_until_taken(TAKEN_SECONDS_MAX)
        else:
            self._end()
        # A reader who takes nothing any more would keep the connection for ever.
        self._abort = asyncio.get_running_loop().call_later(self.settings.stall_ms / 1000, self.transport.abort)

    def _wait_until_taken(self, seconds: float) -> None:
        if self.all_taken():
            self.taken()
        elif seconds > 0:
            self._taken = asyncio.get_running_loop().call_later(
                TAKEN_SECONDS, self._wait_until_taken, seconds - TAKEN_SECONDS
            )
            return
        self._end()

    def _end(self) -> None:
        """Where something was sent that is not read any more the kernel would reset the connection, and what was
        written last might be lost: that is taken first, and thrown away.
        """
        if self._eof or not self._has_unread() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        if not self.transport.is_reading():
            self.transport.resume_reading()
        self._taken = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    def _has_unread(self) -> bool:
        return bool(_queued(self.transport.get_extra_info("socket"), termios.FIONREAD))


def _is_open(sock: socket.socket | None) -> bool:
    """Whether the kernel has the connection, and not as one that was reset or closed."""
    if sock is None or sock.fileno() < 0:
        return False
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in (_ESTABLISHED, _CLOSE_WAIT)


def _queued(sock: socket.socket | None, way: int) -> int:
    """Bytes that the kernel holds of a connection: `TIOCOUTQ` those to be sent, `FIONREAD` those to be read."""
    if sock is None or sock.fileno() < 0:
        return 0
    (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), way, b"\0\0\0\0"))
    return int(queued)
