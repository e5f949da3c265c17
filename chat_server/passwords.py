"""Hashing and verifying passwords off the loop, a bounded number at a time; and who may try again when.

argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's first choice): about 20 ms a hash on one core.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from chat_server.clock import ChatTime
from chat_server.errors import Refusal
from chat_server.protocol.times import iso, until
from chat_server.settings import Rate

Args = TypeVarTuple("Args")
R = TypeVar("R")

THREADS = 2
WAITING_MAX = 500
TRIED_MAX = 10_000
# As where from a password was said: over a connection of the account's own.
SIGNED_IN = "signed in"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Passwords:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return await self._run(_HASHER.hash, password)

    async def verify(self, hash: str, password: str) -> bool:
        return await self._run(_verify, hash, password)

    async def _run(self, function: Callable[[*Args], R], *args: *Args) -> R:
        if self._waiting >= WAITING_MAX:
            raise Refusal("busy", "many people are signing in just now; try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


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
            )
