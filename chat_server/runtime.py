"""The only source of time, timers, tasks, randomness and threads above the sockets.

A `Runtime` is handed to whatever needs one of these, and no other module imports asyncio, time, secrets or threading;
tests/test_structure.py holds that. A test passes a runtime whose time it moves by hand, and a simulation one that runs
the whole server in one thread, in virtual time and from a seed: tests/fake_runtime.py.

Tasks and futures are asyncio's own under every runtime. An asyncio loop calls what is ready in the order in which it
became ready; only sockets, threads, the clock and chance make two runs differ. So a simulation needs no scheduler of
its own: it replaces those four and lets time jump to the next timer whenever the loop has nothing to do.
"""

import asyncio
import secrets
import threading
import time
from abc import ABC, abstractmethod
from asyncio import CancelledError, Future, Task
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future as ThreadFuture
from contextlib import asynccontextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar, TypeVarTuple

from chat_server.errors import StartError

__all__ = ["CancelledError", "Clock", "Future", "Mutex", "Runtime", "SystemRuntime", "Task", "Timer", "Worker"]

Args = TypeVarTuple("Args")
R = TypeVar("R")
Call = Callable[..., object]
AnyFuture = Future[R] | ThreadFuture[R]

# Between threads; on the loop nothing needs one.
Mutex = threading.Lock


class Clock(Protocol):
    """All that most modules need of a runtime."""

    def now_ms(self) -> int:
        """The wall clock: whole milliseconds since 1970, UTC. It may go back."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences between two readings mean something."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Worker(Protocol):
    """Threads that do what would block the loop, each job after those that were given before it."""

    def run(self, function: Callable[[*Args], R], *args: *Args) -> Future[R]:
        """Have it done; the future belongs to the loop."""

    def run_blocking(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Have it done, and block until it is: at the start and at the stop."""

    def close(self) -> None:
        """Finish what was given, and end."""


class Runtime(ABC):
    # ---- what a runtime is made of

    @abstractmethod
    def now_ms(self) -> int:
        """See `Clock`."""

    @abstractmethod
    def monotonic(self) -> float:
        """See `Clock`."""

    @abstractmethod
    def call_later(self, seconds: float, function: Callable[[*Args], object], *args: *Args) -> Timer: ...

    @abstractmethod
    def token_bytes(self, size: int) -> bytes:
        """Bytes that nobody can guess."""

    @abstractmethod
    def worker(self, name: str, count: int = 1) -> Worker:
        """A worker of `count` threads that run already. Raises StartError."""

    @abstractmethod
    def block(self, seconds: float) -> None:
        """Block the thread: where no loop runs yet."""

    @abstractmethod
    def run(self, main: Coroutine[Any, Any, R]) -> R:
        """Run it in a loop of its own until it ends."""

    # ---- what follows from that

    def call_soon(self, function: Callable[[*Args], object], *args: *Args) -> Timer:
        """After what is ready already."""
        return asyncio.get_running_loop().call_soon(function, *args)

    def spawn(self, coroutine: Coroutine[Any, Any, R]) -> Task[R]:
        return asyncio.get_running_loop().create_task(coroutine)

    def future(self) -> Future[Any]:
        return asyncio.get_running_loop().create_future()

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    def lock(self) -> asyncio.Lock:
        """Between tasks."""
        return asyncio.Lock()

    async def sleep(self, seconds: float) -> None:
        """0 lets everything go first that is ready."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over = self.event()
        timer = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError where what is inside takes longer."""
        async with asyncio.timeout(None) as scope:
            timer = self.call_later(seconds, scope.reschedule, float("-inf"))
            try:
                yield
            finally:
                timer.cancel()

    def token_hex(self, size: int) -> str:
        return self.token_bytes(size).hex()

    def token_urlsafe(self, size: int) -> str:
        return urlsafe_b64encode(self.token_bytes(size)).rstrip(b"=").decode()


async def await_shared(task: Task[R]) -> R:
    """Wait for a task that others may wait for, too. Whoever is cancelled leaves, and the task goes on for the rest."""
    return await asyncio.shield(task)


class SystemRuntime(Runtime):
    """The machine's clocks, its randomness and its threads, and asyncio's timers."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    # The function itself, since one around it would be called several times for each message.
    monotonic = staticmethod(time.monotonic)

    def call_later(self, seconds: float, function: Callable[[*Args], object], *args: *Args) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, function, *args)

    def token_bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    def worker(self, name: str, count: int = 1) -> Worker:
        return _Threads(name, count)

    def block(self, seconds: float) -> None:
        time.sleep(seconds)

    def run(self, main: Coroutine[Any, Any, R]) -> R:
        try:
            import uvloop
        except ImportError:
            return asyncio.run(main)
        return uvloop.run(main)


class _Threads:
    """The threads of a worker run from the start on.

    Another user of the machine can use up its processes and threads; the server has all that it needs by then.

    A ThreadPoolExecutor behind `run_in_executor` has two futures, three locks and two semaphores for each job: a batch
    of one message took 270,000 instructions more, of 1,670,000 with 400 receivers.
    """

    def __init__(self, name: str, count: int) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        try:
            for number in range(count):
                # A program that ends without `close` has nothing to wait for.
                thread = threading.Thread(target=_work, args=(self._jobs,), name=f"{name}_{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError as error:
            self.close()
            raise thread_refused(error) from None

    def run(self, function: Callable[[*Args], R], *args: *Args) -> Future[R]:
        self._refuse_closed()
        loop = asyncio.get_running_loop()
        future: Future[R] = loop.create_future()
        self._jobs.put(partial(_do, loop.call_soon_threadsafe, future, function, args))
        return future

    def run_blocking(self, function: Callable[[*Args], R], *args: *Args) -> R:
        self._refuse_closed()
        done: ThreadFuture[R] = ThreadFuture()
        self._jobs.put(partial(_do, _call_here, done, function, args))
        return done.result()

    def close(self) -> None:
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _refuse_closed(self) -> None:
        """Nobody would ever do the job, and whoever waits for it would wait for good."""
        if not self._threads:
            raise RuntimeError("the worker is closed")


def _work(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        # What it was given is not kept while nothing is to be done.
        del job


def _do(call: Call, future: AnyFuture[R], function: Callable[[*Args], R], args: tuple[*Args]) -> None:
    """Do a job. `call` calls what settles its future, on the thread that the future belongs to."""
    if future.cancelled():
        return
    try:
        result = function(*args)
    except BaseException as error:
        _tell(call, _set_exception, future, error)
    else:
        _tell(call, _set_result, future, result)


def _tell(call: Call, settle: Call, future: AnyFuture[R], outcome: object) -> None:
    # Nobody waits for it any more where the loop is closed.
    with suppress(RuntimeError):
        call(settle, future, outcome)


def _call_here(settle: Call, future: ThreadFuture[R], outcome: object) -> None:
    settle(future, outcome)


def _set_result(future: AnyFuture[R], result: R) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: AnyFuture[R], error: BaseException) -> None:
    if not future.done():
        # As from Python 3.12 on: before, a future refused it, and was waited for for good.
        future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)


def thread_refused(error: RuntimeError) -> StartError:
    return StartError(f"{error}: raise the limits on processes (ulimit -u) and memory (ulimit -v), or the machine's")
