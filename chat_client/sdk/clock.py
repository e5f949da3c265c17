"""The two clocks of the client: the time of day, and seconds that never go back.

Pauses, timers and rates go by `elapsed`. `now` is for what a person is shown; it may be set back at any time.
"""

import time


def elapsed() -> float:
    """Seconds since some moment in the past; never goes back, and counts on while the machine sleeps where the system
    tells that: a message typed before the lid was closed is old in the morning."""
    return time.clock_gettime(_SLEEPING) if _SLEEPING is not None else time.monotonic()


def now() -> float:
    """The time of day, in Unix seconds."""
    return time.time()


_SLEEPING: int | None = getattr(time, "CLOCK_BOOTTIME", None)
