"""Text in the cells of a terminal: what each cell shows, how wide a text is, where a line breaks.

Everything that is shown passes through `glyphs`. So no message controls the terminal, and each text is as wide there as
it is here: what terminals disagree about (joined emojis, half a flag, variation selectors, marks that reorder a line)
is taken apart or left out.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from wcwidth import wcwidth

from chat_client import standard_streams

Fragment = tuple[str, str]  # style, text
Glyph = tuple[str, int]  # the characters that share one place; its width, 1 or 2

MARKS_MAX = 3  # combining marks on one character: more of them run into the lines above
_TAB = "    "
_REPLACEMENT = "\ufffd"
# The bidi embeddings, overrides and isolates are shown, since they are there to deceive.
_SHOWN = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
# Their width was changed by Unicode 16, or differs from one terminal to the next.
_DISPUTED = frozenset(
    map(chr, (*range(0x2630, 0x2638), *range(0x268A, 0x2690), *range(0x3248, 0x3250), 0x302E, 0x302F, 0x16FF0, 0x16FF1,
              *range(0x1D300, 0x1D357), *range(0x1D360, 0x1D379)))
)  # fmt: skip
_FLAG_A, _FLAG_Z = 0x1F1E6, 0x1F1FF
# A flag is two letters: two cells on a terminal that knows it and on one that shows the letters. One alone is not.
_FLAGS = re.compile(f"[{chr(_FLAG_A)}-{chr(_FLAG_Z)}]{{1,2}}")


@lru_cache(maxsize=8192)
def _width(char: str) -> int:
    """The cells of one character. 0: it belongs to the one before; -1: it is left out; -2: a replacement is shown;
    -3: it belongs to the one before, and takes a cell."""
    code = ord(char)
    if not standard_streams.has(char):  # prompt_toolkit writes one `?` for it, however wide it would be
        return -2
    if code < 0x20 or 0x7F <= code < 0xA0 or char in _SHOWN or char in _DISPUTED or 0xD800 <= code < 0xE000:
        return -2
    if code == 0x200D or 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF or 0xE0000 <= code <= 0xE0FFF:
        return -1
    if _FLAG_A <= code <= _FLAG_Z:
        return 1
    if unicodedata.category(char) == "Mc":  # vowel signs of Indic scripts: wcwidth gives them none, terminals one
        return -3
    width: int = wcwidth(char)
    if width == 0 and not _combines(char):
        return -1
    return width if width >= 0 else -2


def _combines(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or 0x1160 <= ord(char) <= 0x11FF


def _is_half(text: str) -> bool:
    return len(text) == 1 and _FLAG_A <= ord(text) <= _FLAG_Z


def _whole(flag: re.Match[str]) -> str:
    return flag[0] if len(flag[0]) == 2 else chr(ord("A") + ord(flag[0]) - _FLAG_A)


def glyphs(text: str) -> Iterator[Glyph]:
    """The text in its glyphs; line breaks pass as they are, with no width."""
    if text.isascii() and text.isprintable():
        for char in text:
            yield char, 1
        return
    held, held_width, marks = "", 0, 0
    for char in _FLAGS.sub(_whole, text):
        if char == "\n":
            if held:
                yield held, held_width
            yield "\n", 0
            held = ""
            continue
        if char == "\t":
            if held:
                yield held, held_width
            yield from ((" ", 1) for _ in _TAB)
            held = ""
            continue
        width = _width(char)
        if width == -1:
            continue
        if width == 0:
            if not held:
                held, held_width, marks = " ", 1, 0
            if marks < MARKS_MAX:
                held += char
                marks += 1
            continue
        if held_width == 1 and held and (width == -3 or (_is_half(held) and _is_half(char))):
            held, held_width = held + char, 2
            continue
        if held:
            yield held, held_width
        held, held_width, marks = (_REPLACEMENT, 1, 0) if width == -2 else (char, width if width > 0 else 1, 0)
    if held:
        yield held, held_width


def width(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(cells for _, cells in glyphs(text))


def safe(text: str) -> str:
    """The text in one line, as it will be shown."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if glyph == "\n" else glyph for glyph, _ in glyphs(text))


def taken(text: str, cells: int) -> tuple[str, int]:
    """As much of the text, on one line, as fits into so many cells, and how many of them it takes."""
    if text.isascii() and text.isprintable():
        return text[:cells], min(len(text), cells)
    kept, used = [], 0
    for glyph, wide in glyphs(text):
        if glyph == "\n":
            glyph, wide = " ", 1
        if used + wide > cells:
            break
        kept.append(glyph)
        used += wide
    return "".join(kept), used


def fit(text: str, cells: int) -> str:
    """The text in one line of at most so many cells, the end replaced by … where it is too long."""
    text = safe(text)
    if width(text) <= cells:
        return text
    return taken(text, cells - 1)[0].rstrip() + "…" if cells > 0 else ""


def fit_middle(text: str, cells: int) -> str:
    """The text in one line of at most so many cells, the middle replaced by … where it is too long: the ends of names
    tell more than their middles."""
    text = safe(text)
    if width(text) <= cells:
        return text
    head = taken(text, cells // 2)[0]
    tail = ""
    for glyph, _ in reversed(list(glyphs(text))):
        if width(head) + 1 + width(glyph + tail) > cells:
            break
        tail = glyph + tail
    return f"{head}…{tail}" if cells > 0 else ""


def pad(text: str, cells: int, right: bool = False) -> str:
    """The text in exactly so many cells."""
    text = fit(text, cells)
    spaces = " " * (cells - width(text))
    return spaces + text if right else text + spaces


def wrap(fragments: Iterable[Fragment], cells: int) -> list[list[Fragment]]:
    """Lines of at most so many cells, broken after a space or a wide character where there is one."""
    cells, fragments = max(cells, 2), list(fragments)
    # Most texts of most chats: a third of a frame's time went into their glyphs.
    is_plain = all(text.isascii() and text.isprintable() for _, text in fragments)
    if is_plain and sum(len(text) for _, text in fragments) <= cells:
        return [_joined(fragments)]
    lines: list[list[Fragment]] = []
    line: list[tuple[str, str, int]] = []  # style, glyph, width
    used, break_at = 0, 0

    def flush(until: int) -> None:
        nonlocal line, used, break_at
        lines.append(_joined((style, glyph) for style, glyph, _ in line[:until]))
        line = line[until:]
        used, break_at = sum(wide for _, _, wide in line), 0

    for style, text in fragments:
        for glyph, wide in glyphs(text):
            if glyph == "\n":
                flush(len(line))
                continue
            if used + wide > cells and glyph == " ":
                flush(len(line))
                continue
            # The rest after a break may still be too long.
            while used + wide > cells:
                flush(break_at or len(line))
            line.append((style, glyph, wide))
            used += wide
            if glyph == " " or (wide == 2 and len(glyph) == 1):
                break_at = len(line)
    flush(len(line))
    return lines


def _joined(parts: Iterable[Fragment]) -> list[Fragment]:
    """Parts of the same style next to each other become one."""
    fragments: list[Fragment] = []
    style, run = "", ""
    for next_style, glyph in parts:
        if next_style != style and run:
            fragments.append((style, run))
            run = ""
        style = next_style
        run += glyph
    if run:
        fragments.append((style, run))
    return fragments


def cut(fragments: Iterable[Fragment], cells: int) -> tuple[Fragment, ...]:
    """A row of at most so many cells, ended by … where it is too long."""
    row: list[Fragment] = []
    left = cells
    for style, text in fragments:
        wide = width(text)
        if wide > left:
            if left > 0:
                row.append((style, fit(text, left)))
            return tuple(row)
        row.append((style, text))
        left -= wide
    return tuple(row)


def row_width(fragments: Iterable[Fragment]) -> int:
    return sum(width(text) for _, text in fragments)
