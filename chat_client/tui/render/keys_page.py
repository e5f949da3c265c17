"""The page of keys, made from the table of keys."""

from chat_client.common.cells import Fragment, pad, row_width, wrap
from chat_client.tui.render.row import Row
from chat_client.tui.render.viewport import page_rows
from chat_client.tui.state.dialogs import KeysPage
from chat_client.tui.state.keys import GROUPS, KEYS

_KEY_CELLS = 17
TWO_COLUMNS_FROM = 100
FIRST_COLUMN = 3  # groups


def keys_rows(page: KeysPage, columns: int, height: int) -> list[Row]:
    """What of it is on the screen."""
    lines = _lines(columns)
    top = _clamp(page.top, lines, height)
    shown = lines[top : top + height]
    return [Row(tuple(line)) for line in shown] + [Row(())] * (height - len(shown))


def first_row(page: KeysPage, columns: int, height: int) -> int:
    """The first row on the screen after the page's moves, which never go past its end."""
    lines = _lines(columns)
    top = _clamp(page.top, lines, height)
    for move in page.moves:
        top = _clamp(top - move.rows - move.pages * page_rows(height), lines, height)
    return top


def _clamp(top: int, lines: list[list[Fragment]], height: int) -> int:
    return max(0, min(top, len(lines) - height))


def _lines(columns: int) -> list[list[Fragment]]:
    if columns < TWO_COLUMNS_FROM:
        return [line for group in GROUPS for line in _group(group, columns)][1:]
    half = columns // 2
    first = [line for group in GROUPS[:FIRST_COLUMN] for line in _group(group, half)][1:]
    second = [line for group in GROUPS[FIRST_COLUMN:] for line in _group(group, half)][1:]
    blank: list[Fragment] = [("", " " * half)]
    return [
        [*(_fill(first[at], half) if at < len(first) else blank), *(second[at] if at < len(second) else [])]
        for at in range(max(len(first), len(second)))
    ]


def _fill(line: list[Fragment], columns: int) -> list[Fragment]:
    return [*line, ("", " " * max(0, columns - row_width(line)))]


def _group(group: str, columns: int) -> list[list[Fragment]]:
    lines: list[list[Fragment]] = [[], [("heading", f"  {group}")]]
    for key in KEYS:
        if key.group != group or not key.shows:
            continue
        words = wrap([("body", key.help)], max(10, columns - _KEY_CELLS - 5))
        for number, line in enumerate(words):
            lines.append([("key", "  " + pad(key.shows if number == 0 else "", _KEY_CELLS) + " "), *line])
    return lines
