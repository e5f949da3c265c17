"""The schedule: when the node itself logs what is due, and the use of connected tokens.

What is due concerns all nodes, and one of them has to log it: each waits a little longer than the one before it in
rank, and logs only what is still due then. If two do, the second finds nothing left to do. Each node logs the use of
tokens for its own connections, and takes files off its own disk.
"""

from collections.abc import Callable

from chat_server.chat_time import ChatTime
from chat_server.log.entries import Due, Limits, Logged, UseTokens
from chat_server.protocol.times import Now
from chat_server.runtime import Runtime, Timer

# A timer sleeps no longer: what is set for a time of day is due as soon as the wall clock is set to that time.
TIMER_SECONDS_MAX = 0.5
# What has expired is removed at least this often.
TIDY_MS = 3_600_000
TOKENS_AT_ONCE = 500
# What is still due after a `Due` was more than one batch takes, or fails: it is not retried at full speed. The others
# have the log for so many times as long as the `Due` took, so that it takes about a fifth of the disk's time, but
# for less than RANK_MS, after which the next node in rank would log one.
OVERDUE_MS = 10
REST_FACTOR, REST_MS_MAX = 4, 150
RANK_MS = 200
# A `Due` that was not executed within this time was lost on its way, and is logged again.
LOST_MS = 30_000


class Schedule:
    def __init__(
        self,
        runtime: Runtime,
        time: ChatTime,
        submit: Callable[[Logged], None],
        *,
        rank: Callable[[], int],
        quiet_ms: int | None,
        tokens: Callable[[], list[bytes]],
        limits: Callable[[], Limits],
    ) -> None:
        """`rank` is the node's place among the living ones, from 0; `tokens` are those of the connections.

        Without any batch for `quiet_ms` a `Due` is logged all the same.
        """
        self._runtime = runtime
        self._time = time
        self._submit = submit
        self._rank = rank
        self._quiet_ms = quiet_ms
        self._tokens = tokens
        self._limits = limits
        self._timer: Timer | None = None
        self._due_ms: int | None = None
        self._due_at_ms: int | None = None
        # All in elapsed time. No `Due` is logged before `_held_ms`.
        self._batch_ms = self._used_ms = self._held_ms = time.now().elapsed_ms
        self._tidy_ms = self._batch_ms + TIDY_MS
        self._steps = time.steps
        # When this node logged the `Due` that it waits for.
        self._logged_ms: int | None = None

    def arm(self, due_ms: int | None, due_at_ms: int | None, *, done: bool) -> None:
        """Wait for what is due next by either of the two times, at the latest for the next tidying up.

        MUST be called after each batch; `done` says whether it did what was due at its time.
        """
        if self._timer is not None and not done and (due_ms, due_at_ms) == (self._due_ms, self._due_at_ms):
            # After most batches nothing else is due than before, and a timer that rings too early looks again.
            if self._quiet_ms is not None:
                self._batch_ms = self._time.now().elapsed_ms
            return
        self.stop()
        self._due_ms, self._due_at_ms = due_ms, due_at_ms
        self._batch_ms = self._time.now().elapsed_ms
        if done:
            self._tidy_ms = self._batch_ms + TIDY_MS
            took_ms = 0 if self._logged_ms is None else self._batch_ms - self._logged_ms
            rest_ms = max(OVERDUE_MS, min(REST_FACTOR * took_ms, REST_MS_MAX))
            self._held_ms, self._logged_ms = self._batch_ms + rest_ms + self._rank() * RANK_MS, None
        self._wait()

    def _wait(self) -> None:
        now = self._time.now()
        wait_ms = min(self._due_wait_ms(now), self._use_wait_ms(now))
        self._timer = self._runtime.call_later(min(max(wait_ms, 0) / 1000, TIMER_SECONDS_MAX), self._ring)

    def _due_wait_ms(self, now: Now) -> int:
        """Return for how long no `Due` has to be logged; 0 or less if one has to be now."""
        ends_ms = [self._tidy_ms]
        if self._due_ms is not None:
            ends_ms.append(self._due_ms)
        if self._quiet_ms is not None:
            ends_ms.append(self._batch_ms + self._quiet_ms)
        wait_ms = min(ends_ms) - now.elapsed_ms
        if self._due_at_ms is not None:
            wait_ms = min(wait_ms, self._due_at_ms - now.at_ms)
        return max(wait_ms + self._rank() * RANK_MS, self._held_ms - now.elapsed_ms)

    def _use_wait_ms(self, now: Now) -> int:
        # Well before the end of a token that is in use all the time.
        every_ms = min(TIDY_MS, self._limits().token_ttl_ms // 2)
        return self._used_ms + every_ms - now.elapsed_ms

    def _ring(self) -> None:
        now = self._time.now()
        if self._use_wait_ms(now) <= 0:
            self._use_tokens(now)
        # If the clock was set, both times are stored at once: over a stop the wall clock's difference counts.
        if self._due_wait_ms(now) <= 0 or self._steps != self._time.steps:
            self._steps = self._time.steps
            self._held_ms, self._logged_ms = now.elapsed_ms + LOST_MS, now.elapsed_ms
            self._submit(Due())
        self._wait()

    def _use_tokens(self, now: Now) -> None:
        """Log the use of the connections' tokens: a token ends some time after its last use."""
        self._used_ms = now.elapsed_ms
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
            self._timer = None
