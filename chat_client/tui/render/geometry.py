"""How the screen is parted: columns and rows of each pane, for any size of terminal."""

from msgspec import Struct

COLUMNS_MIN, ROWS_MIN = 20, 5
LEFT_FROM, RIGHT_FROM = 76, 104  # columns of the terminal from which a side pane is shown
INPUT_ROWS_MAX = 6


class Geometry(Struct, frozen=True):
    """`left` and `right` are 0 where the pane is folded away. The feed is between the title and the bar or input."""

    columns: int
    rows: int
    left: int
    right: int
    bar: int
    input: int

    @property
    def middle(self) -> int:
        return self.columns - self.left - self.right

    @property
    def feed_columns(self) -> int:
        return max(COLUMNS_MIN, self.middle)

    @property
    def feed_rows(self) -> int:
        return max(1, self.rows - 2 - self.bar - self.input)


def geometry(columns: int, rows: int, input_rows: int, bar: bool, sides: bool = True) -> Geometry:
    left = right = 0
    if sides and columns >= LEFT_FROM:
        left = 20 if columns < 100 else 22 if columns < 120 else 24 if columns < 180 else 30
    if sides and columns >= RIGHT_FROM:
        right = 18 if columns < 120 else 22 if columns < 180 else 26
    wanted = max(1, min(input_rows, INPUT_ROWS_MAX, rows // 3))
    return Geometry(columns, rows, left, right, int(bar), wanted)
