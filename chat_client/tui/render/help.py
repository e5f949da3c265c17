"""The page of keys, made from their table."""

from chat_client.common.cells import Fragment, pad, row_width, wrap
from chat_client.tui.render.items import Row
from chat_client.tui.state.keys import GROUPS, KEYS
from chat_client.tui.state.screen import Screen

_KEY_CELLS = 17
TWO_COLUMNS_FROM = 100
FIRST_COLUMN = 3  # groups


def help_rows(screen: Screen, columns: int, height: int) -> list[Row]:
    """What of it is on the screen; `help_from` is kept within it."""
    if columns >= TWO_COLUMNS_FROM:
        half = columns // 2
        first = [line for group in GROUPS[:FIRST_COLUMN] for line in _group(group, half)][1:]
        second = [line for group in GROUPS[FIRST_COLUMN:] for line in _group(group, half)][1:]
        longest = max(len(first), len(second))
        blank: list[Fragment] = [("", " " * half)]
        lines = [[*(_filled(first[at], half) if at < len(first) else blank),
                  *(second[at] if at < len(second) else [])] for at in range(longest)]  # fmt: skip
    else:
        lines = [line for group in GROUPS for line in _group(group, columns)][1:]
    start = min(screen.help_from or 0, max(0, len(lines) - height))
    screen.help_from = start
    shown = lines[start : start + height]
    return [Row(tuple(line)) for line in shown] + [Row(())] * (height - len(shown))


def _filled(line: list[Fragment], columns: int) -> list[Fragment]:
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
