"""Backoff: growing pauses between tries, drawn at random so that clients do not return together."""

from collections.abc import Callable

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 1.0, 60.0


class Backoff:
    """Each pause is drawn from the upper half of a span that doubles: 0.5 to 1 s, 1 to 2 s, ... 30 to 60 s."""

    def __init__(
        self,
        least: float = PAUSE_SECONDS_MIN,
        most: float = PAUSE_SECONDS_MAX,
    ) -> None:
        self._least, self._most = least, most
        self._span = least

    def fresh(self) -> "Backoff":
        """A backoff of the same lengths, for another purpose."""
        return Backoff(self._least, self._most)

    def next_pause(self, draw: Callable[[float, float], float]) -> float:
        """`draw` draws a number between two others."""
        span, self._span = self._span, min(self._span * 2, self._most)
        return draw(span / 2, span)

    def reset(self) -> None:
        """It worked: begin anew."""
        self._span = self._least
