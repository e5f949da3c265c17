"""Stand-ins for what a test must hold in its hand: the time, and the peer at the other end of a connection."""

import asyncio
from collections.abc import Callable

# 2026-11-21T12:00:00Z
NOON_MS = 1_795_262_400_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class FakeClock:
    """A clock that stands still until it is told to go on, or until somebody sets it."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.monotonic_ns = 0
        self._wall_ns = now_ms * 1_000_000

    def now_ms(self) -> int:
        return self._wall_ns // 1_000_000

    def monotonic(self) -> float:
        return self.monotonic_ns / 1e9

    def advance(self, ms: float) -> None:
        """Time passes."""
        self._wall_ns += round(ms * 1_000_000)
        self.monotonic_ns += round(ms * 1_000_000)

    def step(self, ms: int) -> None:
        """The wall clock alone is set forward, or back."""
        self._wall_ns += ms * 1_000_000


class FakeTransport(asyncio.Transport):
    """A connection whose peer takes bytes only when it is told to: `stuck` holds them back, as a slow reader does.

    Past `high` bytes it calls `on_pause`, and once they are taken `on_resume`, as asyncio's own transports do.
    """

    def __init__(self, high: int = 1 << 62) -> None:
        super().__init__()
        self.high = high
        self.stuck = False
        self.taken = b""
        self.waiting = b""
        self.most_waiting = 0
        self.writes = self.writes_now = 0
        self.fits: int | None = None
        self.stuck_after = False  # what is written through the transport waits
        self.is_reset = False
        self.aborted = False
        self.paused = False
        self.on_pause: Callable[[], None] = lambda: None
        self.on_resume: Callable[[], None] = lambda: None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        if not (self.stuck or self.stuck_after):
            self.taken += bytes(data)
            return
        self.waiting += bytes(data)
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        if len(self.waiting) > self.high and not self.paused:
            self.paused = True
            self.on_pause()

    def write_now(self, data: bytes) -> int:
        """What is written past the transport: the kernel takes `fits` bytes of it, or all."""
        assert not self.waiting, "what waits would come later"
        if self.is_reset:
            raise ConnectionResetError
        if self.stuck or self.fits == 0:
            raise BlockingIOError
        data = data[: self.fits]
        self.writes_now += 1
        self.taken += data
        return len(data)

    def take(self, size: int | None = None) -> None:
        """The peer takes so many bytes (all of them)."""
        size = len(self.waiting) if size is None else size
        self.taken, self.waiting = self.taken + self.waiting[:size], self.waiting[size:]
        if self.paused and len(self.waiting) <= self.high // 4:
            self.paused = False
            self.on_resume()

    def abort(self) -> None:
        self.aborted = True

    @property
    def lines(self) -> list[str]:
        return self.taken.decode().splitlines()
