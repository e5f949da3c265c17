"""The geometry of the screen: columns and rows of each pane, for any size of terminal."""

from msgspec import Struct, structs

from chat_client.tui.render.row import Display
from chat_client.tui.render.side_panels import widest_chat_entry, widest_person_entry
from chat_client.tui.state.screen_state import ScreenState

COLUMNS_MIN, ROWS_MIN = 20, 5
LEFT_FROM, RIGHT_FROM = 76, 104  # columns of the terminal from which a side pane is shown
LEFT_MIN, RIGHT_MIN = 16, 14  # columns of a pane, which is otherwise as wide as its longest entry
BAR_FROM = 24  # rows of the terminal from which the bar over the input has its row always
INPUT_ROWS_MAX = 6
NEAR_LIMIT = 0.9  # of what a message may have, from which on the bar says it in amber


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
    return structs.replace(
        parts,
        left=_set(display.look.left, parts.left, display.columns),
        right=_set(display.look.right, parts.right, display.columns),
    )


def _set(wanted: int, needed: int, columns: int) -> int:
    """The columns of a pane that is shown: those that the user has set, at most a third of the screen."""
    return min(wanted, columns // 3) if wanted and needed else needed


def needs_bar(screen: ScreenState, is_scrolled: bool) -> bool:
    """Whether the bar over the input says something."""
    composer = screen.composer
    return (
        is_scrolled
        or screen.reading.unread_above > 0
        or bool(composer.target or composer.usage or screen.dialogs.question or screen.flash or screen.transfers)
        or bool(screen.feed.selected)
        or (screen.shows_chat and screen.feed.ends_with_answer)
        or screen.composer.text.count("\n") >= INPUT_ROWS_MAX
        or len(screen.composer.text) >= screen.session.text_max * NEAR_LIMIT
    )
