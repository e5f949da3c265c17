"""The schedule: when the node itself logs what is due, and the use of connected tokens."""

from collections.abc import Callable

from chat_server.chat_time import ChatTime
from chat_server.log.entries import Due, Logged, UseTokens
from chat_server.runtime import Runtime, Timer

# A timer sleeps at most so long: what is set for a time of day is due as soon as the wall clock is set to it.
TIMER_SECONDS_MAX = 0.5
# What has expired is removed at least this often.
TIDY_MS = 3_600_000
TOKENS_AT_ONCE = 500
OVERDUE_SECONDS = 0.01


class Schedule:
    def __init__(
        self,
        runtime: Runtime,
        time: ChatTime,
        submit: Callable[[Logged], None],
        *,
        tokens: Callable[[], list[bytes]],
        sweep: Callable[[], None],
        token_ttl_ms: int,
    ) -> None:
        """`tokens` are those of the connections; `sweep` takes files that nobody needs off the disk."""
        self._runtime = runtime
        self._time = time
        self._submit = submit
        self._tokens = tokens
        self._sweep = sweep
        self._timer: Timer | None = None
        self._tidy_ms = time.now().elapsed_ms + TIDY_MS
        # Well before the end of a token that is in use all the time.
        self._use_every_ms = min(TIDY_MS, token_ttl_ms // 2)
        self._use_ms = time.now().elapsed_ms + self._use_every_ms
        self._steps = time.steps

    def arm(self, due_ms: int | None, due_at_ms: int | None) -> None:
        """Wait for what is due next by either of the two times, at the latest for the next tidying up."""
        self.stop()
        wait_ms = self._wait_ms(due_ms, due_at_ms)
        # What is still due after a `Due` was more than one batch takes, or fails: do not retry at full speed.
        wait = min(wait_ms / 1000, TIMER_SECONDS_MAX) if wait_ms > 0 else OVERDUE_SECONDS
        self._timer = self._runtime.call_later(wait, self._ring, due_ms, due_at_ms)

    def _wait_ms(self, due_ms: int | None, due_at_ms: int | None) -> int:
        now = self._time.now()
        wait_ms = min(self._tidy_ms if due_ms is None else due_ms, self._tidy_ms, self._use_ms) - now.elapsed_ms
        return wait_ms if due_at_ms is None else min(wait_ms, due_at_ms - now.at_ms)

    def _ring(self, due_ms: int | None, due_at_ms: int | None) -> None:
        # If the clock was set, both times are stored at once: over a stop the wall clock's difference counts.
        if self._wait_ms(due_ms, due_at_ms) > 0 and self._steps == self._time.steps:
            self.arm(due_ms, due_at_ms)
            return
        self._steps = self._time.steps
        self._tidy_ms = self._time.now().elapsed_ms + TIDY_MS
        if self._time.now().elapsed_ms >= self._use_ms:
            self._use_tokens()
        self._submit(Due())
        self._sweep()

    def _use_tokens(self) -> None:
        """Log the use of the connections' tokens: a token ends some time after its last use."""
        self._use_ms = self._time.now().elapsed_ms + self._use_every_ms
        tokens = self._tokens()
        for start in range(0, len(tokens), TOKENS_AT_ONCE):
            self._submit(UseTokens(tokens[start : start + TOKENS_AT_ONCE]))

    def finish(self) -> None:
        """Prepare a stop: if the clock was set, have both times stored, since its difference counts over the stop."""
        self._time.now()
        if self._steps != self._time.steps:
            self._submit(Due())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
