"""Passwords: hashing and checking them on threads, users by turns, and a limit on wrong ones.

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
from chat_server.runtime import Future, Runtime
from chat_server.settings import Rate

Args = TypeVarTuple("Args")
R = TypeVar("R")

THREADS = 2
WAITING_MAX = 500
TURNS_MAX = 4 * WAITING_MAX
TRIED_MAX = 10_000
SALT_BYTES = 16
# In place of a network, for whoever gives a password while signed in to the account.
SIGNED_IN = "signed in"
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
    def __init__(self, runtime: Runtime, elapsed_ms: int) -> None:
        self.failures = 0
        self.last_ms = elapsed_ms
        self.lock = runtime.lock()


class SignInGuard:
    """Limits wrong passwords for an account.

    Tries by somebody who is signed in to it, and those from each network that the account is known to come from, are
    counted apart from all others. So a stranger who guesses does not lock the owner out. The store knows the networks.

    Past the limit each further try has to wait, twice as long each time, up to the window. Tries that count together
    are made one after the other, or many at once would all pass the limit.
    """

    def __init__(self, runtime: Runtime, time: ChatTime, rate: Rate | None) -> None:
        self._runtime = runtime
        self._time = time
        self._rate = rate
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    async def check(self, account: str, apart: str | None, verify: Callable[[], Awaitable[bool]]) -> bool:
        """Tell whether `verify` finds the password right. Raises Refusal `too_fast` without calling it.

        `apart` is SIGNED_IN, a network that is known for the account, or None.
        """
        if self._rate is None:
            return await verify()
        tries = self._tries_of(account, apart or "")
        async with tries.lock:
            self._refuse_too_fast(account, tries, self._rate)
            right = await verify()
            if right:
                tries.failures = 0
            else:
                tries.failures += 1
                tries.last_ms = self._time.now().elapsed_ms
        return right

    def _tries_of(self, account: str, apart: str) -> _Tries:
        """Return the tries of an account. Beyond TRIED_MAX the least recently used ones are forgotten."""
        fresh = _Tries(self._runtime, self._time.now().elapsed_ms)
        tries = self._tries.setdefault((account, apart), fresh)
        self._tries.move_to_end((account, apart))
        if len(self._tries) > TRIED_MAX:
            self._tries.popitem(last=False)
        return tries

    def _refuse_too_fast(self, account: str, tries: _Tries, rate: Rate) -> None:
        now = self._time.now()
        if now.elapsed_ms - tries.last_ms >= rate.window_ms:
            tries.failures = 0
        over = tries.failures - rate.count
        retry_ms = tries.last_ms + min(1000 << min(over, 20), rate.window_ms) if over >= 0 else 0
        if now.elapsed_ms < retry_ms:
            retry_at_ms = now.wall_ms(retry_ms)
            raise Refusal(
                "too_fast",
                f"too many wrong passwords for {account}: no more tries {until(retry_at_ms, now.at_ms)}",
                retry_at=iso(retry_at_ms),
                retry_in=-(-(retry_ms - now.elapsed_ms) // 1000),
            )
