"""The two clocks of the client."""

import time

import pytest

from chat_client.sdk import clock


def test_what_pauses_go_by_does_not_follow_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.elapsed()
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    assert clock.now() == 1_000.0
    assert before <= clock.elapsed() < before + 3600
