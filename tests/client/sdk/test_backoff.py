"""Growing pauses with jitter, bounded."""

import random

from chat_client.sdk.backoff import PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN, Backoff
from chat_client.sdk.runtime import Runtime


def test_they_grow_to_a_bound_and_begin_anew() -> None:
    backoff, draw = Backoff(), random.Random(1).uniform
    spans = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for span in spans:
        assert span / 2 <= backoff.next_pause(draw) <= span <= PAUSE_SECONDS_MAX
    backoff.reset()
    assert backoff.next_pause(draw) <= PAUSE_SECONDS_MIN


def test_not_all_wait_the_same() -> None:
    assert len({Backoff().next_pause(Runtime().uniform) for _ in range(20)}) > 10
