"""Hashing and verifying passwords off the loop, a bounded number at a time, by turns; and who may try again when.

A password that nobody waits for is not hashed, and networks take turns, so that five hundred sign-ins of one, or of
people who have gone, keep nobody else waiting.

argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's first choice): about 20 ms a hash on one core.
"""

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, TypeVarTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from chat_server.clock import ChatTime
from chat_server.errors import Refusal
from chat_server.protocol.times import iso, until
from chat_server.settings import Rate
from chat_server.threads import started_pool

Args = TypeVarTuple("Args")
R = TypeVar("R")

THREADS = 2
WAITING_MAX = 500
TURNS_MAX = 4 * WAITING_MAX
TRIED_MAX = 10_000
# As where from a password was said: over a connection of the account's own.
SIGNED_IN = "signed in"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Waiter(Protocol):
    """Who waits for a password to be looked at. `network` is what the address counts as."""

    network: str

    def is_there(self) -> bool:
        """False once it is known that nobody waits any more."""

    def may_have_left(self) -> bool:
        """Whether it said that nothing more comes, as scripts do that wait, and people who have gone."""


@dataclass(eq=False)
class _Job:
    number: int
    waiter: Waiter
    account: str
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Passwords:
    def __init__(self, threads: int = THREADS) -> None:
        self._threads = started_pool(threads, "passwords")
        self._free = threads
        self._waiting: list[_Job] = []
        self._numbers = itertools.count(1)
        # When a network, and an account from there, had its last turn; 0 for never.
        self._turns: Counter[tuple[str, ...]] = Counter()

    async def hash(self, waiter: Waiter, account: str, password: str) -> str:
        return await self._run(waiter, account, _HASHER.hash, password)

    async def verify(self, waiter: Waiter, account: str, hash: str, password: str) -> bool:
        return await self._run(waiter, account, _verify, hash, password)

    async def _run(self, waiter: Waiter, account: str, function: Callable[[*Args], R], *args: *Args) -> R:
        done = asyncio.get_running_loop().create_future()
        job = _Job(next(self._numbers), waiter, account, partial(function, *args), done)
        self._waiting.append(job)
        if len(self._waiting) > WAITING_MAX:
            self._drop_one()
        self._go_on()
        try:
            result: R = await done
            return result
        finally:
            if job in self._waiting:
                self._waiting.remove(job)

    def _drop_one(self) -> None:
        """Of the network that has most of them, one that may have left sooner, and the last one."""
        counts = Counter(job.waiter.network for job in self._waiting)
        dropped = max(
            self._waiting, key=lambda job: (counts[job.waiter.network], job.waiter.may_have_left(), job.number)
        )
        self._waiting.remove(dropped)
        if not dropped.done.done():
            dropped.done.set_exception(_busy())

    def _go_on(self) -> None:
        while self._free and (job := self._take()) is not None:
            self._free -= 1
            running = asyncio.get_running_loop().run_in_executor(self._threads, job.work)
            running.add_done_callback(partial(self._ended, job))

    def _take(self) -> _Job | None:
        """The next one: networks by turns, of one network those first who are surely there, and accounts by turns."""
        while self._waiting:
            job = min(self._waiting, key=self._place)
            self._waiting.remove(job)
            if job.done.done():
                continue
            if not job.waiter.is_there():
                job.done.set_exception(_busy())
                continue
            if len(self._turns) > TURNS_MAX:
                self._turns.clear()
            self._turns[(job.waiter.network,)] = self._turns[job.waiter.network, job.account] = next(self._numbers)
            return job
        self._turns.clear()
        return None

    def _place(self, job: _Job) -> tuple[int, bool, int, int]:
        network = job.waiter.network
        return self._turns[(network,)], job.waiter.may_have_left(), self._turns[network, job.account], job.number

    def _ended(self, job: _Job, running: "asyncio.Future[Any]") -> None:
        self._free += 1
        if not job.done.done() and not running.cancelled():
            if error := running.exception():
                job.done.set_exception(error)
            else:
                job.done.set_result(running.result())
        self._go_on()

    def close(self) -> None:
        while self._waiting:
            self._waiting.pop().done.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)


def _busy() -> Refusal:
    return Refusal("busy", "many people are signing in just now; try again in a few seconds")


def hash_now(password: str) -> str:
    """The hash, at once: for a program that has nothing else to do."""
    return _HASHER.hash(password)


def _verify(hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False


class _Tries:
    def __init__(self, elapsed_ms: int) -> None:
        self.failures = 0
        self.last_ms = elapsed_ms
        self.lock = asyncio.Lock()


class SignInGuard:
    """Counts wrong passwords for an account: apart from the others for who is signed in, and for each known network.

    So nobody who guesses keeps out who has been in. Which networks these are stands in the store.
    Past the limit each further try has to wait, twice as long each time, up to the window. Tries that count together
    are made one after the other, so that many at once are not all let through.
    """

    def __init__(self, time: ChatTime, rate: Rate | None) -> None:
        self._time = time
        self._rate = rate
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    async def check(self, account: str, apart: str | None, verify: Callable[[], Awaitable[bool]]) -> bool:
        """Whether `verify` finds the password right. Refusal `too_fast` with the time, before it is asked at all.

        `apart` is SIGNED_IN, a network that is known for the account, or None.
        """
        if self._rate is None:
            return await verify()
        tries = self._of(account, apart or "")
        async with tries.lock:
            self._refuse_too_fast(account, tries, self._rate)
            right = await verify()
            if right:
                tries.failures = 0
            else:
                tries.failures += 1
                tries.last_ms = self._time.now().elapsed_ms
        return right

    def _of(self, account: str, apart: str) -> _Tries:
        """What has not been used for longest goes when there are too many."""
        tries = self._tries.setdefault((account, apart), _Tries(self._time.now().elapsed_ms))
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
