"""Overload: the levels, by a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.overload import BEGINS_SECONDS, ENDS_SECONDS, LEVELS, MESSAGES, Overload

LOOK_SECONDS = 0.5


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.overload = Overload()
        self.levels: list[int] = []

    def wait(self, wait: float, seconds: float, stuck: float = 0.0) -> int:
        """Commands wait for so long, for so many seconds; the level then."""
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            if self.overload.note(wait, stuck, self.now):
                self.levels.append(self.overload.level)
        return self.overload.level


@pytest.mark.parametrize("level", range(1, len(LEVELS)))
def test_a_level_begins_when_commands_have_waited_so_long_throughout(level: int) -> None:
    clock = Clock()
    assert clock.wait(LEVELS[level].wait, BEGINS_SECONDS) == 0, "a moment is no overload"
    assert clock.wait(LEVELS[level].wait, LOOK_SECONDS) == level
    assert clock.wait(LEVELS[level].wait * 0.6, 60) == level, "it goes on between half of it and all of it"


def test_one_moment_without_waiting_begins_the_count_anew() -> None:
    clock = Clock()
    for _ in range(10):
        assert clock.wait(100.0, BEGINS_SECONDS) == 0
        assert clock.wait(0.0, LOOK_SECONDS) == 0


def test_it_ends_step_by_step() -> None:
    clock = Clock()
    assert clock.wait(100.0, 5) == MESSAGES
    assert clock.wait(0.0, ENDS_SECONDS) == MESSAGES
    assert clock.wait(0.0, 60) == 0
    assert clock.levels == [4, 3, 2, 1, 0]


def test_a_disk_that_takes_nothing_ends_new_messages_alone() -> None:
    clock = Clock()
    assert clock.wait(0.0, 60, stuck=LEVELS[MESSAGES].wait - 1) == 0
    assert clock.wait(0.0, 5, stuck=LEVELS[MESSAGES].wait) == MESSAGES
    assert clock.wait(0.0, 60) == 0


@given(st.lists(st.floats(0, 30), max_size=80))
def test_no_level_begins_or_ends_sooner_than_it_may(waits: list[float]) -> None:
    clock, history = Clock(), [0.0]
    for wait in waits:
        before, level = clock.overload.level, clock.wait(wait, LOOK_SECONDS)
        history.append(wait)
        looks = round(BEGINS_SECONDS / LOOK_SECONDS) + 1
        if level > before:
            assert all(each >= LEVELS[level].wait for each in history[-looks:])
        elif level < before:
            assert level == before - 1 and wait < LEVELS[before].wait / 2
