"""The two times of a chat: how they go on while a process runs, over a stop, and where the clock is set."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.chat_time import STEP_MS_MIN, ClusterTime, LocalTime, _length
from chat_server.protocol.times import Now
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS, FakeClock

STEPS_MS = (HOUR_MS, -HOUR_MS, 30 * DAY_MS, -30 * DAY_MS)


def test_a_new_chat_begins_where_the_wall_clock_stands() -> None:
    clock = FakeClock()
    time = LocalTime(clock, at_ms=0, elapsed_ms=0)
    assert time.now() == (NOON_MS, NOON_MS)
    clock.advance(1234)
    assert time.now() == (NOON_MS + 1234, NOON_MS + 1234)


@pytest.mark.parametrize("step_ms", STEPS_MS)
def test_a_step_moves_the_wall_clock_alone_and_is_logged_once(step_ms: int, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    time = LocalTime(clock, at_ms=0, elapsed_ms=0)
    clock.advance(1000)
    clock.step(step_ms)
    for passed in (1000, 2000, 3000):
        assert time.now() == (NOON_MS + passed + step_ms, NOON_MS + passed)
        clock.advance(1000)
    length = {HOUR_MS: "1.0 h", 30 * DAY_MS: "30.0 d"}[abs(step_ms)]
    (record,) = caplog.records
    assert f"set {'forward' if step_ms > 0 else 'back'} by {length};" in record.message


def test_a_length_is_told_in_the_unit_that_it_comes_to() -> None:
    lengths = {999: "1.0 s", 59_999: "1.0 min", HOUR_MS - 90: "1.0 h", 90 * 60_000: "1.5 h", 30 * DAY_MS - 1: "30.0 d"}
    assert {ms: _length(ms) for ms in lengths} == lengths


def test_less_than_a_step_is_no_step(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    time = LocalTime(clock, at_ms=0, elapsed_ms=0)
    clock.step(STEP_MS_MIN)
    assert time.now() == (NOON_MS, NOON_MS), "the two stay as far apart as they were"
    clock.step(1)
    assert time.now() == (NOON_MS + STEP_MS_MIN + 1, NOON_MS)
    assert time.steps == 0 and caplog.records == []


def test_0_is_long_ago_also_where_the_clock_begins_in_1970() -> None:
    now = LocalTime(FakeClock(1000), at_ms=0, elapsed_ms=0).now()
    assert now.at_ms == 1000 and now.elapsed_ms > 365 * DAY_MS


def test_a_thread_that_was_held_up_between_the_two_clocks_sees_no_step(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(FakeClock):
        held_up_ms = 0

        def now_ms(self) -> int:
            self.advance(self.held_up_ms)
            self.held_up_ms = 0
            return super().now_ms()

    clock = Slow()
    time = LocalTime(clock, at_ms=0, elapsed_ms=0)
    clock.held_up_ms = 10 * STEP_MS_MIN
    assert time.now() == (NOON_MS, NOON_MS)
    assert time.steps == 0 and caplog.records == []


@pytest.mark.parametrize(
    ("stopped_ms", "lived_ms"),
    [(0, 0), (HOUR_MS, HOUR_MS), (-HOUR_MS, 0), (30 * DAY_MS, 30 * DAY_MS), (-30 * DAY_MS, 0)],
)
def test_over_a_stop_it_grows_by_the_difference_of_the_wall_clock_at_least_0(
    stopped_ms: int, lived_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    now = LocalTime(FakeClock(NOON_MS + stopped_ms), at_ms=NOON_MS, elapsed_ms=NOON_MS - DAY_MS).now()
    assert now == (NOON_MS + stopped_ms, NOON_MS - DAY_MS + lived_ms)
    assert [record.levelno for record in caplog.records] == ([logging.WARNING] if stopped_ms < 0 else [])


@given(st.lists(st.tuples(st.sampled_from(("advance", "step", "restart")), st.integers(0, 40 * DAY_MS), st.booleans())))
def test_it_never_goes_back_and_grows_by_no_step(doings: list[tuple[str, int, bool]]) -> None:
    clock = FakeClock()
    time = LocalTime(clock, at_ms=0, elapsed_ms=0)
    for what, ms, back in doings:
        before = time.now()
        if what == "advance":
            clock.advance(ms)
            assert time.now() == (before.at_ms + ms, before.elapsed_ms + ms)
        elif what == "step":
            # The wall clock may be set to anything that is a date.
            clock.step(-min(ms, before.at_ms) if back else ms)
            assert time.now().elapsed_ms == before.elapsed_ms
            assert abs(time.now().at_ms - clock.now_ms()) <= STEP_MS_MIN
        else:
            clock.advance(ms)
            time = LocalTime(clock, at_ms=before.at_ms, elapsed_ms=before.elapsed_ms)
            assert before.elapsed_ms + ms <= time.now().elapsed_ms <= before.elapsed_ms + ms + STEP_MS_MIN


def test_the_times_of_a_cluster_are_those_of_its_last_batch_and_what_has_passed_since() -> None:
    clock = FakeClock()
    time = ClusterTime(clock, at_ms=500, elapsed_ms=900)
    clock.advance(100)
    clock.step(HOUR_MS)
    assert time.now() == (600, 1000), "this machine's own wall clock is not asked"
    time.follow(Now(2000, 950))
    clock.advance(1)
    assert time.now() == (2001, 951)
    assert time.steps == 0
