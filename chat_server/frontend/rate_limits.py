"""Rate limits on commands: a token bucket for each connection, each user and each address.

Nothing is refused. A command over the rate waits behind those that began to wait earlier, so that 500 connections of
one user together get no more done than four would.
"""

from collections.abc import Hashable

from chat_server.setting_kinds import Rate

# All connections of one user, or of one remote address, together may do so many times as much as one connection.
USER_FACTOR = 4
ADDRESS_FACTOR = 16
# Beyond so many buckets, those that are full again are forgotten.
KEPT_MAX = 10_000


class Allowance:
    """A bucket that gets `per_second`, up to `burst`. Times are monotonic seconds."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = self._left = burst
        self._at = now

    def reserve(self, now: float) -> float:
        """Take one; return the seconds to wait before it may be used. Earlier reservations come first."""
        self._refill(now)
        self._left -= 1
        return max(0.0, -self._left / self._per_second)

    def give_back(self, share: float = 1.0) -> None:
        """Give back an unused reservation, or a part of one."""
        self._left = min(self._burst, self._left + share)

    def is_full(self, now: float) -> bool:
        self._refill(now)
        return self._left >= self._burst

    def _refill(self, now: float) -> None:
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now


class Allowances:
    """The buckets of all connections, by the settings `command-rate` and `command-burst`; none without a rate."""

    def __init__(self, rate: Rate | None, burst: int) -> None:
        # Commands a second; None without a rate. All buckets of connections share these two numbers.
        self._per_second = None if rate is None else rate.count * 1000 / rate.window_ms
        self._burst = float(burst)
        self._shared: dict[Hashable, Allowance] = {}
        self._sweep_past = KEPT_MAX

    def of_connection(self, now: float) -> list[Allowance]:
        return [] if self._per_second is None else [Allowance(self._per_second, self._burst, now)]

    def of_user(self, user_id: int, now: float) -> list[Allowance]:
        return self._of(user_id, USER_FACTOR, now)

    def of_network(self, network: str, now: float) -> list[Allowance]:
        return self._of(network, ADDRESS_FACTOR, now)

    def _of(self, key: Hashable, factor: int, now: float) -> list[Allowance]:
        """A shared bucket outlives its connections, so that coming back does not fill it."""
        if self._per_second is None:
            return []
        found = self._shared.get(key)
        if found is None:
            if len(self._shared) >= self._sweep_past:
                self._shared = {key: each for key, each in self._shared.items() if not each.is_full(now)}
                self._sweep_past = max(KEPT_MAX, 2 * len(self._shared))
            found = self._shared[key] = Allowance(self._per_second * factor, self._burst * factor, now)
        return [found]


class CommandRate:
    """The rates that bind one connection: its own, that of its address, and that of its user once it has one."""

    __slots__ = ("_allowances", "_own")

    def __init__(self, allowances: Allowances, network: str | None, now: float) -> None:
        """`network` is what the address counts as, None for this machine, whose connections count alone."""
        self._allowances = allowances
        self._own = allowances.of_connection(now)
        if network is not None:
            self._own += allowances.of_network(network, now)

    def reserve(self, user_id: int, now: float) -> float:
        """Take one command off all of them; return how many seconds to wait before it may be executed."""
        if not self._own:
            # Without a rate there are no buckets at all.
            return 0.0
        seconds = 0.0
        for each in self._all(user_id, now):
            seconds = max(seconds, each.reserve(now))
        return seconds

    def charge(self, user_id: int, commands: float, now: float) -> None:
        """Take so many commands off; a negative number gives them back."""
        for each in self._all(user_id, now):
            each.give_back(-commands)

    def _all(self, user_id: int, now: float) -> list[Allowance]:
        return self._own + self._allowances.of_user(user_id, now) if user_id and self._own else self._own
