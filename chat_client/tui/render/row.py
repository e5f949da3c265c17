"""One row of the screen, and the display that shows it."""

from datetime import tzinfo

from msgspec import Struct

from chat_client.common.cells import Fragment, cut, row_width
from chat_client.tui.render.look import Look

INPUT_ROWS_MAX = 6


class Row(Struct, frozen=True):
    """`fragments` are styles with texts, `fill` the style under all of them. A click on the row means the message or
    the chat that it belongs to, or a command to type."""

    fragments: tuple[tuple[str, str], ...]
    fill: str = ""
    id: int | None = None
    chat: str | None = None
    command: str | None = None


class Display(Struct, frozen=True):
    """The terminal's size, how many rows the text in the input takes, and the zone of the times that are shown (None:
    that of the machine), and the look that the user has set."""

    columns: int
    rows: int
    input_rows: int = 1
    zone: tzinfo | None = None
    look: Look = Look()


def ends(left: list[Fragment], right: list[Fragment], columns: int) -> Row:
    """What stands at both ends; the left one gives way, but for half of the row."""
    right = list(cut(right, max(columns // 2, columns - row_width(left))))
    space = columns - row_width(right)
    left = list(cut(left, space))
    return Row((*left, ("", " " * (space - row_width(left))), *right))
