"""Sources of typed lines: a prompt with completion, a pipe, or a terminal that can only print.

Each is an `Input`, whose `lines` end with the input.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import count
from typing import BinaryIO, Protocol

from msgspec import Struct
from prompt_toolkit import PromptSession
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.completion import display_completions_like_readline
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from chat_client.common.completion import Known
from chat_client.common.editor import edited
from chat_client.common.input_history import InputHistory
from chat_client.common.key_decoder import ALT_AS_BEFORE, ALT_AS_ESC
from chat_client.common.keys import Keymap
from chat_client.common.line_editing import Candidates, Glyphs, HiddenSecrets, add, set_keys
from chat_client.common.suspension import Suspension
from chat_client.signals import interrupts_ignored
from chat_client.standard_streams import decode
from chat_client.startup import not_echoed
from chat_server.protocol.connection import CommandForm

PIPED_LINE_BYTES_MAX = 1 << 20
AHEAD_MAX = 100  # lines that were read and not executed yet


class Unreadable(Struct, frozen=True):
    """A line that cannot be read."""

    why: str


class Input(Protocol):
    # Whether a person types: little of what they have typed may hold up their next line.
    attended: bool

    def lines(self) -> AsyncIterator[str | Unreadable]: ...

    async def secret(self, words: str) -> str | None:
        """Ask for something that is not shown while it is typed; None: nothing was. No line may be awaited then."""
        ...

    def output(self) -> AbstractContextManager[None]:
        """Within this block, output does not disturb the line that is typed."""
        ...


class PromptKeyboard(Vt100Input):
    """A terminal that stays in raw mode while a line is printed.

    prompt_toolkit leaves it for that. What was typed meanwhile was shown twice, Ctrl-C ended the client, and Ctrl-D was
    lost.
    """

    def cooked_mode(self) -> AbstractContextManager[None]:
        return nullcontext()


class Prompt:
    """A line editor at the foot of what was said: the keys of `line_editing`, history, completion."""

    attended = True

    def __init__(
        self,
        words: Callable[[], str],
        known: Callable[[], Known],
        commands: Callable[[], Sequence[CommandForm]],
        history: InputHistory,
        keymap: Keymap,
    ) -> None:
        self._words, self._keymap = words, keymap
        self._leaving = self._edits = False
        self._default = ""
        self._session: PromptSession[str] = PromptSession(
            input=PromptKeyboard(sys.stdin),
            history=history.current(),
            completer=Candidates(known),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
            enable_history_search=False,
            erase_when_done=True,
            multiline=True,
            prompt_continuation="  ",
            input_processors=[HiddenSecrets(commands), Glyphs()],
        )
        # A draft of one chat must not come up in another: looked at before each frame, and before each line.
        self._session.app.before_render += lambda app: history.follow(self._session.default_buffer)
        output = self._session.output
        self._suspension = Suspension(
            self._session.app, lambda: _raw(output, ALT_AS_ESC), lambda: _raw(output, ALT_AS_BEFORE)
        )
        self._set_up(self._session, self._keys())

    def _set_up(self, session: PromptSession[str], keys: KeyBindings) -> None:
        session.app.key_bindings = keys
        # A terminal that does not tell where its cursor is needs no warning: nothing is drawn from the bottom up.
        session.app.renderer.cpr_not_supported_callback = None
        set_keys(session.app, self._keymap, lambda words: _tell(f"* {words}\n"), self._suspension.stop)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            self._leaving = False
            event.current_buffer.validate_and_handle()

        def begin(command: str, event: KeyPressEvent) -> None:
            event.current_buffer.cursor_position = 0
            event.current_buffer.insert_text(f"{command} ")
            event.current_buffer.cursor_position = len(event.current_buffer.text)

        add(keys, self._keymap, "editor", lambda event: self._open_editor(), ~is_searching)
        add(keys, self._keymap, "search", partial(begin, "/search"), ~is_searching)
        add(keys, self._keymap, "go_to_time", partial(begin, "/goto"), ~is_searching)
        add(keys, self._keymap, "break_line", lambda event: event.current_buffer.insert_text("\n"), ~is_searching)

        @keys.add("tab", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            display_completions_like_readline(event)

        @keys.add("c-d", filter=Condition(lambda: not self._session.default_buffer.text) & ~is_searching)
        def _(event: KeyPressEvent) -> None:
            event.app.exit(exception=EOFError())

        @keys.add("c-c", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            """Clears the line; on an empty one, twice, leaves."""
            if event.current_buffer.text:
                event.current_buffer.reset()
                self._leaving = False
            elif self._leaving:
                event.app.exit(exception=EOFError())
            else:
                self._leaving = True
                _tell("* Ctrl-C again, or Ctrl-D, leaves\n")

        return keys

    async def lines(self) -> AsyncIterator[str | Unreadable]:
        while True:
            try:
                edits, self._edits = self._edits, False
                default, self._default = self._default, ""
                yield await self._session.prompt_async(
                    self._words,
                    default=default,
                    handle_sigint=False,
                    set_exception_handler=False,
                    pre_run=self._open_editor if edits else None,
                )
            except EOFError:
                return

    def edit_next(self) -> None:
        """Have the user's editor opened for the next line."""
        self._edits = True

    def put_back(self, text: str) -> None:
        """Have a line that could not be sent yet stand in the prompt again, unless something else is typed there."""
        line = self._session.default_buffer
        if not self._session.app.is_running:
            self._default = text
        elif not line.text:
            line.document = Document(text)

    def _open_editor(self) -> None:
        self._session.app.create_background_task(self._edit())

    async def _edit(self) -> None:
        """While the prompt is there: what comes meanwhile waits until the editor gives the terminal back."""
        line = self._session.default_buffer
        try:
            with interrupts_ignored():
                line.document = Document(await edited(line.text, self._suspension.given_away()))
        except OSError as error:
            _tell(f"! the editor: {error.strerror or error}\n")

    async def secret(self, words: str) -> str | None:
        session = PromptSession[str](input=PromptKeyboard(sys.stdin), erase_when_done=True, is_password=True)
        keys = KeyBindings()
        keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
        for key in ("c-c", "c-d"):
            keys.add(key)(lambda event: event.app.exit(exception=EOFError()))
        self._set_up(session, keys)
        try:
            return await session.prompt_async(words, handle_sigint=False, set_exception_handler=False)
        except EOFError:
            return None

    @contextmanager
    def output(self) -> Iterator[None]:
        # Between two prompts, too.
        with self._session.input.raw_mode(), patch_stdout(), self._suspension.watched():
            yield


def _tell(line: str) -> None:
    sys.stdout.write(line)


def _raw(output: Output, sequence: str) -> None:
    output.write_raw(sequence)
    output.flush()


class Pipe:
    """Lines as they come from stdin: a pipe, a file, or a terminal that edits its own line."""

    def __init__(self, attended: bool, stdin: BinaryIO | None = None) -> None:
        self.attended = attended
        # Not sys.stdin's own buffer: the thread that waits for a line holds its lock, and Python would abort.
        self._stdin = stdin or os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
        self._loop = asyncio.get_running_loop()
        self._read: asyncio.Queue[str | Unreadable | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD_MAX)

    def _read_all(self) -> None:
        """On a thread of its own that nobody waits for at the end: a read of stdin cannot be cancelled."""
        lines = self._lines()
        line: str | Unreadable | None = ""
        while line is not None:
            self._room.acquire()
            line = next(lines, None)
            try:
                self._loop.call_soon_threadsafe(self._read.put_nowait, line)
            except RuntimeError:  # the loop is closed
                return

    def _lines(self) -> Iterator[str | Unreadable]:
        for number in count(1):
            try:
                line = self._stdin.readline(PIPED_LINE_BYTES_MAX)
                too_long = len(line) == PIPED_LINE_BYTES_MAX and not line.endswith(b"\n")
                while too_long and (more := self._stdin.readline(PIPED_LINE_BYTES_MAX)) and not more.endswith(b"\n"):
                    pass
            except (OSError, ValueError) as error:
                yield Unreadable(f"stdin cannot be read: {getattr(error, 'strerror', None) or error}")
                return
            if not line:
                return
            try:
                if too_long:
                    yield Unreadable(f"line {number} has more than {PIPED_LINE_BYTES_MAX} bytes: not sent")
                else:
                    yield decode(line).rstrip("\r\n")
            except UnicodeDecodeError:
                yield Unreadable(f"line {number} is not UTF-8: not sent")

    async def lines(self) -> AsyncIterator[str | Unreadable]:
        threading.Thread(target=self._read_all, daemon=True, name="stdin").start()
        while (line := await self._read.get()) is not None:
            self._room.release()
            yield line

    async def secret(self, words: str) -> str | None:
        with not_echoed(self._stdin):  # before anything asks for it: who types at once must not be shown it either
            sys.stdout.write(words)
            sys.stdout.flush()
            line = await self._read.get()
        if line is None:
            self._read.put_nowait(None)
            return None
        self._room.release()
        sys.stdout.write("\n")
        return line if isinstance(line, str) else None

    def output(self) -> AbstractContextManager[None]:
        return nullcontext()
