"""Overload: how long commands wait, and what is put off or refused then, in which order.

A level begins when commands have waited for its time throughout `BEGINS_SECONDS`, and ends when they have waited for
less than half of it throughout `ENDS_SECONDS`: the server sheds what people miss least, and goes back step by step. It
is measured twice a second, not for each command. Nothing that was acknowledged is ever taken back. Operators, and those
who connect from this machine, are refused nothing, so that somebody can look and act.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chat_server.errors import Refusal

BEGINS_SECONDS, ENDS_SECONDS = 2.0, 5.0


class Level(NamedTuple):
    """`wait` is the wait from which on it begins, in seconds; `words` say what is shed, beside that of those before."""

    wait: float
    words: str


# The first is that of a server that is not overloaded.
LEVELS: tuple[Level, ...] = (
    Level(0.0, "nothing is put off or refused"),
    Level(0.5, "who types, comes and goes is not told"),
    Level(1.0, "history, searches and files are refused"),
    Level(2.5, "sign-ins of strangers are refused"),
    Level(10.0, "new messages are refused"),
)
SIGNALS, READINGS, STRANGERS, MESSAGES = range(1, len(LEVELS))


class _Gauge:
    """Which of some levels holds, each of which begins at a wait of its own. Times are monotonic seconds."""

    def __init__(self, waits: Sequence[float]) -> None:
        self.level = 0
        self._waits = waits
        # Since when the wait has been that of each level, without a break, and below half of that of the present one.
        self._above: list[float | None] = [None] * len(waits)
        self._below: float | None = None

    def note(self, waited: float, now: float) -> None:
        for level in range(1, len(self._waits)):
            if waited < self._waits[level]:
                self._above[level] = None
                continue
            since = self._above[level]
            if since is None:
                self._above[level] = now
            elif now - since >= BEGINS_SECONDS:
                self.level = max(self.level, level)
        self._go_back(waited, now)

    def _go_back(self, waited: float, now: float) -> None:
        if not self.level or waited >= self._waits[self.level] / 2:
            self._below = None
        elif self._below is None:
            self._below = now
        elif now - self._below >= ENDS_SECONDS:
            self.level -= 1
            self._below = None


class Overload:
    """What an overloaded server sheds now.

    A batch that is stuck on its way to the disk sheds what would have to be stored, and nothing else: reading goes on
    beside a disk that takes nothing.
    """

    def __init__(self) -> None:
        self._waiting = _Gauge([level.wait for level in LEVELS])
        self._stuck = _Gauge([0.0, LEVELS[MESSAGES].wait])

    @property
    def level(self) -> int:
        return MESSAGES if self._stuck.level else self._waiting.level

    def is_shed(self, level: int) -> bool:
        """Tell whether what this level sheds is shed now."""
        return self._waiting.level >= level or (level >= STRANGERS and self._stuck.level > 0)

    def note(self, wait: float, stuck: float, now: float) -> bool:
        """Take note of how long commands wait now; tell whether anything has changed.

        `stuck` is for how long one batch has been on its way to the disk.
        """
        before = (self._waiting.level, self._stuck.level)
        self._waiting.note(wait, now)
        self._stuck.note(stuck, now)
        return (self._waiting.level, self._stuck.level) != before

    def refusal_of(self, level: int) -> Refusal:
        """Build the refusal of what this level sheds."""
        messages = "no new messages are taken" if self.is_shed(MESSAGES) else "messages go on"
        what, again = {
            READINGS: (f"history, searches and files have to wait, and {messages}", "10 s"),
            STRANGERS: (
                "only those are let in who have a token, or come from a network that they used before",
                "a minute",
            ),
            MESSAGES: ("no new messages are taken", "10 s"),
        }[level]
        return Refusal("busy", f"the server has more to do than it can: {what}; try again in {again}")
