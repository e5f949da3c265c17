"""The key bindings: keys of the table go to the state, all others to the line editor."""

from collections.abc import Callable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Always, Condition, Filter, has_completions
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from chat_client.common.input_history import InputHistory
from chat_client.common.key_decoder import FOCUS_IN, FOCUS_OUT, REPLACEMENT
from chat_client.common.key_decoder import name as key_name
from chat_client.common.keys import ACTIONS, Presses, Where
from chat_client.common.line_editing import NOT_UTF_8, add
from chat_client.tui.state import navigation, typing
from chat_client.tui.state.keys import DEEDS, IN_DIALOGS
from chat_client.tui.state.screen_state import ScreenState
from chat_client.tui.terminal.candidate_list import complete

LEAVE_SECONDS = 2.0  # within which a second Ctrl-C leaves
_ESC_AND_SLASH: Presses = ("escape", "/")  # which is also Alt-/, for a user who has set that


class Bindings:
    """`acted` is called after whatever a key has done to the state; `focused` with what the terminal reports."""

    def __init__(
        self,
        screen: ScreenState,
        line: Buffer,
        history: InputHistory,
        acted: Callable[[], None],
        focused: Callable[[bool], None],
    ) -> None:
        self._screen, self._line, self._history = screen, line, history
        self._acted, self._focused = acted, focused
        self._cleared_at = -LEAVE_SECONDS
        self.keys = KeyBindings()
        self._in_dialog = Condition(lambda: screen.dialogs.is_open)
        self._in_list = Condition(lambda: screen.dialogs.is_list)
        self._in_finder = Condition(lambda: screen.dialogs.is_list and screen.dialogs.finder is not None)
        self._flash_before = self._answer = screen.flash  # what was told before the key, and what the key was told
        self._choosing = Condition(lambda: screen.is_choosing)
        self._among_results = Condition(self._is_among_results)
        self._is_empty = Condition(lambda: screen.is_typing and not line.text)
        self._is_at_end = Condition(lambda: not line.document.text_after_cursor)
        self._keymap = screen.keymap
        self._where: dict[Where, Filter] = {
            "screen": Always(),
            "empty": self._is_empty,
            "end": self._is_at_end,
            "chosen": self._choosing,
            "results": self._among_results,
            "line": Condition(lambda: screen.is_typing),
        }
        for name in DEEDS:
            for presses in self._keymap.presses(name):
                self._bind(name, presses)
        self._bind_line()
        self._bind_dialogs()
        self._bind_text()
        self.keys.add(FOCUS_IN)(lambda event: self._focused(True))
        self.keys.add(FOCUS_OUT)(lambda event: self._focused(False))

    def _is_among_results(self) -> bool:
        screen = self._screen
        is_line_free = screen.is_typing and not self._line.text and screen.composer.target is None
        return is_line_free and screen.shows_results and screen.feed.selected is not None

    def _bind(self, name: str, presses: Presses) -> None:
        where = self._where[ACTIONS[name].where]
        if name not in IN_DIALOGS:
            where &= ~self._in_dialog
        if presses == ("escape",):
            where &= ~has_completions

        @self.keys.add(*presses, filter=where)
        def _(event: KeyPressEvent) -> None:
            DEEDS[name](self._screen, self._line.text)
            self._acted()

    def _bind_line(self) -> None:
        bind, line = self.keys.add, self._line
        writing = Condition(lambda: self._screen.is_typing)

        @bind("enter", filter=writing & ~self._among_results)
        def _(event: KeyPressEvent) -> None:
            if line.complete_state is not None and line.complete_state.current_completion is not None:
                line.complete_state = None
                return
            line.complete_state = None
            if typing.submit(self._screen, line.text):
                line.append_to_history()
                line.reset()
                if self._screen.composer.aside:
                    self._screen.bring_back()
            self._acted()

        def find_typed(event: KeyPressEvent) -> None:
            navigation.find_typed(self._screen, self._history.current().lines, line.text)
            self._acted()

        add(self.keys, self._keymap, "find_typed", find_typed, writing)
        add(self.keys, self._keymap, "break_line", lambda event: line.insert_text("\n"), writing)

        def escape_and_begin_command(event: KeyPressEvent) -> None:
            """Esc and then a command, typed fast or through tmux, which waits before it passes an Esc on."""
            screen = self._screen
            if not screen.is_typing or screen.view is not None or screen.composer.target is not None:
                navigation.escape(screen)
            self._acted()
            line.insert_text("/")

        if not any(_ESC_AND_SLASH in self._keymap.presses(name) for name in ACTIONS):
            bind(*_ESC_AND_SLASH)(escape_and_begin_command)
        self._bind_completion(writing)
        self._bind_ends(writing)

    def _bind_completion(self, writing: Filter) -> None:
        bind, line = self.keys.add, self._line

        @bind("tab", filter=writing)
        def _(event: KeyPressEvent) -> None:
            if line.complete_state is not None:
                line.complete_next()
            else:
                complete(line)

        @bind("escape", filter=has_completions)
        def _(event: KeyPressEvent) -> None:
            line.cancel_completion()
            if (target := self._screen.composer.target) is not None and target.kind == "react":
                navigation.escape(self._screen)  # the list was not asked for
                self._acted()

    def _bind_ends(self, writing: Filter) -> None:
        """Bind what is pasted, and what clears the line or leaves."""
        bind, line = self.keys.add, self._line

        @bind(Keys.BracketedPaste, filter=writing)
        def _(event: KeyPressEvent) -> None:
            if REPLACEMENT in event.data:
                self._screen.tell("info", NOT_UTF_8)
            typing.paste(self._screen, event.data)
            self._acted()

        @bind("c-c")
        def _(event: KeyPressEvent) -> None:
            self._clear()
            self._acted()

        @bind("c-d", filter=Condition(lambda: not line.text) & writing)
        def _(event: KeyPressEvent) -> None:
            navigation.leave(self._screen)
            self._acted()

    def _clear(self) -> None:
        """Go one step back; or clear the line; or leave, at the second time."""
        screen = self._screen
        if not screen.is_typing or screen.composer.target is not None:
            navigation.escape(screen)
            return
        if screen.composer.aside:
            screen.bring_back()
            return
        if self._line.text:
            self._line.reset()
            return
        if screen.elapsed - self._cleared_at < LEAVE_SECONDS:
            navigation.leave(screen)
            return
        self._cleared_at = screen.elapsed
        screen.tell("info", "Ctrl-C again, or Ctrl-D, leaves", LEAVE_SECONDS)

    def _bind_dialogs(self) -> None:
        """Bind what keys do while a dialog has them."""
        screen, dialogs = self._screen, self._screen.dialogs
        bind = self.keys.add

        @bind(Keys.Any, filter=self._in_dialog)
        def _(event: KeyPressEvent) -> None:
            is_text = event.data != "" and event.data.isprintable()
            if isinstance(event.key_sequence[-1].key, Keys) and dialogs.question is None:
                screen.tell("info", f"{key_name(event.key_sequence)} does nothing here")
            elif dialogs.finder is not None and is_text:
                navigation.type_into_finder(screen, event.data)
            elif dialogs.keys_page is not None and event.data == " ":
                navigation.scroll(screen, pages=-1)
            elif dialogs.finder is None and is_text:
                typing.type_anyway(screen, event.data)
            elif dialogs.question is not None:
                typing.answer_question(screen, False)
            self._acted()

        def say_no(event: KeyPressEvent) -> None:
            typing.answer_question(screen, False)
            self._acted()

        for first in ("escape", *self._keymap.prefixes):
            bind(first, Keys.Any, filter=Condition(lambda: dialogs.question is not None))(say_no)

        @bind("enter", filter=self._in_dialog)
        def _(event: KeyPressEvent) -> None:
            if dialogs.finder is not None:
                navigation.open_found(screen, self._line.text)
            elif dialogs.question is not None:
                typing.answer_question(screen, True)
            else:
                navigation.escape(screen)
            self._acted()

        @bind("backspace", filter=self._in_finder)
        def _(event: KeyPressEvent) -> None:
            navigation.seek(screen, dialogs.finder.text[:-1] if dialogs.finder is not None else "")
            self._acted()

        @bind("c-u", filter=self._in_finder)
        def _(event: KeyPressEvent) -> None:
            navigation.seek(screen, "")
            self._acted()

        self._bind_moves()

    def _bind_moves(self) -> None:
        """Bind what moves within the finder and the page of keys."""
        screen = self._screen

        def doing(deed: Callable[[], object]) -> Callable[[KeyPressEvent], None]:
            def handler(event: KeyPressEvent) -> None:
                deed()
                self._acted()

            return handler

        up, down = doing(lambda: navigation.scroll(screen, 1)), doing(lambda: navigation.scroll(screen, -1))
        for name, move in {"up": up, "down": down, "tab": down, "s-tab": up, "c-p": up, "c-n": down}.items():
            self.keys.add(name, filter=self._in_list)(move)
        for action, deed in {
            "find_typed": down,
            "line_start": doing(lambda: navigation.show_oldest(screen)),
            "line_end": doing(lambda: navigation.show_end(screen)),
            "jump": doing(lambda: navigation.toggle_finder(screen)),
        }.items():
            add(self.keys, self._keymap, action, deed, self._in_list)

    def before_key(self) -> None:
        """What the key before was told ends, so that it hides nothing of what this one brings. Errors stay."""
        if self._answer is not None and self._screen.flash is self._answer:
            self._screen.flash = None
        self._flash_before, self._answer = self._screen.flash, None

    def after_key(self) -> None:
        told = self._screen.flash
        if told is not None and told is not self._flash_before and told.kind != "error":
            self._answer = told

    def _bind_text(self) -> None:
        """Bind text that is no key of a dialog nor of a message."""
        screen = self._screen
        bind = self.keys.add

        @bind(Keys.BracketedPaste, filter=self._in_dialog | self._choosing)
        def _(event: KeyPressEvent) -> None:
            if screen.dialogs.finder is not None:
                navigation.type_into_finder(screen, event.data)
            else:
                typing.type_anyway(screen, event.data)
            self._acted()

        @bind(Keys.Any, filter=self._choosing)
        def _(event: KeyPressEvent) -> None:
            screen.tell("info", "this key does nothing with a message; Esc goes back to the line", 2.0)
            self._acted()
