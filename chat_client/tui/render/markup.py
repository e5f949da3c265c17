"""The markup of texts: code, bold and italic, links, names, and the words that a search has found.

It is the common part of Markdown. The marks stay where they are, but for the fences around code: nothing that was typed
is hidden, and where a terminal shows no italics the marks still say it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from chat_client.common.cells import Fragment, glyphs, row_width
from chat_client.common.links import PATTERN, address, trimmed
from chat_client.tui.render.colours import name_style
from chat_server.protocol.names import NAME_CHARS, fold

LINK_PREFIX = "url="  # of the last word in a style, which tells where a link leads
CUT_MARK = "↵"  # ends a row of code that goes on in the next one
_EDGE = "▏"
_FENCED = r"(?ms)^[ ]{0,3}```[^\n`]*\n(?P<code>.*?)(?:(?:(?<=\n)|\n)[ ]{0,3}```[ \t]*(?:\n|\Z)|\Z)"
_MARKS = re.compile(
    rf"(?P<link>{PATTERN})"
    r"|(?P<code>(?P<ticks>`{1,3})(?!`)[^\n]{1,300}?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<bold>(?<![\w*])\*\*(?=[^\s*])[^\n]{0,300}?[^\s*]\*\*(?![\w*]))"
    r"|(?P<italic>(?<![\w*])\*(?=[^\s*])[^\n*]{0,300}?(?<=[^\s*])\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])[^\n_]{0,300}?(?<=[^\s_])_(?!\w))"
    rf"|(?P<at>@(?<![{NAME_CHARS}@]@)[{NAME_CHARS}]+(?<![._-]))"
)
_WORD = r"\w+"
_FILTER = r"(?i)[a-z]+:\S+"  # `in:#team`: no word that is sought


class Block(Struct, frozen=True):
    kind: Literal["prose", "code"]
    text: str


def blocks(text: str) -> list[Block]:
    """The text in its blocks, without the fences of code and the line breaks beside them."""
    if "```" not in text:
        return [Block("prose", text)]
    found: list[Block] = []
    start = 0
    for match in re.finditer(_FENCED, text):
        if not match["code"].strip():
            continue
        if before := text[start : match.start()].removesuffix("\n"):
            found.append(Block("prose", before))
        found.append(Block("code", match["code"]))
        start = match.end()
    if start < len(text):
        found.append(Block("prose", text[start:]))
    return found


def fragments(text: str, style: str, me: str | None = None) -> list[Fragment]:
    """Prose with its marks set apart. `me` is the user's name where the text mentions the user."""
    return [fragment for fragment in _fragments(text, style, me) if fragment[1]]


def _fragments(text: str, style: str, me: str | None) -> Iterator[Fragment]:
    start = 0
    for match in _MARKS.finditer(text):
        if match.start() < start:
            continue
        yield style, text[start : match.start()]
        start, whole = match.end(), match[0]
        kind = match.lastgroup
        if match["link"]:
            link = trimmed(whole)
            yield f"{style} link {LINK_PREFIX}{address(link)}", link
            start -= len(whole) - len(link)
        elif match["code"]:
            yield f"{style} code", whole
        elif match["at"]:
            is_me = me is not None and fold(whole[1:]) == fold(me)
            yield f"{style} {'me' if is_me else name_style(whole[1:])}", whole
        else:
            marks = 2 if kind == "bold" else 1
            yield f"{style} mark", whole[:marks]
            yield from _fragments(whole[marks:-marks], f"{style} {kind}", me)
            yield f"{style} mark", whole[-marks:]
    yield style, text[start:]


def code_lines(text: str, style: str, cells: int, query: str = "") -> list[list[Fragment]]:
    """Code on one ground, cut hard where it is too long, with the words set apart that the query has found."""
    inside = max(2, cells - 2)  # the edge before it, the mark of a cut behind it
    lines: list[list[Fragment]] = []
    for line in text.split("\n"):
        code: list[Fragment] = [(f"{style} code", line)]
        rows = _cut_hard(mark_found(code, query) if query else code, inside)
        for number, row in enumerate(rows):
            space = " " * (inside - row_width(row))
            mark = CUT_MARK if number + 1 < len(rows) else " "
            lines.append([(f"{style} code mark", _EDGE), *row, (f"{style} code", space), (f"{style} code mark", mark)])
    return lines


def _cut_hard(line: list[Fragment], cells: int) -> list[list[Fragment]]:
    rows: list[list[Fragment]] = [[]]
    used = 0
    for style, text in line:
        part = ""
        for glyph, wide in glyphs(text):
            if used + wide > cells:
                rows[-1].append((style, part))
                rows.append([])
                part, used = "", 0
            part += glyph
            used += wide
        rows[-1].append((style, part))
    return rows


# ---- what a search has found


@lru_cache(maxsize=8)
def _sought(query: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The words that are sought, and the beginnings of words, folded."""
    from chat_server.protocol.search_query import pieces  # as in `mark_found`
    from chat_server.protocol.word_folding import fold_words

    words, beginnings = set[str](), []
    for piece in pieces(query):
        if re.fullmatch(_FILTER, piece.text):
            continue
        *whole, last = re.findall(_WORD, fold_words(piece.text)) or [""]
        words.update(whole)
        if piece.prefix and last:
            beginnings.append(last)
        else:
            words.add(last)
    return frozenset(words - {""}), tuple(beginnings)


def _with(style: str, kind: str) -> str:
    """The style with one more word, which stands before where a link leads."""
    words, space, address = style.partition(f" {LINK_PREFIX}")
    return f"{words} {kind}{space}{address}"


def mark_found(fragments: list[Fragment], query: str) -> list[Fragment]:
    """The fragments with the words set apart that the query has found."""
    from chat_server.protocol.word_folding import fold_words  # 1 ms of a start that searches for nothing

    words, beginnings = _sought(query)
    marked: list[Fragment] = []
    for style, text in fragments:
        start = 0
        for match in re.finditer(_WORD, text):
            folded = fold_words(match[0])
            if folded in words or (beginnings and folded.startswith(beginnings)):
                marked += [(style, text[start : match.start()]), (_with(style, "found"), match[0])]
                start = match.end()
        marked.append((style, text[start:]))
    return [fragment for fragment in marked if fragment[1]]
