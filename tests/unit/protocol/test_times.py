import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.times import (
    DAY_MS,
    TIME_MS_MAX,
    clock_time,
    distance,
    duration,
    iso,
    parse_duration,
    parse_iso,
    until,
)

_UNITS_MS = {"d": DAY_MS, "h": 3_600_000, "min": 60_000, "s": 1000}


@given(st.integers(0, TIME_MS_MAX))
def test_a_time_is_written_with_milliseconds_and_reads_back(ms: int) -> None:
    text = iso(ms)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert parse_iso(text) == ms


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T12:00:01.250Z", "2026-11-21T12:00:01.250Z"), ("2026-11-21T12:00", "2026-11-21T12:00:00.000Z"),
        ("2026-11-21 12:00:01", "2026-11-21T12:00:01.000Z"), ("2026-11-21", "2026-11-21T00:00:00.000Z"),
        ("2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00.000Z"),
    ],
)  # fmt: skip
def test_a_time_may_be_written_as(text: str, moment: str) -> None:
    ms = parse_iso(text)
    assert ms is not None and iso(ms) == moment


@given(st.text() | st.sampled_from(("0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "2026-02-30", "12:00", "")))
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_iso(text) is None or isinstance(parse_iso(text), int)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("90", 90_000), ("90s", 90_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", DAY_MS), (" 0 ", 0), ("007s", 7000)],
)
def test_durations(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "s", "-5s", "1.h", ".5s", "5 m", "1h30m", "٣s", "1e3", "9" * 13, "soon"])
def test_no_durations(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(0, 10**8).map(lambda seconds: seconds * 1000))
def test_a_duration_reads_back(ms: int) -> None:
    assert parse_duration(duration(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "words"),
    [(3_600_000, "1h"), (90_000, "90s"), (1500, "1500ms"), (0, "0s"), (DAY_MS, "1d"), (5_400_000, "90m")],
)
def test_durations_are_written(ms: int, words: str) -> None:
    assert duration(ms) == words


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (1, "1 s"), (45_000, "45 s"), (44_001, "45 s"), (60_000, "1 min"), (60_001, "2 min"), (3_600_000, "1 h"),
        (4 * 3_600_000 - 60_000, "3 h 59 min"), (4 * 3_600_000 - 1, "4 h"), (DAY_MS, "1 d"), (0, "1 s"), (-5, "1 s"),
    ],
)  # fmt: skip
def test_distances(ms: int, words: str) -> None:
    assert distance(ms) == words


@given(st.integers(1, 400 * DAY_MS))
def test_a_distance_is_rounded_up(ms: int) -> None:
    words = distance(ms).split()
    said = sum(int(number) * _UNITS_MS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert said >= ms, distance(ms)
    assert said - ms < _UNITS_MS[words[-1]]


def test_another_day_has_its_date() -> None:
    at = "2026-11-21T12:00:01.250Z"
    assert clock_time(at, "2026-11-21") == "12:00:01"
    assert clock_time(at, "2026-11-22") == "2026-11-21 12:00:01"


def test_the_end_of_a_limit_is_told_as_a_time_and_as_a_distance() -> None:
    noon = parse_iso("2026-11-21T12:00:06")
    assert noon is not None
    assert until(noon + 4 * 3_600_000 - 61_000, noon) == "until 15:59:05 UTC, in 3 h 59 min"
    assert until(noon + DAY_MS, noon) == "until 2026-11-22 12:00:06 UTC, in 1 d"
