"""The only source of time. Everything above it is handed a `Clock`, so that a test can hand it a false one.

Wall-clock times are whole milliseconds since 1970 in UTC (`at_ms`); durations of actions are monotonic seconds.

A chat has two times, which `ChatTime` tells together. `at_ms` is the wall clock: it is shown, stored with messages, and
compared only with times that people named; it may go back. `elapsed_ms` is how long the chat has lived: every limit,
ban, delay, life and wait is stored and compared in it, so that no step of the wall clock stretches or shortens one.
"""

import logging
import threading
import time
from typing import NamedTuple, Protocol

log = logging.getLogger("chat.clock")

# The wall clock has been set when it differs from what the monotonic clock leads to expect by more than this. NTP slews
# both alike; less than this is the time that passes between reading the one and the other.
STEP_MS_MIN = 100
_READINGS = 5
# Smaller ones follow the wall clock without a word.
_LOGGED_MS_MIN = 1000
# Where a chat begins at the least: 0 means never, and lies longer ago than any duration, also where a machine without
# a battery begins in 1970.
_BEGINNING_MS = 10 * 365 * 86_400_000


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Now(NamedTuple):
    at_ms: int
    elapsed_ms: int

    def wall_ms(self, elapsed_ms: int) -> int:
        """When that is by the wall clock, as it goes now: how an end is shown."""
        return self.at_ms + elapsed_ms - self.elapsed_ms


class ChatTime:
    """The two times of a chat while a process runs on it. Any thread may ask.

    `elapsed_ms` begins with the wall clock's time at which the chat does, so that 0 means never. While the process runs
    it grows with the monotonic clock; over the stop before it grew by the wall clock's difference, at least 0. A stop
    during which the clock was set cannot be told from one of another length.
    """

    def __init__(self, clock: Clock, *, at_ms: int, elapsed_ms: int) -> None:
        """The times are those of the last batch that the store has executed, 0 for a new chat."""
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock.monotonic()
        now_ms = clock.now_ms()
        self._start_ms = max(elapsed_ms + max(0, now_ms - at_ms), _BEGINNING_MS)
        # The wall clock's time less how long the chat has lived: changes only when the clock is set.
        self._offset_ms = now_ms - self._start_ms
        self.steps = 0
        if now_ms <= at_ms - _LOGGED_MS_MIN:
            log.warning(
                "the clock is %s behind the last thing that was stored: it was set back, or was wrong then;"
                " limits, bans, delays and lives go on as if no time had passed since",
                _length(at_ms - now_ms),
            )

    def now(self) -> Now:
        elapsed_ms = self._elapsed_ms()
        if abs(self._clock.now_ms() - elapsed_ms - self._offset_ms) > STEP_MS_MIN:
            self._look_for_step()
        return Now(elapsed_ms + self._offset_ms, elapsed_ms)

    def _elapsed_ms(self) -> int:
        return self._start_ms + round((self._clock.monotonic() - self._begun) * 1000)

    def _look_for_step(self) -> None:
        """The quickest of some readings counts: who is held up between the two clocks sees a difference, too."""
        with self._lock:
            readings = []
            for _ in range(_READINGS):
                before_ms = self._elapsed_ms()
                offset_ms = self._clock.now_ms() - before_ms
                readings.append((self._elapsed_ms() - before_ms, offset_ms))
            took_ms, offset_ms = min(readings)
            step_ms = offset_ms - self._offset_ms
            if abs(step_ms) <= STEP_MS_MIN + took_ms:
                return
            self._offset_ms = offset_ms
            if abs(step_ms) < _LOGGED_MS_MIN:
                return
            self.steps += 1
        log.warning(
            "the clock was set %s by %s; limits, bans, delays and lives go on as if it had not been",
            "forward" if step_ms > 0 else "back",
            _length(abs(step_ms)),
        )


def _length(ms: int) -> str:
    seconds = ms / 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if round(seconds / length, 1) >= 1:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
