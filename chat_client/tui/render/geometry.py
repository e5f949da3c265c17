"""The geometry of the screen: columns and rows of each pane, for any size of terminal."""

from msgspec import Struct, structs

from chat_client.tui.render.bar import BAR_ROWS_MAX, bar_rows, needs_bar
from chat_client.tui.render.row import INPUT_ROWS_MAX, Display
from chat_client.tui.render.side_panels import widest_chat_entry, widest_person_entry
from chat_client.tui.state.screen_state import ScreenState

COLUMNS_MIN, ROWS_MIN = 20, 5
LEFT_FROM, RIGHT_FROM = 76, 104  # columns of the terminal from which a side pane is shown
LEFT_MIN, RIGHT_MIN = 16, 14  # columns of a pane, which is otherwise as wide as its longest entry
MIDDLE_WANTED = 76  # columns: for as many the sides give way, the right one first, as far as their least
BAR_FROM = 24  # rows of the terminal from which the bar over the input has its row always


class Geometry(Struct, frozen=True):
    """`left` and `right` are 0 where the pane is folded away. The feed is between the title and the bar or input.
    `framed`: whether there are a title and a status."""

    columns: int
    rows: int
    left: int
    right: int
    bar: int
    input: int
    framed: bool = True

    @property
    def middle(self) -> int:
        return self.columns - self.left - self.right

    @property
    def feed_columns(self) -> int:
        return max(COLUMNS_MIN, self.middle)

    @property
    def feed_rows(self) -> int:
        return max(1, self.rows - 2 * self.framed - self.bar - self.input)


def part(columns: int, rows: int, input_rows: int, bar: bool, left_entry: int, right_entry: int) -> Geometry:
    """`left_entry` and `right_entry` are the columns of the longest entry of each pane; 0: it is not wanted."""
    left = right = 0
    if left_entry and columns >= LEFT_FROM:
        left_max = 20 if columns < 100 else 22 if columns < 120 else 24 if columns < 180 else 40
        left = min(max(left_entry, LEFT_MIN), left_max)
    if right_entry and columns >= RIGHT_FROM:
        right_max = 18 if columns < 120 else 22 if columns < 180 else 32
        right = min(max(right_entry, RIGHT_MIN), right_max)
        right = max(RIGHT_MIN, min(right, columns - left - MIDDLE_WANTED))
        left = left and max(LEFT_MIN, min(left, columns - right - MIDDLE_WANTED))
    wanted = max(1, min(input_rows, INPUT_ROWS_MAX, rows // 3))
    return Geometry(columns, rows, left, right, int(bar), wanted)


def geometry_of(screen: ScreenState, display: Display, is_scrolled: bool | None = None) -> Geometry:
    """`is_scrolled`: whether the open chat will be, where that is not what the state says."""
    if screen.bare and screen.dialogs.keys_page is None:
        return structs.replace(part(display.columns, display.rows, display.input_rows, True, 0, 0), framed=False)
    bar = display.rows >= BAR_FROM or needs_bar(screen, screen.is_scrolled if is_scrolled is None else is_scrolled)
    left = right = 0
    if screen.dialogs.keys_page is None:  # the page of keys has all of the screen
        left = widest_chat_entry(screen) if screen.side_panels != "none" else 0
        if screen.side_panels == "both" and not screen.chats.open.is_direct:  # the title says it of a chat of two
            right = widest_person_entry(screen)
    parts = part(display.columns, display.rows, display.input_rows, bar, left, right)
    parts = structs.replace(
        parts,
        left=_set(display.look.left, parts.left, display.columns),
        right=_set(display.look.right, parts.right, display.columns),
    )
    rows = len(bar_rows(screen, parts.middle, _bar_rows_max(display.rows)))
    return structs.replace(parts, bar=rows) if parts.bar and rows > 1 else parts


def _bar_rows_max(rows: int) -> int:
    return min(BAR_ROWS_MAX, max(1, rows // 4))


def _set(wanted: int, needed: int, columns: int) -> int:
    """The columns of a pane that is shown: those that the user has set, at most a third of the screen."""
    return min(wanted, columns // 3) if wanted and needed else needed
