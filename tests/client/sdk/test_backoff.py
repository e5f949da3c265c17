"""Growing pauses with jitter, bounded."""

import random

from chat_client.sdk.backoff import PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN, Pauses
from chat_client.sdk.runtime import Runtime


def test_they_grow_to_a_bound_and_begin_anew() -> None:
    pauses, draw = Pauses(), random.Random(1).uniform
    spans = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for span in spans:
        assert span / 2 <= pauses.next(draw) <= span <= PAUSE_SECONDS_MAX
    pauses.over()
    assert pauses.next(draw) <= PAUSE_SECONDS_MIN


def test_not_all_wait_the_same() -> None:
    assert len({Pauses().next(Runtime().uniform) for _ in range(20)}) > 10
