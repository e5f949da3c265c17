"""Hashing and verifying passwords off the loop, a bounded number at a time; and who may try again when.

argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's first choice): about 20 ms a hash on one core.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from chat_server.clock import Clock
from chat_server.errors import Refusal
from chat_server.protocol.times import iso, until
from chat_server.settings import Rate

Args = TypeVarTuple("Args")
R = TypeVar("R")

THREADS = 2
WAITING_MAX = 64
TRIED_MAX = 10_000
KNOWN_MAX = 10_000
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


def _verify(hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False


class _Tries(Struct):
    failures: int
    last_ms: int


class SignInGuard:
    """Counts wrong passwords for an account, and apart for each address from which it signed in before.

    Past the limit each further try has to wait, twice as long each time, up to the window. A try counts from its start,
    so that many at once are not all let through.
    """

    def __init__(self, clock: Clock, rate: Rate | None) -> None:
        self._clock = clock
        self._rate = rate
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, account: str, address: str) -> None:
        """Before a password is looked at. Refusal `too_fast` with the time."""
        if self._rate is None:
            return
        now_ms = self._clock.now_ms()
        key = self._key(account, address)
        tries = self._tries.get(key)
        if tries is None or now_ms - tries.last_ms >= self._rate.window_ms:
            tries = self._tries[key] = _Tries(0, now_ms)
        over = tries.failures - self._rate.count
        if over >= 0:
            retry_ms = tries.last_ms + min(1000 << min(over, 20), self._rate.window_ms)
            if now_ms < retry_ms:
                raise Refusal(
                    "too_fast",
                    f"too many wrong passwords for {account}: no more tries {until(retry_ms, now_ms)}",
                    retry_at=iso(retry_ms),
                )
        tries.failures += 1
        tries.last_ms = now_ms
        self._tries.move_to_end(key)
        if len(self._tries) > TRIED_MAX:
            self._tries.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        self._tries.pop(self._key(account, address), None)
        self._known[account, address] = None
        self._known.move_to_end((account, address))
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _key(self, account: str, address: str) -> tuple[str, str]:
        return account, address if (account, address) in self._known else ""
