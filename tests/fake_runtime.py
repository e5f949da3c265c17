"""A runtime for tests: one thread, time that moves when it is told to, chance from a seed.

    runtime = FakeRuntime()
    runtime.advance(500)          # on any loop: the timers that are due by then are called, in their order
    runtime.run(main())           # in a loop of its own: time jumps to the next timer when nothing else is left to do

In that loop a timer or a thread that goes around the runtime is an error, and so is a program that waits for nothing,
or a task that fails and is asked by nobody.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from heapq import heappop, heappush
from math import ceil
from random import Random
from typing import Any, TypeVar, TypeVarTuple

from chat_server.runtime import Future, Runtime, Worker
from tests.unit.fakes import NOON_MS, FakeClock

Args = TypeVarTuple("Args")
R = TypeVar("R")

NS_PER_MS = 1_000_000
# With a seed a job of a worker begins and ends at some moment within this time.
WORK_SECONDS_MAX = 0.01


class FakeTimer:
    """Timers of the same moment go off in the order in which they were set."""

    def __init__(self, due_ns: int, number: int, call: Callable[[], object]) -> None:
        self.place = due_ns, number
        self.call: Callable[[], object] | None = call

    def __lt__(self, other: "FakeTimer") -> bool:
        return self.place < other.place

    def cancel(self) -> None:
        self.call = None


class FakeRuntime(FakeClock, Runtime):
    """`random` is the seed's, also for who simulates a network or people. Without a seed workers are done at once."""

    def __init__(self, seed: int | None = None, now_ms: int = NOON_MS) -> None:
        super().__init__(now_ms)
        self.random = Random(seed or 0)
        self._seeded = seed is not None
        self._timers: list[FakeTimer] = []
        self._numbers = itertools.count()

    def call_later(self, seconds: float, function: Callable[[*Args], object], *args: *Args) -> FakeTimer:
        due_ns = self.monotonic_ns + max(0, ceil(seconds * 1e9))
        timer = FakeTimer(due_ns, next(self._numbers), partial(function, *args))
        heappush(self._timers, timer)
        return timer

    def advance(self, ms: float) -> None:
        """Time passes, and timers go off in it, those that were set meanwhile too."""
        end_ns = self.monotonic_ns + round(ms * NS_PER_MS)
        while self._timers and self._timers[0].place[0] <= end_ns:
            self._ring()
        super().advance((end_ns - self.monotonic_ns) / NS_PER_MS)

    def advance_to_next(self) -> bool:
        """Until the next timer goes off; False if there is none."""
        while self._timers:
            if self._ring():
                return True
        return False

    def _ring(self) -> bool:
        timer = heappop(self._timers)
        call, timer.call = timer.call, None
        if call is None:
            return False
        super().advance((timer.place[0] - self.monotonic_ns) / NS_PER_MS)
        call()
        return True

    def token_bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def worker(self, name: str, count: int = 1) -> Worker:
        return InlineWorker(self.after_work, count)

    def after_work(self, function: Callable[[*Args], object], *args: *Args) -> None:
        if self._seeded:
            self.call_later(self.random.uniform(0, WORK_SECONDS_MAX), function, *args)
        else:
            self.call_soon(function, *args)

    def block(self, seconds: float) -> None:
        super().advance(seconds * 1000)

    def run(self, main: Coroutine[Any, Any, R]) -> R:
        loop = SimulatedLoop(self)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(main)
        for error in loop.unasked:
            raise error
        return result


class InlineWorker:
    """Does its jobs on the loop's own thread, some moments after they were given, and never more than `count` at once.

    What a job has done may be seen before the future tells so, as with threads.
    """

    def __init__(self, after_work: Callable[..., object], count: int) -> None:
        """`after_work` calls a function once the next piece of work is done."""
        self._after_work = after_work
        self._free = count
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def run(self, function: Callable[[*Args], R], *args: *Args) -> Future[R]:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((done, partial(function, *args)))
        self._go_on()
        return done

    def run_blocking(self, function: Callable[[*Args], R], *args: *Args) -> R:
        return function(*args)

    def _go_on(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._after_work(self._work, *self._waiting.popleft())

    def _work(self, done: Future[Any], job: Callable[[], Any]) -> None:
        result, error = None, None
        if not done.done():
            try:
                result = job()
            except Exception as raised:
                error = raised
        self._after_work(self._end, done, result, error)

    def _end(self, done: Future[Any], result: Any, error: Exception | None) -> None:
        self._free += 1
        if not done.done():
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)
        self._go_on()

    def close(self) -> None:
        """What was given but not begun is never begun: nobody waits for it any more."""
        self._waiting.clear()


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio loop that never waits: where nothing is ready, the time of the runtime's next timer has come.

    `BaseEventLoop` asks its selector what is ready once a turn, and says for how long it may wait (None: for ever).
    """

    def __init__(self, runtime: FakeRuntime) -> None:
        super().__init__()
        self._runtime = runtime
        self._selector = self
        self.unasked: list[BaseException] = []

    def time(self) -> float:
        return self._runtime.monotonic()

    def select(self, seconds: float | None) -> list[Any]:
        if seconds is None:
            assert self._runtime.advance_to_next(), "nothing is left that could happen, and the program waits for it"
        assert not seconds, "a timer goes around the runtime"
        return []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Something failed, and nobody has asked for it, which asyncio would only log."""
        self.unasked.append(context.get("exception") or AssertionError(context["message"]))

    def _process_events(self, events: list[Any]) -> None:
        pass
