"""Days and times as people type them, in the zone of the machine."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common import days
from chat_client.sdk.errors import Refused

# Wednesday 18 November 2026, 15:30 in Tokyo.
NOW = datetime(2026, 11, 18, 6, 30, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True, scope="module")
def tokyo() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("today", "2026-11-17T15:00"), ("Yesterday", "2026-11-16T15:00"), ("tuesday", "2026-11-16T15:00"),
        ("wed", "2026-11-10T15:00"), ("thursday", "2026-11-11T15:00"), ("monday 9:05", "2026-11-16T00:05"),
        ("2026-11-01", "2026-10-31T15:00"), ("2026-11-01 14:30", "2026-11-01T05:30"),
        ("2026-11-01T14:30", "2026-11-01T05:30"), ("2026-11-01t14:30+00:00", "2026-11-01T14:30"),
        ("14:30", "2026-11-18T05:30"), ("16:00", "2026-11-17T07:00"), (" today  8 ", "2026-11-17T23:00"),
        ("2h", "2026-11-18T04:30"), ("3d", "2026-11-15T06:30"), ("15:30", "2026-11-18T06:30"),
        ("2:30pm", "2026-11-18T05:30"), ("12am", "2026-11-17T15:00"), ("12:15 PM", "2026-11-18T03:15"),
        ("yesterday 9am", "2026-11-17T00:00"), ("monday  9:05", "2026-11-16T00:05"),
    ],
)  # fmt: skip
def test_examples(typed: str, moment: str) -> None:
    assert days.moment(typed, NOW) == f"{moment}:00.000Z"


@pytest.mark.parametrize(
    "typed",
    ["", "tomorrow", "mo", "2026-13-01", "25:00", "42", "today noon", "yesterday 9 30", "9999999999d", "13pm",
     "0am", "9:5", "２h", "-2h", "9999-12-31 23:59Z"],
)  # fmt: skip
def test_what_is_no_day_is_refused_with_what_is(typed: str) -> None:
    with pytest.raises(Refused, match="since when"):
        days.moment(typed, NOW)


def test_how_long_ago_is_counted_by_the_seconds_that_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the night in which clocks go forward, 13 hours before noon are 22:00 of the day before."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    noon = datetime(2026, 3, 29, 10, tzinfo=UTC).timestamp()
    assert days.moment("13h", noon) == "2026-03-28T21:00:00.000Z"
    assert days.moment("today", noon) == "2026-03-28T23:00:00.000Z"
    assert days.moment("yesterday", noon) == "2026-03-27T23:00:00.000Z"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()


@given(st.text(max_size=20) | st.from_regex(r"[0-9:tT \-+hd]{1,20}", fullmatch=True))
def test_any_words_are_a_moment_or_refused(typed: str) -> None:
    try:
        found = days.moment(typed, NOW)
    except Refused:
        return
    assert datetime.fromisoformat(found).tzinfo is not None
