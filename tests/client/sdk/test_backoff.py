"""Growing pauses with jitter, bounded."""

import random

from chat_client.sdk.backoff import PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN, Pauses


def test_they_grow_to_a_bound_and_begin_anew() -> None:
    pauses = Pauses(chance=random.Random(1))
    spans = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for span in spans:
        assert span / 2 <= pauses.next() <= span <= PAUSE_SECONDS_MAX
    pauses.over()
    assert pauses.next() <= PAUSE_SECONDS_MIN


def test_not_all_wait_the_same() -> None:
    assert len({Pauses().next() for _ in range(20)}) > 10
