"""A connection in memory: the server's transport at one end, a user at the other, and chance in between."""

from collections.abc import Callable

from chat_server.frontend.transport import Handler, Transport
from tests.fake_runtime import FakeRuntime

# What the kernel takes of what is written, before the transport has to keep the rest.
KERNEL_BYTES = 1024
DELAY_SECONDS_MAX = 0.02
TAKEN_SECONDS, TAKEN_SECONDS_MAX = 0.01, 1.0


class MemoryConnection:
    """Bytes arrive in pieces that the seed cuts, after delays that it draws. A user who naps takes nothing."""

    def __init__(
        self,
        machine: FakeRuntime,
        unsent_bytes_max: int,
        take_bytes_max: int,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
        descriptor: int = -1,
    ) -> None:
        """`received` and `ended` are the user's; `take_bytes_max` is how much the user takes at once.

        With a descriptor the server may write to the connection past its transport (see `write_now`).
        """
        self._machine = machine
        self._random = machine.random
        self._unsent_bytes_max = unsent_bytes_max
        self._take_bytes_max = take_bytes_max
        self._received = received
        self._ended: Callable[[], None] | None = ended
        self._handler: Handler | None = None
        self._descriptor = descriptor
        self._to_server = bytearray()
        self._to_user = bytearray()
        self._is_reading = True
        self._is_blocked = False
        self._is_ending = False  # the server takes nothing more
        self._is_closing = False  # and ends the connection once the user has taken everything
        self._is_lost = False
        self._has_finished = False  # the user sends nothing more
        self._eof_was_told = False
        self._read_is_due = self._take_is_due = False
        self._naps_until = 0.0

    def open(self, open: Callable[[Transport], Handler]) -> None:
        self._handler = open(self)

    def _later(self, function: Callable[[], None]) -> None:
        self._machine.call_later(self._random.uniform(0, DELAY_SECONDS_MAX), function)

    # ---- the user's end

    def send(self, data: bytes) -> None:
        self._to_server += data
        self._read_soon()

    def finish(self) -> None:
        """Nothing more will be sent; the user still reads."""
        self._has_finished = True
        self._read_soon()

    def reset(self) -> None:
        """The user's machine is gone; what is under way may be lost or may still arrive."""
        self._has_finished = True
        self._naps_until = float("inf")
        del self._to_server[self._random.randint(0, len(self._to_server)) :]
        self._later(self._lose)
        self._tell_end()

    def nap(self, seconds: float) -> None:
        self._naps_until = max(self._naps_until, self._machine.monotonic() + seconds)
        self._machine.call_later(seconds, self._take_soon)

    # ---- on the way

    def _read_soon(self) -> None:
        if not self._read_is_due and (self._to_server or self._has_finished):
            self._read_is_due = True
            self._later(self._read)

    def _read(self) -> None:
        self._read_is_due = False
        if self._handler is None or self._is_lost or not self._is_reading or self._eof_was_told:
            return
        if self._to_server:
            most = min(len(self._to_server), self._handler.read_bytes_max)
            size = most if self._random.random() < 0.5 else self._random.randint(1, most)
            piece = bytes(self._to_server[:size])
            del self._to_server[:size]
            if not self._is_ending:
                self._handler.receive(memoryview(piece))
        elif self._has_finished:
            self._eof_was_told = True
            self._handler.eof()
        self._read_soon()

    def _take_soon(self) -> None:
        if not self._take_is_due and (self._to_user or self._is_closing):
            self._take_is_due = True
            self._later(self._take)

    def _take(self) -> None:
        self._take_is_due = False
        if self._is_lost or self._machine.monotonic() < self._naps_until:
            return
        if self._to_user:
            size = self._random.randint(1, min(len(self._to_user), self._take_bytes_max))
            piece = bytes(self._to_user[:size])
            del self._to_user[:size]
            self._received(piece)
        if self._is_blocked and self.waiting_bytes() <= self._unsent_bytes_max // 4:
            self._is_blocked = False
            if self._handler is not None:
                self._handler.writable()
        if self._is_closing and not self._to_user:
            self._lose()
        self._take_soon()

    def _lose(self) -> None:
        if self._is_lost:
            return
        self._is_lost = self._is_ending = True
        self._to_user.clear()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.lost()
        self._tell_end()

    def _tell_end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    def sever(self) -> None:
        """The server is no more. What the kernel has of what it wrote may still arrive."""
        self._handler = None
        self._is_ending = self._is_closing = True
        del self._to_user[self._random.randint(0, min(len(self._to_user), KERNEL_BYTES)) :]
        self._take_soon()

    # ---- the server's end: see `Transport`

    def write(self, data: bytes) -> None:
        if self._is_lost or self._is_closing:
            return
        self._to_user += data
        if self.waiting_bytes() > self._unsent_bytes_max and not self._is_blocked:
            self._is_blocked = True
            assert self._handler is not None
            self._handler.blocked()
        self._take_soon()

    def find_descriptor(self) -> int:
        return -1 if self._is_ending or self.waiting_bytes() else self._descriptor

    def write_now(self, data: bytes) -> int:
        """The kernel takes as much as it has room for, or less."""
        assert not self._is_lost, "the descriptor may be another connection's by now"
        assert not self.waiting_bytes(), "what waits would come later"
        room = min(len(data), KERNEL_BYTES - len(self._to_user))
        if self._random.random() < 0.2:
            room = self._random.randint(0, room)
        if room <= 0:
            raise BlockingIOError
        self._to_user += data[:room]
        self._take_soon()
        return room

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._read_soon()

    def waiting_bytes(self) -> int:
        return max(0, len(self._to_user) - KERNEL_BYTES)

    def unsent_bytes(self) -> int:
        return len(self._to_user)

    def is_all_taken(self) -> bool:
        return not self._to_user and not self._is_lost and self._naps_until != float("inf")

    def is_there(self) -> bool:
        return not self._is_ending

    def hang_up(self, stall_seconds: float, taken: Callable[[], None] | None = None) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        if taken is None:
            self._close()
        else:
            self._wait_until_taken(taken, TAKEN_SECONDS_MAX)
        self._machine.call_later(stall_seconds, self._lose)

    def _wait_until_taken(self, taken: Callable[[], None], seconds: float) -> None:
        if self._handler is None:
            return
        if self.is_all_taken():
            taken()
        elif seconds > 0:
            self._machine.call_later(TAKEN_SECONDS, self._wait_until_taken, taken, seconds - TAKEN_SECONDS)
            return
        self._close()

    def _close(self) -> None:
        self._is_closing = True
        self._take_soon()

    def abort(self) -> None:
        if not self._is_lost:
            self._machine.call_soon(self._lose)
