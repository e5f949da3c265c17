"""A tmux screen as an SVG picture: each cell with its colours, as `tmux capture-pane -e` gives them."""

import re
from html import escape

from wcwidth import wcwidth

CELL, LINE, FONT = 8.4, 18, 14
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_OTHER = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|\[[0-9;?]*[a-zA-Z]|.)")
_BASIC = (
    "#1c1c1c", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d0d0d0",
    "#5c6370", "#ff7b86", "#b5e890", "#ffd68a", "#82c4ff", "#e08bf5", "#7ed6df", "#ffffff",
)  # fmt: skip


class Pen:
    """How the next character is written."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.fg: str | None = None
        self.bg: str | None = None
        self.bold = self.italic = self.underline = self.reverse = self.dim = False

    def set(self, codes: str) -> None:
        numbers = [int(each or 0) for each in re.split("[;:]", codes)] if codes else [0]
        while numbers:
            code = numbers.pop(0)
            if code == 0:
                self.clear()
            elif code in (38, 48):
                colour = self._colour(numbers)
                self.fg, self.bg = (colour, self.bg) if code == 38 else (self.fg, colour)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.fg = _BASIC[code - 30 if code < 90 else code - 82]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.bg = _BASIC[code - 40 if code < 100 else code - 92]
            else:
                self._flag(code)

    def _flag(self, code: int) -> None:
        flags = {1: ("bold", True), 2: ("dim", True), 3: ("italic", True), 4: ("underline", True),
                 7: ("reverse", True), 22: ("bold", False), 23: ("italic", False), 24: ("underline", False),
                 27: ("reverse", False), 39: ("fg", None), 49: ("bg", None)}  # fmt: skip
        if code in flags:
            setattr(self, *flags[code])

    @staticmethod
    def _colour(numbers: list[int]) -> str:
        if numbers.pop(0) == 2:
            red, green, blue = numbers[:3]
            del numbers[:3]
            return f"#{red:02x}{green:02x}{blue:02x}"
        number = numbers.pop(0)
        if number < 16:
            return _BASIC[number]
        if number >= 232:
            return f"#{(number - 232) * 10 + 8:02x}" + f"{(number - 232) * 10 + 8:02x}" * 2
        steps = (0, 95, 135, 175, 215, 255)
        number -= 16
        return "#" + "".join(f"{steps[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def svg(captured: str, columns: int, rows: int, ground: str = "#121216", ink: str = "#d8dae2") -> str:
    """The picture of what `capture-pane -e -p` has printed."""
    width, height = columns * CELL + 16, rows * LINE + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" xml:space="preserve">',
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>',
        "<style>text{font:14px 'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}</style>",
    ]
    pen = Pen()
    for number, line in enumerate(captured.split("\n")[:rows]):
        parts += _line(line, number, pen, ground, ink)
    return "\n".join([*parts, "</svg>", ""])


def _line(line: str, number: int, pen: Pen, ground: str, ink: str) -> list[str]:
    runs: list[tuple[int, int, str, tuple[str, str | None, str]]] = []
    column, at = 0, 0
    while at < len(line):
        if match := _SGR.match(line, at):
            pen.set(match[1])
            at = match.end()
            continue
        if match := _OTHER.match(line, at):
            at = match.end()
            continue
        char = line[at]
        at += 1
        cells = max(0, wcwidth(char))
        look = _look(pen, ground, ink)
        if runs and (cells == 0 or (cells == 1 and runs[-1][3] == look and runs[-1][1] == len(runs[-1][2]))):
            start, wide, text, same = runs[-1]
            runs[-1] = (start, wide + cells, text + char, same)
        else:
            runs.append((column, cells, char, look))
        column += cells
    y = 8 + number * LINE
    boxes, texts = [], []
    for start, cells, text, (fg, bg, style) in runs:
        x, length = 8 + start * CELL, cells * CELL
        if bg is not None:
            boxes.append(f'<rect x="{x:.1f}" y="{y}" width="{length + 0.4:.1f}" height="{LINE + 0.4}" fill="{bg}"/>')
        if text.strip():
            fixed = f' textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"' if cells > 1 else ""
            texts.append(f'<text x="{x:.1f}" y="{y + 13.5}" fill="{fg}"{style}{fixed}>{escape(text)}</text>')
    return [*boxes, *texts]


def _look(pen: Pen, ground: str, ink: str) -> tuple[str, str | None, str]:
    fg, bg = pen.fg or ink, pen.bg
    if pen.reverse:
        fg, bg = bg or ground, pen.fg or ink
    style = (' font-weight="bold"' if pen.bold else "") + (' font-style="italic"' if pen.italic else "")
    return fg, bg, style + (' text-decoration="underline"' if pen.underline else "")
