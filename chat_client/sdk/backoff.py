"""How long to wait before the next try: longer each time, and never all clients at once."""

import random

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 1.0, 60.0


class Pauses:
    """Each pause is drawn from the upper half of a span that doubles: 0.5 to 1 s, 1 to 2 s, ... 30 to 60 s."""

    def __init__(
        self,
        least: float = PAUSE_SECONDS_MIN,
        most: float = PAUSE_SECONDS_MAX,
        chance: random.Random | None = None,
    ) -> None:
        self._least, self._most = least, most
        self._chance = chance or random.Random()
        self._span = least

    def fresh(self) -> "Pauses":
        """The same for something else."""
        return Pauses(self._least, self._most, self._chance)

    def next(self) -> float:
        span, self._span = self._span, min(self._span * 2, self._most)
        return self._chance.uniform(span / 2, span)

    def over(self) -> None:
        """It worked: begin anew."""
        self._span = self._least
