"""The real runtime's threads, and what the fake one promises to the tests and simulations that use it."""

import asyncio
import threading

import pytest

from chat_server.errors import StartError
from chat_server.runtime import Runtime, SystemRuntime
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import NOON_MS


def test_all_threads_of_a_worker_are_there_at_once() -> None:
    before = threading.active_count()
    worker = SystemRuntime().worker("three", 3)
    assert threading.active_count() == before + 3
    assert worker.run_blocking(lambda: 1) == 1
    assert threading.active_count() == before + 3
    worker.close()


def test_a_machine_without_threads_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def one_only(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", one_only)
    with pytest.raises(StartError, match="can't start new thread: raise"):
        SystemRuntime().worker("three", 3)


def test_tokens_have_the_form_that_stored_ones_have() -> None:
    for runtime in (SystemRuntime(), FakeRuntime()):
        assert len(runtime.token_bytes(16)) == 16
        assert len(runtime.token_hex(8)) == 16 and int(runtime.token_hex(8), 16) >= 0
        assert len(runtime.token_urlsafe(24)) == 32 and "=" not in runtime.token_urlsafe(23)
    assert SystemRuntime().token_bytes(16) != SystemRuntime().token_bytes(16)


@pytest.mark.parametrize("make", [SystemRuntime, FakeRuntime])
def test_a_timeout_ends_what_takes_longer_and_nothing_else(make: type[Runtime]) -> None:
    runtime = make()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with runtime.timeout(0.001):
                await runtime.sleep(60)
        async with runtime.timeout(60):
            await runtime.sleep(0.001)
            await runtime.sleep(0)
        # Cancelling from outside stays a cancellation.
        task = runtime.spawn(runtime.sleep(60))
        await runtime.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    runtime.run(main())


@pytest.mark.parametrize("make", [SystemRuntime, FakeRuntime])
def test_a_worker_does_its_jobs_in_their_order_and_none_that_nobody_waits_for(make: type[Runtime]) -> None:
    runtime, done = make(), list[int]()
    gate = threading.Event()

    def do(number: int) -> int:
        done.append(number)
        return -number

    async def main() -> None:
        worker = runtime.worker("one")
        first = worker.run(gate.wait) if make is SystemRuntime else worker.run(gate.is_set)
        jobs = [worker.run(do, number) for number in range(4)]
        jobs[1].cancel()
        failing = worker.run(int, "no number")
        await runtime.sleep(0)
        gate.set()
        await first
        assert await asyncio.gather(jobs[0], *jobs[2:]) == [0, -2, -3]
        with pytest.raises(ValueError):
            await failing
        worker.close()

    runtime.run(main())
    assert done == [0, 2, 3]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_goes_on_when_the_loop_that_gave_it_a_job_is_gone() -> None:
    runtime, gate = SystemRuntime(), threading.Event()
    worker = runtime.worker("one")

    async def main() -> None:
        worker.run(gate.wait)

    runtime.run(main())
    gate.set()
    assert worker.run_blocking(lambda: "more") == "more"
    with pytest.raises(ValueError):
        worker.run_blocking(int, "no number")
    worker.close()


def test_no_job_is_waited_for_that_nobody_does(caplog: pytest.LogCaptureFixture) -> None:
    runtime = SystemRuntime()

    async def main() -> None:
        worker = runtime.worker("one")
        async with asyncio.timeout(60):
            for ends in (SystemExit, KeyboardInterrupt):
                with pytest.raises(ends):
                    await worker.run(_raise, ends)
            with pytest.raises(RuntimeError, match="StopIteration"):
                await worker.run(next, iter(()))
            for ends in (SystemExit, KeyboardInterrupt):
                with pytest.raises(ends):
                    worker.run_blocking(_raise, ends)
            with pytest.raises(RuntimeError, match="StopIteration"):
                worker.run_blocking(next, iter(()))
            assert await worker.run(int, "5") == 5
            waiting = worker.run(int, "6")
            worker.close()
            assert await waiting == 6
        worker.close()
        with pytest.raises(RuntimeError, match="closed"):
            worker.run(int, "7")
        with pytest.raises(RuntimeError, match="closed"):
            worker.run_blocking(int, "7")

    runtime.run(main())
    assert not caplog.records


def _raise(error: type[BaseException]) -> None:
    raise error


# ---- the fake


async def test_timers_go_off_by_hand_in_their_order_on_any_loop() -> None:
    runtime, rung = FakeRuntime(), list[tuple[str, float]]()

    def ring(what: str) -> None:
        rung.append((what, runtime.monotonic()))
        if what == "first":
            runtime.call_later(0.5, ring, "set by the first")

    runtime.call_later(2, ring, "third")
    runtime.call_later(1, ring, "first")
    runtime.call_later(1, ring, "second")
    runtime.call_later(1, ring, "cancelled").cancel()
    sleeping = runtime.spawn(runtime.sleep(1.75))
    await runtime.sleep(0)
    runtime.advance(1749)
    await runtime.sleep(0)
    assert rung == [("first", 1.0), ("second", 1.0), ("set by the first", 1.5)] and not sleeping.done()
    runtime.advance(251)
    assert rung[3:] == [("third", 2.0)]
    await sleeping
    assert runtime.now_ms() == NOON_MS + 2000


def test_a_seed_decides_everything() -> None:
    def run(seed: int) -> list[tuple[int, float, str]]:
        runtime, happened = FakeRuntime(seed), list[tuple[int, float, str]]()

        async def user(number: int, runs: list[int]) -> None:
            worker = runtime.worker(f"of {number}", 2)
            for _ in range(5):
                await runtime.sleep(runtime.random.random())
                await worker.run(runs.append, number)
                happened.append((number, runtime.monotonic(), runtime.token_hex(4)))

        async def main() -> None:
            runs: list[int] = []
            for task in [runtime.spawn(user(number, runs)) for number in range(3)]:
                await task
            assert sorted(runs) == [0] * 5 + [1] * 5 + [2] * 5

        runtime.run(main())
        return happened

    assert run(1) == run(1) != run(2)


def test_a_day_takes_no_time_and_what_goes_around_the_runtime_is_found() -> None:
    runtime = FakeRuntime()
    runtime.run(runtime.sleep(86_400))
    assert runtime.now_ms() == NOON_MS + 86_400_000
    with pytest.raises(AssertionError, match="goes around the runtime"):
        runtime.run(asyncio.sleep(1))
    with pytest.raises(AssertionError, match="nothing is left"):
        runtime.run(runtime.event().wait())
