"""The only source of time. Everything above it is handed a `Clock`, so that a test can hand it a false one.

Wall-clock times are whole milliseconds since 1970 in UTC (`…_ms`); durations of actions are monotonic seconds.
"""

import time
from typing import Protocol


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
