"""Passwords: hashing and checking them on threads, users by turns, and tries for one account in order.

A password that nobody waits for any more is not hashed, and networks take turns. So 500 sign-ins from one network, or
of people who have left, keep nobody else waiting.

The hash is argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's first choice): about 20 ms on one core.
"""

import itertools
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, TypeVarTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from chat_server.chat_time import ChatTime
from chat_server.errors import Refusal
from chat_server.protocol.times import iso, until
from chat_server.rules.wrong_passwords import PAUSE_MS
from chat_server.runtime import Future, Runtime
from chat_server.setting_kinds import Rate

Args = TypeVarTuple("Args")
R = TypeVar("R")

THREADS = 2
WAITING_MAX = 500
TURNS_MAX = 4 * WAITING_MAX
TRIED_MAX = 10_000
GUESSING_MAX = 10_000
SALT_BYTES = 16
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Waiter(Protocol):
    """A connection that waits for a password to be hashed or checked. `network` is the network of its address."""

    network: str

    def is_there(self) -> bool:
        """False once the connection is known to be gone."""

    def may_have_left(self) -> bool:
        """Tell whether the peer has ended its side, as people who leave do, and also scripts that await the answer."""


@dataclass(eq=False)
class _Job:
    number: int
    waiter: Waiter
    account: str
    work: Callable[[], Any]
    done: Future[Any]


class Passwords:
    def __init__(self, runtime: Runtime, threads: int = THREADS) -> None:
        self._runtime = runtime
        self._worker = runtime.worker("passwords", threads)
        self._free = threads
        self._waiting: list[_Job] = []
        self._numbers = itertools.count(1)
        # The numbers of the last turns of each network, and of each account from it; 0 if it had none.
        self._turns: Counter[tuple[str, ...]] = Counter()

    async def hash(self, waiter: Waiter, account: str, password: str) -> str:
        salt = self._runtime.token_bytes(SALT_BYTES)
        return await self._run(waiter, account, partial(_HASHER.hash, password, salt=salt))

    async def verify(self, waiter: Waiter, account: str, hash: str, password: str) -> bool:
        return await self._run(waiter, account, _verify, hash, password)

    async def _run(self, waiter: Waiter, account: str, function: Callable[[*Args], R], *args: *Args) -> R:
        done = self._runtime.future()
        job = _Job(next(self._numbers), waiter, account, partial(function, *args), done)
        self._waiting.append(job)
        if len(self._waiting) > WAITING_MAX:
            self._drop_one()
        self._start_jobs()
        try:
            result: R = await done
            return result
        finally:
            if job in self._waiting:
                self._waiting.remove(job)

    def _drop_one(self) -> None:
        """Drop a job of the network that has most: rather one whose peer may have left, and the last of these."""
        counts = Counter(job.waiter.network for job in self._waiting)
        dropped = max(
            self._waiting, key=lambda job: (counts[job.waiter.network], job.waiter.may_have_left(), job.number)
        )
        self._waiting.remove(dropped)
        if not dropped.done.done():
            dropped.done.set_exception(_busy_refusal())

    def _start_jobs(self) -> None:
        while self._free and (job := self._take_next()) is not None:
            self._free -= 1
            self._worker.run(job.work).add_done_callback(partial(self._finish, job))

    def _take_next(self) -> _Job | None:
        """Take the next job. Networks take turns. Within one, peers surely there go first, then accounts take turns."""
        while self._waiting:
            job = min(self._waiting, key=self._rank)
            self._waiting.remove(job)
            if job.done.done():
                continue
            if not job.waiter.is_there():
                job.done.set_exception(_busy_refusal())
                continue
            if len(self._turns) > TURNS_MAX:
                self._turns.clear()
            self._turns[(job.waiter.network,)] = self._turns[job.waiter.network, job.account] = next(self._numbers)
            return job
        self._turns.clear()
        return None

    def _rank(self, job: _Job) -> tuple[int, bool, int, int]:
        network = job.waiter.network
        return self._turns[(network,)], job.waiter.may_have_left(), self._turns[network, job.account], job.number

    def _finish(self, job: _Job, running: Future[Any]) -> None:
        self._free += 1
        if not job.done.done() and not running.cancelled():
            if error := running.exception():
                job.done.set_exception(error)
            else:
                job.done.set_result(running.result())
        self._start_jobs()

    def close(self) -> None:
        while self._waiting:
            self._waiting.pop().done.cancel()
        self._worker.close()


def _busy_refusal() -> Refusal:
    return Refusal("busy", "many people are signing in just now; try again in a few seconds")


def hash_now(password: str) -> str:
    """Hash a password on this thread, for a program that has nothing else to do."""
    return _HASHER.hash(password)


def _verify(hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False


class _Tries:
    """Tries that count together. `wrong_ms` is the elapsed time of the last wrong one, which may not be counted yet."""

    def __init__(self, runtime: Runtime) -> None:
        self.wrong_ms: int | None = None
        self.lock = runtime.lock()


class SignInGuard:
    """Makes tries of passwords that count together one after the other, and after a wrong one with a pause.

    Many at once would all pass the limit, only to be refused by the log's order. `rules/wrong_passwords` has the limit.
    """

    def __init__(self, runtime: Runtime, time: ChatTime) -> None:
        self._runtime = runtime
        self._time = time
        self._tries: OrderedDict[tuple[int, str], _Tries] = OrderedDict()

    async def check(
        self,
        account: int,
        counted: str,
        next_try_ms: Callable[[], Awaitable[int]],
        verify: Callable[[], Awaitable[bool]],
    ) -> bool:
        """Tell whether `verify` finds the password right.

        `next_try_ms` says from when on one may be checked; it may raise Refusal `too_fast`.
        """
        tries = self._tries_of(account, counted)
        async with tries.lock:
            begins_ms = await next_try_ms()
            if tries.wrong_ms is not None:
                begins_ms = max(begins_ms, tries.wrong_ms + PAUSE_MS)
            if (wait_ms := begins_ms - self._time.now().elapsed_ms) > 0:
                await self._runtime.sleep(wait_ms / 1000)
            right = await verify()
            tries.wrong_ms = None if right else self._time.now().elapsed_ms
        return right

    def _tries_of(self, account: int, counted: str) -> _Tries:
        """Return the tries of an account. Beyond TRIED_MAX the least recently used ones are forgotten."""
        tries = self._tries.setdefault((account, counted), _Tries(self._runtime))
        self._tries.move_to_end((account, counted))
        if len(self._tries) > TRIED_MAX:
            self._tries.popitem(last=False)
        return tries


class Guesses:
    """The wrong passwords that each network has given for accounts that it is new to, counted over all accounts.

    Each account has a limit of its own, which whoever tries one password at each of many accounts never reaches.
    `most` is the setting `wrong-passwords-per-address`. A network is "" where nothing counts against it.
    """

    def __init__(self, time: ChatTime, most: Rate | None) -> None:
        self.most = most
        self._time = time
        # When the window of each network began, in elapsed time, and how many there were in it.
        self._windows: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def refuse_too_many(self, network: str) -> None:
        """Raises Refusal `too_fast`."""
        start_ms, count = self._windows.get(network, (0, 0))
        now = self._time.now()
        if self.most is None or count < self.most.count or now.elapsed_ms >= start_ms + self.most.window_ms:
            return
        end_ms = start_ms + self.most.window_ms
        retry_at_ms = now.wall_ms(end_ms)
        raise Refusal(
            "too_fast",
            f"{count} wrong passwords came from your address, the most there may be: no more tries"
            f" {until(retry_at_ms, now.at_ms)}",
            retry_at=iso(retry_at_ms),
            retry_in=-(-(end_ms - now.elapsed_ms) // 1000),
        )

    def count(self, network: str) -> None:
        """Count a wrong one. Beyond GUESSING_MAX networks the one whose window began first is forgotten."""
        if not network or self.most is None:
            return
        start_ms, count = self._windows.get(network, (0, 0))
        if not count or self._time.now().elapsed_ms >= start_ms + self.most.window_ms:
            start_ms, count = self._time.now().elapsed_ms, 0
            self._windows.pop(network, None)
        self._windows[network] = start_ms, count + 1
        if len(self._windows) > GUESSING_MAX:
            self._windows.popitem(last=False)
