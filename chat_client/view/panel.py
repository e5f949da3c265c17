"""Draws a frame into prompt_toolkit's screen: rows become cells, and a click finds the row that it hit.

Rows are handed to the screen as whole lists of cells, which are remembered: what does not change costs next to nothing.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, WritePosition
from prompt_toolkit.mouse_events import MouseEvent

from chat_client.layout.frame import Frame, Region
from chat_client.rows.cells import Fragment, glyphs
from chat_client.rows.items import Row

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

REMEMBERED_MAX = 4000  # rows, and characters in a style

OnMouse = Callable[[MouseEvent, Region, Row | None], None]


class FullRow(defaultdict[int, Char]):
    """A row of cells that is drawn up to its last column: the renderer need not look for its end cell by cell, which
    took it a third of its time."""

    def __init__(self, columns: int) -> None:
        super().__init__(lambda: _BLANK)
        self._ends = ((columns - 1, _DRAWN),)

    def items(self) -> Any:
        return self._ends


_BLANK, _DRAWN = Char(" "), Char("x")


class Panel(Container):
    """`lay_out` gives the frame for a size; `covers` is the window that takes the keys while a dialog has them."""

    def __init__(
        self,
        lay_out: Callable[[int, int], Frame],
        line: Window,
        covers: Window,
        search: Container,
        searching: Callable[[], bool],
        on_mouse: OnMouse,
    ) -> None:
        self._lay_out = lay_out
        self._line, self._covers, self._search = line, covers, search
        self._searching = searching
        self._on_mouse = on_mouse
        self._frame: Frame | None = None
        self._cells: dict[tuple[str, str, tuple[Fragment, ...], int], list[Char]] = {}
        self._chars: dict[tuple[str, str], Char] = {}
        self._styles: dict[str, str] = {}

    def reset(self) -> None:
        self._line.reset()

    def preferred_width(self, max_available_width: int) -> Dimension:
        return Dimension()

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        return Dimension()

    def get_children(self) -> list[Container]:
        return [self._line, self._covers, self._search]

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        columns, rows = write_position.width, write_position.height
        frame = self._frame = self._lay_out(columns, rows)
        screen.width, screen.height = max(screen.width, columns), max(screen.height, rows)
        for number in range(rows):
            screen.data_buffer[number] = FullRow(columns)
        for region in frame.regions:
            if region.name != "jump":
                self._draw(screen, region, columns)
        x, y, wide, high = frame.input
        self._line.write_to_screen(
            screen, mouse_handlers, WritePosition(x, y, wide, high), "class:input", erase_bg, z_index
        )
        if self._searching():
            place = WritePosition(x, max(1, y - 1), wide, 1)
            self._search.write_to_screen(screen, mouse_handlers, place, "class:bar", True, z_index)
        for region in frame.regions:
            if region.name == "jump":
                self._draw(screen, region, columns)
        for number in range(rows):
            if not y <= number < y + high:
                mouse_handlers.mouse_handlers[number] = defaultdict(lambda: self._mouse)
        screen.show_cursor = frame.cursor

    def _draw(self, screen: Screen, region: Region, columns: int) -> None:
        wide = min(region.columns, columns - region.x)
        for number, row in enumerate(region.rows[: region.height]):
            cells = self._row(region.style, row, wide)
            screen.data_buffer[region.y + number].update(zip(range(region.x, region.x + wide), cells, strict=True))

    def _row(self, style: str, row: Row, columns: int) -> list[Char]:
        key = (style, row.fill, row.fragments, columns)
        cells = self._cells.get(key)
        if cells is None:
            if len(self._cells) >= REMEMBERED_MAX:
                self._cells.clear()
            cells = self._cells[key] = self._made(f"{style} {row.fill}", row.fragments, columns)
        return cells

    def _made(self, under: str, fragments: tuple[Fragment, ...], columns: int) -> list[Char]:
        cells: list[Char] = []
        for style, text in fragments:
            named = self._named(f"{under} {style}")
            for glyph, wide in glyphs(text):
                if len(cells) + wide > columns:
                    break
                cells.append(self._char(glyph, named, wide))
                if wide == 2:
                    cells.append(self._char("", named, 0))  # its second cell
        space = self._char(" ", self._named(under), 1)
        cells.extend([space] * (columns - len(cells)))
        return cells

    def _char(self, glyph: str, style: str, wide: int) -> Char:
        char = self._chars.get((glyph, style))
        if char is None:
            if len(self._chars) >= REMEMBERED_MAX:
                self._chars.clear()
            char = self._chars[glyph, style] = Char(glyph, style)
            char.width = wide
        return char

    def _named(self, styles: str) -> str:
        named = self._styles.get(styles)
        if named is None:
            named = self._styles[styles] = " ".join(f"class:{style}" for style in styles.split())
        return named

    def _mouse(self, event: MouseEvent) -> "NotImplementedOrNone":
        x, y = event.position.x, event.position.y
        for region in reversed(self._frame.regions if self._frame else []):
            if region.x <= x < region.x + region.columns and region.y <= y < region.y + region.height:
                at = y - region.y
                self._on_mouse(event, region, region.rows[at] if at < len(region.rows) else None)
                return None
        return NotImplemented
