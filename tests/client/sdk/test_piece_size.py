"""How large the pieces of a file are, on links of any speed."""

import pytest

from chat_client.sdk.piece_size import BYTES_MIN, Pace

MAX = 32_768


def settle(pace: Pace, bytes_a_second: float, latency: float, pieces: int = 40) -> list[tuple[int, float]]:
    """The sizes of the pieces, and how long each holds up the link."""
    sent = []
    for _ in range(pieces):
        held_up = pace.bytes / bytes_a_second
        sent.append((pace.bytes, held_up))
        pace.took(pace.bytes, latency + held_up)
    return sent


@pytest.mark.parametrize("latency", [0.001, 0.05, 0.6])
@pytest.mark.parametrize("bytes_a_second", [4_000, 10_000, 40_000, 1_000_000, 50_000_000])
def test_a_piece_takes_at_most_half_a_second_and_no_needless_part_of_it(bytes_a_second: float, latency: float) -> None:
    for known in (Pace(MAX, latency), Pace(MAX)):
        sent = settle(known, bytes_a_second, latency)
        assert all(seconds <= 0.5 or size == BYTES_MIN for size, seconds in sent)
        size, seconds = sent[-1]
        assert size == MAX or seconds >= 0.2, "a fast link is used, however far away the server is"


def test_it_is_small_where_even_the_smallest_takes_long_and_follows_the_link() -> None:
    pace = Pace(MAX, 0.1)
    assert all(size <= 2 * BYTES_MIN for size, _ in settle(pace, 500, 0.1))
    assert settle(pace, 1_000_000, 0.1)[-1][0] == MAX
    assert settle(pace, 10_000, 0.1)[1][1] <= 0.5, "after one piece it knows"


def test_the_rate_is_what_comes_through_just_now() -> None:
    pace = Pace(MAX)
    assert pace.rate == 0
    settle(pace, 10_000, 0)
    assert pace.rate == pytest.approx(10_000, rel=0.01)
    settle(pace, 1_000, 0)
    assert pace.rate == pytest.approx(1_000, rel=0.01)
    pace.took(0, 1)
