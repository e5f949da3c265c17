"""The source of time, timers, tasks and randomness of a connection; a test hands in its own.

Everything in `sdk` takes these from the `Runtime` that `connect` was given, and no other module of it imports asyncio,
random or the clocks, but for `link`, which opens sockets.
"""

import asyncio
import random
import secrets
from asyncio import CancelledError, Future, Task
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, TypeVarTuple

from chat_client.sdk import clock

__all__ = ["CancelledError", "Future", "Runtime", "Task", "Timer"]

Args = TypeVarTuple("Args")
R = TypeVar("R")


class Timer(Protocol):
    def cancel(self) -> None: ...


class Runtime:
    """Those of this machine, and of the asyncio loop that runs."""

    # ---- time, by the two clocks of `clock`

    def elapsed(self) -> float:
        return clock.elapsed()

    def now(self) -> float:
        return clock.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raises TimeoutError where what is inside takes longer."""
        return asyncio.timeout(seconds)

    def call_later(self, seconds: float, function: Callable[[*Args], object], *args: *Args) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, function, *args)

    # ---- tasks

    def call_soon(self, function: Callable[[*Args], object], *args: *Args) -> Timer:
        return asyncio.get_running_loop().call_soon(function, *args)

    def spawn(self, coroutine: Coroutine[Any, Any, R]) -> Task[R]:
        return asyncio.get_running_loop().create_task(coroutine)

    async def wait(self, futures: Collection[Future[Any]]) -> None:
        """Until all are done, in whatever way."""
        if futures:
            await asyncio.wait(futures)

    async def in_thread(self, function: Callable[[*Args], R], *args: *Args) -> R:
        return await asyncio.to_thread(function, *args)

    def future(self) -> Future[Any]:
        return asyncio.get_running_loop().create_future()

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    def report(self, text: str, error: Exception) -> None:
        """A mistake that nobody else is told of; the loop's exception handler is."""
        asyncio.get_running_loop().call_exception_handler({"message": text, "exception": error})

    # ---- chance

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)

    def key(self) -> str:
        """A key that no other command of the same user has."""
        return secrets.token_urlsafe(12)
