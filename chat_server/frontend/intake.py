"""The lines of one connection that wait: bounded, and taken at the rate of commands."""

from chat_server.frontend.rate_limits import CommandRate
from chat_server.protocol.lines import LineBuffer

# What may wait to be executed, past which nothing more is read.
WAITING_BYTES_MAX = 65_536
# Of a line before signing in. Then no more than this is read at once, nor kept, nor waits behind a sign-in.
STRANGER_LINE_BYTES_MAX = 4096


class Intake:
    """`turn_at` is when the next line has its turn by the rate of commands; None while no line waits for that."""

    def __init__(self, line_bytes_max: int, rate: CommandRate) -> None:
        self.turn_at: float | None = None
        self._line_bytes_max = line_bytes_max
        self._stranger_line_bytes_max = min(line_bytes_max, STRANGER_LINE_BYTES_MAX)
        self._lines = LineBuffer(line_bytes_max)
        self._rate = rate

    def feed(self, data: bytes | memoryview, *, stranger: bool) -> bool:
        """Take in what was read; return whether a line ended with it. Raises UnendedLine."""
        return self._lines.feed(data, self._stranger_line_bytes_max if stranger else None)

    def has_line(self) -> bool:
        return self._lines.has_line()

    def take(self, user_id: int, now: float) -> bytes | None:
        """The next line; None if there is none, or not yet by the rate of commands, which refuses nothing.

        Raises Refusal `line_too_long` in place of a line that is too long.
        """
        if not self._lines.has_line() or not self._has_turn(user_id, now):
            return None
        return self._lines.take(self._line_bytes_max if user_id else self._stranger_line_bytes_max)

    def _has_turn(self, user_id: int, now: float) -> bool:
        if self.turn_at is None:
            wait = self._rate.reserve(user_id, now)
            if wait <= 0:
                return True
            self.turn_at = now + wait
        if now < self.turn_at:
            return False
        self.turn_at = None
        return True

    def is_full(self, *, stranger: bool, busy: bool) -> bool:
        """Whether enough waits, so that nothing more is to be read."""
        # An unfinished line has its own bound, and is waited for; behind a sign-in its bound is not known yet.
        held_up = self._lines.has_line() or (stranger and busy)
        return held_up and self._lines.pending_bytes >= (STRANGER_LINE_BYTES_MAX if stranger else WAITING_BYTES_MAX)

    def charge(self, user_id: int, commands: float, now: float) -> None:
        """What was done cost the others as much as so many more commands: the next ones wait for longer, or shorter."""
        self._rate.charge(user_id, commands, now)

    def close(self, user_id: int, now: float) -> None:
        """A line that waits for its turn does not need it any more."""
        if self.turn_at is not None:
            self.turn_at = None
            self._rate.charge(user_id, -1.0, now)
