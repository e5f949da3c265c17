from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from chat_client.tui.render.geometry import part
from chat_client.tui.state.screen_state import Sides


@given(st.integers(20, 400), st.integers(5, 120), st.integers(1, 50), st.booleans(), st.sampled_from(get_args(Sides)))
def test_all_rows_and_columns_are_given_out(columns: int, rows: int, wanted: int, bar: bool, sides: Sides) -> None:
    parts = part(columns, rows, wanted, bar, sides)
    assert parts.left + parts.middle + parts.right == columns
    assert parts.middle >= min(columns, 50)
    assert parts.input <= 6
    if rows >= 8:
        assert 1 + parts.feed_rows + parts.bar + parts.input + 1 == rows


def test_the_sides_fold_away() -> None:
    assert (part(60, 15, 1, False).left, part(60, 15, 1, False).right) == (0, 0)
    assert part(110, 34, 1, False).left and part(110, 34, 1, False).right
    assert part(110, 34, 1, False, sides="none").middle == 110
    left_alone = part(110, 34, 1, False, sides="left")
    assert left_alone.left and not left_alone.right
