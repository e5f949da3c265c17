"""When the node itself has something logged, by a clock that is moved by hand."""

from typing import Any

import pytest

from chat_server.chat_time import ChatTime
from chat_server.log.entries import Due, UseTokens
from chat_server.schedule import TIDY_MS, TOKENS_AT_ONCE, Schedule
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import DAY_MS, NOON_MS


class Scheduled:
    def __init__(self, token_ttl_ms: int = 30 * DAY_MS) -> None:
        self.runtime = FakeRuntime()
        self.time = ChatTime(self.runtime, at_ms=NOON_MS, elapsed_ms=NOON_MS)
        self.logged: list[Any] = []
        self.tokens: list[bytes] = []
        self.sweeps = 0
        self.schedule = Schedule(
            self.runtime,
            self.time,
            self.logged.append,
            tokens=lambda: self.tokens,
            sweep=self.sweep,
            token_ttl_ms=token_ttl_ms,
        )

    def sweep(self) -> None:
        self.sweeps += 1


@pytest.fixture
def scheduled() -> Scheduled:
    return Scheduled()


@pytest.mark.parametrize("by_clock", [False, True])
@pytest.mark.parametrize("after_ms", [1, 499, 500, 501, 60_000])
def test_what_is_due_is_logged_when_its_time_has_come(scheduled: Scheduled, after_ms: int, by_clock: bool) -> None:
    due_ms = scheduled.time.now().elapsed_ms + after_ms
    scheduled.schedule.arm(None if by_clock else due_ms, due_ms if by_clock else None)
    scheduled.runtime.advance(after_ms - 1)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert (scheduled.logged, scheduled.sweeps) == ([Due()], 1)
    scheduled.runtime.advance(TIDY_MS)
    assert len(scheduled.logged) == 1, "the batch with it arms the timer again"


@pytest.mark.parametrize("late_ms", [0, 1])
def test_what_is_overdue_is_logged_again_but_not_at_full_speed(scheduled: Scheduled, late_ms: int) -> None:
    for _ in range(3):
        scheduled.schedule.arm(scheduled.time.now().elapsed_ms - late_ms, None)
        scheduled.runtime.advance(9)
        count = len(scheduled.logged)
        scheduled.runtime.advance(1)
        assert len(scheduled.logged) == count + 1


def test_where_nothing_is_due_it_tidies_up_every_hour(scheduled: Scheduled) -> None:
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(TIDY_MS - 1)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]


def test_after_tidying_up_the_next_time_is_an_hour_later(scheduled: Scheduled) -> None:
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(TIDY_MS)
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(TIDY_MS - 1)
    assert scheduled.logged == [Due()]
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due(), Due()]


@pytest.mark.parametrize(("after_ms", "at_after_ms"), [(100, 200), (200, 100)])
def test_of_the_two_times_the_first_counts(scheduled: Scheduled, after_ms: int, at_after_ms: int) -> None:
    now = scheduled.time.now()
    scheduled.schedule.arm(now.elapsed_ms + after_ms, now.at_ms + at_after_ms)
    scheduled.runtime.advance(99)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]


@pytest.mark.parametrize("step_ms", [-DAY_MS, DAY_MS])
def test_a_step_of_the_clock_is_stored_though_nothing_is_due(scheduled: Scheduled, step_ms: int) -> None:
    scheduled.schedule.arm(None, None)
    scheduled.runtime.step(step_ms)
    scheduled.runtime.advance(500)
    assert scheduled.logged == [Due()]
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(1000)
    assert scheduled.logged == [Due()], "once"


def test_a_clock_that_is_set_forward_is_noticed_within_half_a_second(scheduled: Scheduled) -> None:
    """A message was delayed until a time of the wall clock, which is there at once."""
    scheduled.schedule.arm(None, NOON_MS + DAY_MS)
    scheduled.runtime.step(2 * DAY_MS)
    scheduled.runtime.advance(500)
    assert scheduled.logged == [Due()]


@pytest.mark.parametrize("step_ms", [-DAY_MS, DAY_MS])
def test_a_step_of_the_clock_is_stored_at_once_and_before_a_stop(scheduled: Scheduled, step_ms: int) -> None:
    scheduled.schedule.finish()
    assert scheduled.logged == []
    scheduled.runtime.step(step_ms)
    scheduled.schedule.finish()
    assert scheduled.logged == [Due()]


def test_the_tokens_of_those_who_stay_connected_are_used_well_before_they_end() -> None:
    scheduled = Scheduled(token_ttl_ms=60_000)
    scheduled.tokens = [b"%d" % number for number in range(TOKENS_AT_ONCE + 1)]
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(30_000)
    once = [UseTokens(scheduled.tokens[:-1]), UseTokens(scheduled.tokens[-1:]), Due()]
    assert scheduled.logged == once
    scheduled.schedule.arm(scheduled.time.now().elapsed_ms + 1000, None)
    scheduled.runtime.advance(1000)
    assert scheduled.logged == [*once, Due()], "they are not used at each timer"
    scheduled.schedule.arm(None, None)
    scheduled.runtime.advance(29_000)
    assert scheduled.logged == [*once, Due(), *once]


def test_after_its_stop_nothing_is_logged(scheduled: Scheduled) -> None:
    scheduled.schedule.arm(scheduled.time.now().elapsed_ms + 100, None)
    scheduled.schedule.stop()
    scheduled.runtime.advance(TIDY_MS)
    assert scheduled.logged == []
