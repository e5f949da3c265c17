"""The lines of one connection that wait: bounded, and taken at the rate of commands."""

from chat_server.frontend.rate_limits import CommandRate
from chat_server.protocol.lines import LineBuffer

# So many bytes may wait to be executed; beyond them nothing more is read.
WAITING_BYTES_MAX = 65_536
# The bound of a line before signing in. Until then no more is read at once, kept, or left waiting behind a sign-in.
STRANGER_LINE_BYTES_MAX = 4096


class Intake:
    """`turn_at` is the time at which the rate of commands lets the next line pass; None while none waits for that.

    `is_browser` tells whether a line from before a sign-in is how a web browser begins.
    """

    __slots__ = ("_line_bytes_max", "_rate", "_stranger_line_bytes_max", "is_browser", "lines", "turn_at")

    def __init__(self, line_bytes_max: int, rate: CommandRate) -> None:
        self.turn_at: float | None = None
        self.is_browser = False
        self._line_bytes_max = line_bytes_max
        self._stranger_line_bytes_max = min(line_bytes_max, STRANGER_LINE_BYTES_MAX)
        self.lines = LineBuffer(line_bytes_max)
        self._rate = rate

    def feed(self, data: bytes | memoryview, *, stranger: bool) -> bool:
        """Take in what was read; tell whether it ended a line. Raises UnendedLine."""
        return self.lines.feed(data, self._stranger_line_bytes_max if stranger else None)

    def has_line(self) -> bool:
        return self.lines.has_line()

    def take(self, user_id: int, now: float) -> bytes | None:
        """Return the next line; None if there is none, or the rate of commands delays it.

        Raises Refusal `line_too_long` in place of a line that is too long.
        """
        if not self.lines.has_line() or not self._has_turn(user_id, now):
            return None
        if user_id:
            return self.lines.take(self._line_bytes_max)
        self.is_browser = self.is_browser or self.lines.begins_like_browser(self._stranger_line_bytes_max)
        return self.lines.take(self._stranger_line_bytes_max)

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
        """Tell whether so much waits that nothing more should be read."""
        # An unfinished line has a bound of its own, so reading goes on; behind a sign-in its bound is not known yet.
        held_up = self.lines.has_line() or (stranger and busy)
        return held_up and self.lines.pending_bytes >= (STRANGER_LINE_BYTES_MAX if stranger else WAITING_BYTES_MAX)

    def charge(self, user_id: int, commands: float, now: float) -> None:
        """Count what was done as so many more commands, so that the next ones wait longer, or shorter if negative."""
        self._rate.charge(user_id, commands, now)

    def close(self, user_id: int, now: float) -> None:
        """Give back the turn of a line that waits for it."""
        if self.turn_at is not None:
            self.turn_at = None
            self._rate.charge(user_id, -1.0, now)
