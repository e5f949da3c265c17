"""The container that draws frames with prompt_toolkit, and finds the row under a click.

prompt_toolkit's renderer compares each screen with the one before it, character by character, and that would be most of
what a frame costs. So a run, which is text of one style, is handed to it as one character that is as wide as its text.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, WritePosition
from prompt_toolkit.mouse_events import MouseEvent

from chat_client.common.cells import Fragment, glyphs, taken
from chat_client.tui.render.frame import Frame, Region
from chat_client.tui.render.markup import LINK_PREFIX
from chat_client.tui.render.row import Row
from chat_client.tui.terminal.link_output import linked, unlinked

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

REMEMBERED_MAX = 1000  # rows

OnMouse = Callable[[MouseEvent, Region, Row | None], None]
Runs = dict[int, Char]  # by their first columns


class DrawnRow(defaultdict[int, Char]):
    """A row of runs next to each other, up to its last column. It is taken apart into cells where something is drawn
    over it."""

    def __init__(self, columns: int) -> None:
        super().__init__(lambda: _BLANK)
        self._ends = ((columns - 1, _DRAWN),)
        self._apart = False

    def __missing__(self, column: int) -> Char:
        return _BLANK

    def __setitem__(self, column: int, char: Char) -> None:
        if not self._apart:
            self._apart = True
            self.update(_cells(dict(super().items())))
        super().__setitem__(column, char)
        self._ends = ((max(column, self._ends[0][0]), _DRAWN),)

    def end_behind(self, runs: Runs) -> None:
        """Leave free what stands behind these, so that it is erased and not drawn as blanks."""
        self._ends = ((max((column + run.width - 1 for column, run in runs.items()), default=0), _DRAWN),)

    def items(self) -> Any:
        """The renderer only looks for the end of the row in it."""
        return self._ends


def _run(text: str, style: str, wide: int) -> Char:
    run = Char.__new__(Char)  # Char.__init__ would remember each text for ever
    run.char, run.style, run.width = text, style, wide
    return run


def _cells(runs: Runs) -> Runs:
    """The same as runs of one glyph each; the second cell of a wide glyph is empty."""
    cells: Runs = {}
    for column, run in runs.items():
        for glyph, wide in glyphs(unlinked(run.char)):
            cells[column] = _run(glyph, run.style, wide)
            if wide == 2:
                cells[column + 1] = _run("", run.style, 0)
            column += wide
    return cells


_BLANK, _DRAWN = Char(" "), Char("x")


class Panel(Container):
    """`lay_out` gives the frame for a size. `dialog` is a window that shows nothing; it takes the keys while a dialog
    has them."""

    def __init__(
        self,
        lay_out: Callable[[int, int], Frame],
        line: Window,
        dialog: Window,
        on_mouse: OnMouse,
    ) -> None:
        self._lay_out = lay_out
        self._line, self._dialog = line, dialog
        self._on_mouse = on_mouse
        self._frame: Frame | None = None
        self._rows: dict[tuple[str, str, tuple[Fragment, ...], int, int, bool], Runs] = {}
        self._styles: dict[str, str] = {}

    def reset(self) -> None:
        self._line.reset()

    def preferred_width(self, max_available_width: int) -> Dimension:
        return Dimension()

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        return Dimension()

    def get_children(self) -> list[Container]:
        return [self._line, self._dialog]

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
            screen.data_buffer[number] = DrawnRow(columns)
        for region in frame.regions:
            if region.name != "finder":
                self._draw(screen, region, columns)
        x, y, wide, high = frame.input
        self._line.write_to_screen(
            screen, mouse_handlers, WritePosition(x, y, wide, high), parent_style, erase_bg, z_index
        )
        for region in frame.regions:
            if region.name == "finder":
                self._draw(screen, region, columns)
        for number in range(rows):
            if not y <= number < y + high:
                mouse_handlers.mouse_handlers[number] = defaultdict(lambda: self._mouse)
        screen.show_cursor = frame.cursor

    def _draw(self, screen: Screen, region: Region, columns: int) -> None:
        wide = min(region.columns, columns - region.x)
        for number, row in enumerate(region.rows[: region.height], region.y):
            drawn, runs = screen.data_buffer[number], self._row(region.style, row, region.x, wide, region.fills)
            if region.name == "finder":
                for column, cell in _cells(runs).items():
                    drawn[column] = cell
                continue
            drawn.update(runs)
            if not region.fills and isinstance(drawn, DrawnRow):
                drawn.end_behind(runs)

    def _row(self, style: str, row: Row, x: int, columns: int, fills: bool) -> Runs:
        key = (style, row.fill, row.fragments, x, columns, fills)
        runs = self._rows.get(key)
        if runs is None:
            if len(self._rows) >= REMEMBERED_MAX:
                self._rows.clear()
            runs = self._rows[key] = self._make_runs(f"{style} {row.fill}", row.fragments, x, x + columns, fills)
        return runs

    def _make_runs(self, under: str, fragments: tuple[Fragment, ...], x: int, end: int, fills: bool) -> Runs:
        runs: Runs = {}
        for style, text in fragments:
            text, wide = taken(text, end - x)
            if wide:
                style, _, address = style.partition(f" {LINK_PREFIX}")
                text = linked(text, address) if address else text
                runs[x] = _run(text, self._classes(f"{under} {style}"), wide)
                x += wide
        if x < end and fills:
            runs[x] = _run(" " * (end - x), self._classes(under), end - x)
        return runs

    def _classes(self, styles: str) -> str:
        classes = self._styles.get(styles)
        if classes is None:
            classes = self._styles[styles] = " ".join(f"class:{style}" for style in styles.split())
        return classes

    def _mouse(self, event: MouseEvent) -> "NotImplementedOrNone":
        x, y = event.position.x, event.position.y
        for region in reversed(self._frame.regions if self._frame else []):
            if region.x <= x < region.x + region.columns and region.y <= y < region.y + region.height:
                at = y - region.y
                self._on_mouse(event, region, region.rows[at] if at < len(region.rows) else None)
                return None
        return NotImplemented
