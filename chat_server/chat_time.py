"""The two times of a chat: the wall clock, and how long the chat has lived.

`at_ms` is the wall clock, whole milliseconds since 1970 in UTC. It is shown, stored with messages, and compared only
with times that people named; it may go back. `elapsed_ms` is how long the chat has lived. Every limit, ban, delay, life
and wait is stored and compared in it, so that no step of the wall clock stretches or shortens one.
"""

import logging
from typing import Protocol

from chat_server.protocol.times import BEGINNING_MS, Now
from chat_server.runtime import Clock, Mutex

log = logging.getLogger("chat.clock")

# The wall clock was set if it differs by more than this from what the monotonic clock leads to expect. NTP slews both
# alike; a smaller difference is the time that passes between reading the one and reading the other.
STEP_MS_MIN = 100
_READINGS = 5
# Smaller steps are followed without a word.
_LOGGED_MS_MIN = 1000


class ChatTime(Protocol):
    """The two times of a chat while a process runs it. Any thread may ask for them.

    `steps` counts how often the wall clock was set; then both times have to be stored at once.
    """

    @property
    def steps(self) -> int: ...

    def now(self) -> Now: ...


class LocalTime:
    """The times of a single server, by its own clocks.

    `elapsed_ms` of a new chat is the wall clock's time, so that 0 means never. While the process runs, it grows with
    the monotonic clock. Over the stop before, it grew by the difference of the wall clock, at least by 0; a stop during
    which the clock was set cannot be told from one of another length.
    """

    def __init__(self, clock: Clock, *, at_ms: int, elapsed_ms: int) -> None:
        """The times are those of the last batch that the store has executed; 0 for a new chat."""
        self._clock = clock
        self._lock = Mutex()
        self._begun = clock.monotonic()
        now_ms = clock.now_ms()
        self._start_ms = max(elapsed_ms + max(0, now_ms - at_ms), BEGINNING_MS)
        # The wall clock minus how long the chat has lived. It changes only when the clock is set.
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
        """Follow a step of the wall clock, if there was one.

        The quickest of some readings counts: a thread that is held up between the two clocks sees a difference, too.
        """
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


class ClusterTime:
    """The times of a cluster, as one of its nodes knows them: those of the last batch, and what has passed since.

    The node's own wall clock is not asked: all nodes show the same time, and one that is wrong misleads nobody.
    """

    steps = 0

    def __init__(self, clock: Clock, *, at_ms: int, elapsed_ms: int) -> None:
        """The times are those of the last batch that the store has executed; 0 for a new chat."""
        self._clock = clock
        self.follow(Now(at_ms, elapsed_ms))

    def follow(self, now: Now) -> None:
        """A batch with these times was executed."""
        # One value, since other threads read it.
        self._last = now, self._clock.monotonic()

    def now(self) -> Now:
        (at_ms, elapsed_ms), since = self._last
        passed_ms = round((self._clock.monotonic() - since) * 1000)
        return Now(at_ms + passed_ms, elapsed_ms + passed_ms)


def _length(ms: int) -> str:
    seconds = ms / 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if round(seconds / length, 1) >= 1:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
