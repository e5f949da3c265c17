"""The prompt_toolkit application: the panel, the input line, keys and mouse."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.filters import Condition, Filter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.layout import BufferControl, Float, FloatContainer, FormattedTextControl, Layout, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import Processor
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.output import Output
from prompt_toolkit.styles import BaseStyle, DynamicStyle

from chat_client.common.completion import opens_list
from chat_client.common.input_history import InputHistory, TypedBuffer
from chat_client.common.line_editing import Glyphs, set_keys
from chat_client.tui.render.bar import hint
from chat_client.tui.render.frame import Frame, Region, frame, settle
from chat_client.tui.render.geometry import geometry_of
from chat_client.tui.render.look import DEFAULT_LOOK, Look
from chat_client.tui.render.row import INPUT_ROWS_MAX, Display, Row
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.read_tracking import Drawn
from chat_client.tui.state.screen_state import ScreenState
from chat_client.tui.terminal.bindings import Bindings
from chat_client.tui.terminal.candidate_list import load_emojis, open_list
from chat_client.tui.terminal.input_style import Hint
from chat_client.tui.terminal.palettes import TerminalColours
from chat_client.tui.terminal.panel import Panel
from chat_client.tui.terminal.terminal import FRAME_BEGIN, FRAME_END
from chat_client.tui.terminal.themes import ThemeName, color_depth, depth_for, theme

WHEEL_ROWS = 3
MENU_ROWS_MAX = 8


class Menu(Float):
    """The list of completions. Beside the cursor, or higher than there is room over the bar, it would cover the bar,
    which says what one answers."""

    def __init__(self) -> None:
        menu = CompletionsMenu(scroll_offset=1)
        super().__init__(menu, xcursor=True)
        self._rows_max = MENU_ROWS_MAX
        cast(Window, menu.content).height = lambda: Dimension(min=1, max=self._rows_max)

    def stand_above(self, below: int, rows: int) -> None:
        """So many of the screen's rows are below it."""
        self.bottom, self._rows_max = below, max(1, min(MENU_ROWS_MAX, rows - below))


class ThemedApplication(Application[int]):
    """The theme is all of its style. prompt_toolkit would put 200 names of colours and widgets before it, which nobody
    here uses, and look for the style of each character among them: 3 ms of the first screen."""

    def _create_merged_style(self, include_default_pygments_style: Filter) -> BaseStyle:
        return DynamicStyle(lambda: self.style)


class FullScreen:
    """`acted` is called after a key or the mouse has done something to the state, `drawn` with what each frame shows,
    `answered` with what the terminal answers; `expects_answer`: whether an answer may come."""

    def __init__(
        self,
        screen: ScreenState,
        theme_name: ThemeName,
        history: InputHistory,
        completer: Completer,
        acted: Callable[[], None],
        focused: Callable[[bool], None],
        drawn: Callable[[Drawn], None],
        suspend: Callable[[], None],
        answered: Callable[[str], None],
        expects_answer: Callable[[], bool],
        *,
        hidden: Sequence[Processor] = (),
        look: Look = DEFAULT_LOOK,
        colours: Mapping[str, Any] | None = None,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._screen, self._tell_acted, self._tell_drawn = screen, acted, drawn
        self._display, self._given = Display(80, 24, look=look), colours
        self._depth = depth_for(os.environ)
        self.line = TypedBuffer(
            history=history.current(),
            completer=completer,
            multiline=True,
            name="line",
        )
        self.line.on_text_insert += self._list_candidates
        control = BufferControl(
            buffer=self.line,
            focus_on_click=False,
            input_processors=[*hidden, Glyphs(), Hint(self._hint)],
        )
        self._window = Window(control, wrap_lines=True, get_line_prefix=self._prefix, style="class:input")
        self._dialog = Window(FormattedTextControl(focusable=True, show_cursor=False))
        panel = Panel(self._lay_out, self._window, self._dialog, self._mouse)
        self._menu = Menu()
        body = FloatContainer(panel, [self._menu])
        bindings = Bindings(screen, self.line, history, self._acted, focused)
        self.app = ThemedApplication(
            layout=Layout(body, focused_element=self._window),
            key_bindings=bindings.keys,
            style=theme(theme_name, self._depth, given=self._given),
            full_screen=True,
            enable_page_navigation_bindings=False,
            max_render_postpone_time=None,  # what was typed is shown at once, whatever comes in
            mouse_support=Condition(lambda: screen.mouse and not screen.bare),
            color_depth=color_depth(theme_name, self._depth),
            input=input,
            output=output,
        )
        set_keys(self.app, screen.keymap, self._told, suspend, answered, expects_answer)
        self.app.key_processor.before_key_press += lambda keys: bindings.before_key()
        self.app.key_processor.after_key_press += lambda keys: bindings.after_key()
        self.app.before_render += self._direct_keys
        self.app.before_render += lambda app: app.output.write_raw(FRAME_BEGIN)
        self.app.after_render += self._end_frame

    def set_theme(self, name: ThemeName, told: TerminalColours) -> None:
        """The theme MUST be of as many colours as the one before."""
        self.app.style = theme(name, self._depth, told, self._given)
        self.app.invalidate()

    def _acted(self) -> None:
        """Keys that are read together are executed one by one: each on what the one before has left, and each goes
        where the state then says."""
        settle(self._screen, self._display)
        self._tell_acted()
        self._direct_keys(self.app)

    def _list_candidates(self, line: Buffer) -> None:
        before, target = line.document.text_before_cursor, self._screen.composer.target
        if opens_list(before, target is not None and target.kind == "react"):
            open_list(line)
        elif before.endswith(":"):
            load_emojis()

    def _told(self, text: str) -> None:
        self._screen.tell("info", text)
        self._acted()

    def _direct_keys(self, app: Application[int]) -> None:
        """Have the keys go where the state says."""
        wanted = self._window if self._screen.is_typing else self._dialog
        if app.layout.current_window is not wanted:
            app.layout.focus(wanted)

    def _end_frame(self, app: Application[int]) -> None:
        app.output.write_raw(FRAME_END)
        app.output.flush()

    def _lay_out(self, columns: int, rows: int) -> Frame:
        self._display = replace(self._display, columns=columns, rows=rows)
        middle = geometry_of(self._screen, self._display).middle
        wanted = self._window.preferred_height(middle, INPUT_ROWS_MAX + 1).preferred
        self._display = replace(self._display, input_rows=max(1, wanted))
        settle(self._screen, self._display)
        laid_out = frame(self._screen, self._display)
        self._menu.stand_above(laid_out.below_feed, rows)
        self._tell_drawn(laid_out.drawn)
        return laid_out

    def _hint(self) -> tuple[str, int]:
        return hint(self._screen), geometry_of(self._screen, self._display).middle - 4

    def _prefix(self, line_number: int, wrapped: int) -> StyleAndTextTuples:
        if line_number == 0 and wrapped == 0:
            return [("class:prompt", "❯ ")]
        return [("", "  ")]

    def _mouse(self, event: MouseEvent, region: Region, row: Row | None) -> None:
        screen = self._screen
        if event.event_type is MouseEventType.SCROLL_UP:
            navigation.scroll(screen, WHEEL_ROWS)
        elif event.event_type is MouseEventType.SCROLL_DOWN:
            navigation.scroll(screen, -WHEEL_ROWS)
        elif event.event_type is not MouseEventType.MOUSE_UP or row is None:
            return
        elif row.command is not None:
            navigation.offer_command(screen, row.command, self.line.text)
        elif row.chat is not None:
            navigation.open_chat(screen, row.chat, self.line.text)
        elif row.id is not None and region.name == "feed":
            message_actions.click(screen, row.id)
        else:
            return
        self._acted()
