"""When the node itself has something logged, by a clock that is moved by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from chat_server.chat_time import LocalTime
from chat_server.log.entries import Due, UseTokens
from chat_server.schedule import (
    LOST_MS,
    OVERDUE_MS,
    RANK_MS,
    REST_FACTOR,
    REST_MS_MAX,
    TIDY_MS,
    TOKENS_AT_ONCE,
    Schedule,
)
from tests.fake_runtime import FakeRuntime
from tests.unit.chat import LIMITS
from tests.unit.fakes import DAY_MS, NOON_MS


class Scheduled:
    def __init__(self, rank: int = 0, quiet_ms: int | None = None) -> None:
        self.runtime = FakeRuntime()
        self.time = LocalTime(self.runtime, at_ms=NOON_MS, elapsed_ms=NOON_MS)
        self.logged: list[Any] = []
        self.tokens: list[bytes] = []
        self.limits = LIMITS
        self.rank = rank
        self.schedule = Schedule(
            self.runtime,
            self.time,
            self.logged.append,
            rank=lambda: self.rank,
            quiet_ms=quiet_ms,
            tokens=lambda: self.tokens,
            limits=lambda: self.limits,
        )

    def arm(self, after_ms: int | None = None, *, done: bool = False) -> None:
        """After a batch, something is due in so long."""
        due_ms = None if after_ms is None else self.time.now().elapsed_ms + after_ms
        self.schedule.arm(due_ms, None, done=done)


@pytest.fixture
def scheduled() -> Scheduled:
    return Scheduled()


@pytest.mark.parametrize("by_clock", [False, True])
@pytest.mark.parametrize("after_ms", [1, 499, 500, 501, 60_000])
def test_what_is_due_is_logged_when_its_time_has_come(scheduled: Scheduled, after_ms: int, by_clock: bool) -> None:
    due_ms = scheduled.time.now().elapsed_ms + after_ms
    scheduled.schedule.arm(None if by_clock else due_ms, due_ms if by_clock else None, done=False)
    scheduled.runtime.advance(after_ms - 1)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]
    scheduled.runtime.advance(LOST_MS - 1)
    assert len(scheduled.logged) == 1, "the batch with it arms the timer again"
    scheduled.runtime.advance(1)
    assert len(scheduled.logged) == 2, "it was lost on its way"


@pytest.mark.parametrize("late_ms", [0, 1])
def test_what_is_overdue_is_logged_again_but_not_at_full_speed(scheduled: Scheduled, late_ms: int) -> None:
    for count in range(3):
        scheduled.arm(-late_ms, done=True)
        scheduled.runtime.advance(9)
        assert len(scheduled.logged) == count
        scheduled.runtime.advance(1)
        assert len(scheduled.logged) == count + 1


@pytest.mark.parametrize("after_ms", [-1, 20])
def test_batches_that_follow_closely_do_not_put_off_what_is_due(scheduled: Scheduled, after_ms: int) -> None:
    due_ms = scheduled.time.now().elapsed_ms + after_ms
    for _ in range(30):
        scheduled.schedule.arm(due_ms, None, done=False)
        scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]


def test_a_batch_after_which_nothing_else_is_due_sets_no_timer_anew(
    scheduled: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took 4 µs a batch."""
    due_ms = scheduled.time.now().elapsed_ms + 300
    scheduled.schedule.arm(due_ms, None, done=False)
    with monkeypatch.context() as patch:
        patch.setattr(scheduled.runtime, "call_later", None)
        scheduled.schedule.arm(due_ms, None, done=False)
    scheduled.schedule.arm(due_ms - 200, None, done=False)
    scheduled.runtime.advance(100)
    assert scheduled.logged == [Due()]
    scheduled.schedule.stop()
    scheduled.logged.clear()
    scheduled.schedule.arm(due_ms - 200, None, done=False)
    scheduled.runtime.advance(LOST_MS)
    assert scheduled.logged == [Due()], "one that was stopped is armed again"


def test_where_nothing_is_due_it_tidies_up_every_hour(scheduled: Scheduled) -> None:
    scheduled.arm()
    for _ in range(2):
        scheduled.runtime.advance(TIDY_MS - 1)
        assert scheduled.logged == []
        scheduled.runtime.advance(1)
        assert scheduled.logged == [Due()]
        scheduled.logged.clear()
        scheduled.arm(done=True)


@pytest.mark.parametrize(("after_ms", "at_after_ms"), [(100, 200), (200, 100)])
def test_of_the_two_times_the_first_counts(scheduled: Scheduled, after_ms: int, at_after_ms: int) -> None:
    now = scheduled.time.now()
    scheduled.schedule.arm(now.elapsed_ms + after_ms, now.at_ms + at_after_ms, done=False)
    scheduled.runtime.advance(99)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]


@pytest.mark.parametrize("step_ms", [-DAY_MS, DAY_MS])
def test_a_step_of_the_clock_is_stored_though_nothing_is_due(scheduled: Scheduled, step_ms: int) -> None:
    scheduled.arm()
    scheduled.runtime.step(step_ms)
    scheduled.runtime.advance(500)
    assert scheduled.logged == [Due()]
    scheduled.arm(done=True)
    scheduled.runtime.advance(1000)
    assert scheduled.logged == [Due()], "once"


def test_a_clock_that_is_set_forward_is_noticed_within_half_a_second(scheduled: Scheduled) -> None:
    """A message was delayed until a time of the wall clock, which is there at once."""
    scheduled.schedule.arm(None, NOON_MS + DAY_MS, done=False)
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


def test_the_tokens_of_those_who_stay_connected_are_used_well_before_they_end(scheduled: Scheduled) -> None:
    scheduled.limits = replace(LIMITS, token_ttl_ms=60_000)
    scheduled.tokens = [b"%d" % number for number in range(TOKENS_AT_ONCE + 1)]
    scheduled.arm()
    scheduled.runtime.advance(29_999)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    once = [UseTokens(scheduled.tokens[:-1]), UseTokens(scheduled.tokens[-1:])]
    assert scheduled.logged == once
    scheduled.arm()
    scheduled.runtime.advance(29_999)
    assert scheduled.logged == once
    scheduled.runtime.advance(1)
    assert scheduled.logged == [*once, *once]


def test_tokens_that_end_sooner_from_now_on_are_used_sooner(scheduled: Scheduled) -> None:
    scheduled.tokens = [b"t"]
    scheduled.arm()
    scheduled.runtime.advance(60_000)
    assert scheduled.logged == []
    scheduled.limits = replace(LIMITS, token_ttl_ms=60_000)
    scheduled.runtime.advance(500)
    assert scheduled.logged == [UseTokens([b"t"])]


def test_after_its_stop_nothing_is_logged(scheduled: Scheduled) -> None:
    scheduled.arm(100)
    scheduled.schedule.stop()
    scheduled.runtime.advance(TIDY_MS)
    assert scheduled.logged == []


# ---- among others


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_node_waits_by_its_rank(rank: int) -> None:
    scheduled = Scheduled(rank)
    due_ms, wait_ms = scheduled.time.now().elapsed_ms + 100, 100 + rank * RANK_MS
    for _ in range(wait_ms - 1):
        # Batches with other things do not make it wait longer.
        scheduled.schedule.arm(due_ms, None, done=False)
        scheduled.runtime.advance(1)
    assert scheduled.logged == []
    scheduled.runtime.advance(1)
    assert scheduled.logged == [Due()]


@pytest.mark.parametrize(
    ("took_ms", "rest_ms"),
    [(0, OVERDUE_MS), (1, OVERDUE_MS), (20, REST_FACTOR * 20), (LOST_MS - 1, REST_MS_MAX)],
)
def test_others_have_the_log_for_longer_than_what_is_due(scheduled: Scheduled, took_ms: int, rest_ms: int) -> None:
    scheduled.arm(1)
    scheduled.runtime.advance(1)
    for count in (1, 2):
        assert scheduled.logged == [Due()] * count
        scheduled.runtime.advance(took_ms)
        scheduled.arm(-1000, done=True)
        scheduled.runtime.advance(rest_ms - 1)
        assert scheduled.logged == [Due()] * count
        scheduled.runtime.advance(1)


def test_what_another_node_has_done_meanwhile_is_not_logged() -> None:
    scheduled = Scheduled(rank=1)
    scheduled.arm(100)
    scheduled.runtime.advance(299)
    scheduled.arm(done=True)
    scheduled.runtime.advance(TIDY_MS - 1)
    assert scheduled.logged == []


def test_what_is_left_after_a_due_is_left_to_the_first_in_rank() -> None:
    scheduled = Scheduled(rank=1)
    for _ in range(10):
        scheduled.arm(-1000, done=True)
        scheduled.runtime.advance(150)
    assert scheduled.logged == []
    scheduled.runtime.advance(OVERDUE_MS + RANK_MS - 150)
    assert scheduled.logged == [Due()], "the first one has gone"


def test_a_node_that_becomes_the_first_waits_no_longer() -> None:
    scheduled = Scheduled(rank=50)
    scheduled.arm(0)
    scheduled.runtime.advance(1000)
    scheduled.rank = 0
    scheduled.runtime.advance(500)
    assert scheduled.logged == [Due()]


def test_without_any_batch_one_is_logged_all_the_same() -> None:
    first, second = Scheduled(0, quiet_ms=15_000), Scheduled(1, quiet_ms=15_000)
    for scheduled, wait_ms in ((first, 15_000), (second, 15_200)):
        scheduled.arm()
        scheduled.runtime.advance(10_000)
        scheduled.arm()
        scheduled.runtime.advance(wait_ms - 1)
        assert scheduled.logged == []
        scheduled.runtime.advance(1)
        assert scheduled.logged == [Due()]
