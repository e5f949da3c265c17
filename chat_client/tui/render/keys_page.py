"""The page of keys, made from the table of keys."""

from chat_client.common.cells import Fragment, cut, pad, row_width, width
from chat_client.common.keys import ACTIONS, GROUPS, KeyAction, Keymap
from chat_client.tui.render.row import Row
from chat_client.tui.render.viewport import page_rows
from chat_client.tui.state.dialogs import KeysPage

_KEY_CELLS = 18
TWO_COLUMNS_FROM = 100
# What is no key: what signs mean, and what the mouse does.
SIGNS = (
    ("✓", "the server has it, on disk"),
    ("◌ waiting", "it waits for an answer"),
    ("◌ held", "/confirm sends, /discard drops"),
    ("✗", "the server refused it, and why"),
    ("╭ ╰", "what a message answers"),
    ("● ○ ◐", "online, offline, away; ★ owner"),
)
MOUSE = (
    ("wheel", "scrolls"),
    ("click", "opens a chat, marks a message"),
    ("Shift+drag", "selects text, in most terminals"),
)


def keys_rows(page: KeysPage, keymap: Keymap, columns: int, height: int) -> list[Row]:
    """What of it is on the screen."""
    lines = _lines(keymap, columns)
    top = _clamp(page.top, lines, height)
    shown = lines[top : top + height]
    return [Row(tuple(line)) for line in shown] + [Row(())] * (height - len(shown))


def first_row(page: KeysPage, keymap: Keymap, columns: int, height: int) -> int:
    """The first row on the screen after the page's moves, which never go past its end."""
    lines = _lines(keymap, columns)
    top = _clamp(page.top, lines, height)
    for move in page.moves:
        top = _clamp(top - move.rows - move.pages * page_rows(height), lines, height)
    return top


def _clamp(top: int, lines: list[list[Fragment]], height: int) -> int:
    return max(0, min(top, len(lines) - height))


def _lines(keymap: Keymap, columns: int) -> list[list[Fragment]]:
    groups = [(group, _entries(group, keymap)) for group in GROUPS]
    groups += [("Signs", list(SIGNS)), ("Mouse", list(MOUSE))]
    if columns < TWO_COLUMNS_FROM:
        return [line for group in groups for line in _group(*group, columns)][1:]
    half = columns // 2
    blocks = [_group(*group, half) for group in groups]
    most = (sum(map(len, blocks)) + 1) // 2
    first: list[list[Fragment]] = []
    while blocks and len(first) + len(blocks[0]) // 2 <= most:
        first += blocks.pop(0)
    second = [line for block in blocks for line in block][1:]
    first, blank = first[1:], [("", " " * half)]
    return [
        [*(_fill(first[at], half) if at < len(first) else blank), *(second[at] if at < len(second) else [])]
        for at in range(max(len(first), len(second)))
    ]


def _fill(line: list[Fragment], columns: int) -> list[Fragment]:
    return [*line, ("", " " * max(0, columns - row_width(line)))]


def _group(group: str, entries: list[tuple[str, str]], columns: int) -> list[list[Fragment]]:
    """A blank line, the heading, and one line for each entry."""
    lines: list[list[Fragment]] = [[], [("heading", f"  {group}")]]
    for keys, help in entries:
        lines.append(list(cut([("key", "  " + pad(keys, _KEY_CELLS) + " "), ("body", help)], columns - 1)))
    return lines


def _entries(group: str, keymap: Keymap) -> list[tuple[str, str]]:
    """The keys and the words of each line: of an action, with those that are told together with it."""
    together: list[list[KeyAction]] = []
    for action in ACTIONS.values():
        if action.group != group:
            continue
        if action.line is None:
            together[-1].append(action)
        else:
            together.append([action])
    return [(_keys(actions, keymap), actions[0].line or actions[0].help) for actions in together]


def _keys(actions: list[KeyAction], keymap: Keymap) -> str:
    """The first key of each action, then those of the second ones and so on for which there is room."""
    shown = [keymap.shown(action.name) for action in actions]
    if len(actions) >= 10:  # Alt-1 to Alt-9, and Alt-0
        return (
            f"{keymap.first(actions[0].name)} … {keymap.first(actions[-2].name)[-1]}, {keymap.first(actions[-1].name)}"
        )
    firsts = [keys[0] for keys in shown if keys]
    while width(words := " ".join(firsts)) > _KEY_CELLS and len(firsts) > 1:
        firsts.pop()
    for at in range(1, max(map(len, shown), default=0)):
        more = " ".join((words, *(keys[at] for keys in shown if at < len(keys))))
        words = more if width(more) <= _KEY_CELLS else words
    return words or "(no key)"
