"""The keys of the input line in both front ends, in place of prompt_toolkit's own.

A key that is bound to nothing is swallowed whole, and a message says so.
"""

import asyncio
import select
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prompt_toolkit.application import Application, application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Filter, buffer_has_focus, has_completions, is_searching
from prompt_toolkit.filters.base import Always
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.key_binding.bindings import search
from prompt_toolkit.key_binding.bindings.cpr import load_cpr_bindings
from prompt_toolkit.key_binding.bindings.mouse import load_mouse_bindings
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.key_binding.key_bindings import Binding
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.utils import _CHAR_SIZES_CACHE
from wcwidth import grapheme_boundary_before, iter_graphemes

from chat_client.common.cells import glyphs, safe
from chat_client.common.completion import Known, complete
from chat_client.common.key_decoder import FOCUS_IN, FOCUS_OUT, REPLACEMENT, Keyboard, name
from chat_client.common.keys import Keymap
from chat_client.sdk.typed_line import secret_from
from chat_server.protocol.connection import CommandForm

# How long a lone Esc waits for the rest of a sequence. Keys that belong together come out of Keyboard together.
ESCAPE_SECONDS = 0.05
# How long it waits on where it may be the first byte of an answer, all of whose bytes are on their way.
KEPT_ESCAPE_SECONDS = 0.3
PREFIX_SECONDS = 2.0  # for which Ctrl-X waits for the key behind it

NOT_UTF_8 = f"there was something that is not UTF-8: {REPLACEMENT} stands for it"

# prompt_toolkit gives each half of a flag two cells; a whole flag has two. Nothing public sets a character's width.
_CHAR_SIZES_CACHE.update({chr(code): 1 for code in range(0x1F1E6, 0x1F200)})
# prompt_toolkit makes 700 bindings for each application, which takes 4 ms, and `set_keys` puts others in their place.
# No argument leaves them out. If a later version calls that function by another way, they are only made in vain.
application.load_key_bindings = KeyBindings  # type: ignore[attr-defined]

Handler = Callable[[KeyPressEvent], Any]


def after(text: str, at: int) -> int:
    """The end of the character that begins there, as a person counts characters."""
    return at + len(next(iter(iter_graphemes(text[at : at + 64])), ""))


def before(text: str, at: int) -> int:
    return grapheme_boundary_before(text, at) if at else 0


def _left(event: KeyPressEvent) -> None:
    line = event.current_buffer
    line.cursor_position = before(line.text, line.cursor_position)


def _right(event: KeyPressEvent) -> None:
    line = event.current_buffer
    line.cursor_position = after(line.text, line.cursor_position)


def _delete_before(event: KeyPressEvent) -> None:
    line = event.current_buffer
    line.delete_before_cursor(line.cursor_position - before(line.text, line.cursor_position))


def _delete(event: KeyPressEvent) -> None:
    line = event.current_buffer
    line.delete(after(line.text, line.cursor_position) - line.cursor_position)


def _up(event: KeyPressEvent) -> None:
    event.current_buffer.auto_up()
    _to_boundary(event.current_buffer)


def _down(event: KeyPressEvent) -> None:
    event.current_buffer.auto_down()
    _to_boundary(event.current_buffer)


def _to_boundary(line: Buffer) -> None:
    """Columns are counted in code points; the cursor never stands within a character."""
    if line.cursor_position < len(line.text):
        start = before(line.text, line.cursor_position + 1)
        if start != line.cursor_position:
            line.cursor_position = start


def _swap(event: KeyPressEvent) -> None:
    """The character before the cursor with the one on it; at the end the last two."""
    line = event.current_buffer
    text, at = line.text, line.cursor_position
    at = before(text, at) if at == len(text) else at
    first, end = before(text, at), after(text, at)
    if first < at:
        line.document = Document(text[:first] + text[at:end] + text[first:at] + text[end:], end)


def _undo(event: KeyPressEvent) -> None:
    event.current_buffer.undo()


def _as_enter(event: KeyPressEvent) -> None:
    event.key_processor.feed(KeyPress(Keys.ControlM, "\r"), first=True)


def _complete_previous(event: KeyPressEvent) -> None:
    event.current_buffer.complete_previous()


def _named(word: str) -> Handler:
    """A command of readline's."""
    command: Binding | Handler = get_by_name(word)
    return command.call if isinstance(command, Binding) else command


def _search(binding: Any) -> Handler:
    return binding.call if isinstance(binding, Binding) else binding


# What the actions of the table in the line do.
EDITOR: dict[str, Handler] = {
    "left": _left,
    "right": _right,
    "word_left": _named("backward-word"),
    "word_right": _named("forward-word"),
    "line_start": _named("beginning-of-line"),
    "line_end": _named("end-of-line"),
    "text_start": _named("beginning-of-buffer"),
    "text_end": _named("end-of-buffer"),
    "line_up": _up,
    "line_down": _down,
    "delete_left": _delete_before,
    "delete_right": _delete,
    "cut_word_left": _named("unix-word-rubout"),
    "cut_part_left": _named("backward-kill-word"),
    "cut_word_right": _named("kill-word"),
    "cut_left": _named("unix-line-discard"),
    "cut_right": _named("kill-line"),
    "paste_cut": _named("yank"),
    "swap": _swap,
    "undo": _undo,
    "complete_back": _complete_previous,
    "find_typed": _search(search.start_reverse_incremental_search),
}
_EVER: Filter = Always()
_WHEN: dict[str, Filter] = {"complete_back": has_completions, "find_typed": ~is_searching}
# What keys do while one searches what was typed.
SEARCHING: tuple[tuple[tuple[str, ...], Handler], ...] = (
    (("c-r", "up", "c-p"), _search(search.reverse_incremental_search)),
    (("c-s", "down", "c-n"), _search(search.forward_incremental_search)),
    (("c-c", "c-g"), _search(search.abort_search)),
    (("enter", "escape"), _search(search.accept_search)),
)


class Glyphs(Processor):
    """Show the line in the glyphs of messages: joined emojis taken apart, each as wide as the terminal shows it."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = explode_text_fragments(transformation_input.fragments)
        text = "".join(fragment[1] for fragment in fragments)
        if text.isascii():
            return Transformation(transformation_input.fragments)
        shown: StyleAndTextTuples = []
        places: list[int] = []  # where each character is shown
        sources: list[int] = []  # which one each place shows
        for cluster in iter_graphemes(text):
            at, source = sum(len(each[1]) for each in shown), len(places)
            glyph = "".join(each for each, _ in glyphs(cluster))
            shown.append((fragments[source][0], glyph))
            places += [at] * len(cluster)
            sources += [source] * len(glyph)
        places.append(len(sources))
        sources.append(len(text))
        return Transformation(
            shown,
            lambda source: places[min(source, len(text))] + max(0, source - len(text)),
            lambda place: sources[min(place, len(sources) - 1)] + max(0, place - len(sources) + 1),
        )


class HiddenSecrets(Processor):
    """Shows `*` for what may be a password in the command that is typed."""

    def __init__(self, commands: Callable[[], Sequence[CommandForm]]) -> None:
        self._commands = commands

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        document, fragments = transformation_input.document, transformation_input.fragments
        start = secret_from(document.text, self._commands())
        if start is None:
            return Transformation(fragments)
        start -= document.translate_row_col_to_index(transformation_input.lineno, 0)
        shown: StyleAndTextTuples = [
            (fragment[0], fragment[1] if place < start or fragment[1] == " " else "*")
            for place, fragment in enumerate(explode_text_fragments(fragments))
        ]
        return Transformation(shown)


class Candidates(Completer):
    """The candidates of `completion`, as prompt_toolkit wants them."""

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        for each in complete(document.text_before_cursor, self._known()):
            yield Completion(each.text, -each.replaces, display=safe(each.shows), display_meta=safe(each.hint))


def set_keys(
    app: Application[Any],
    keymap: Keymap,
    told: Callable[[str], None],
    suspend: Callable[[], None],
    answered: Callable[[str], None] = lambda answer: None,
    expects_answer: Callable[[], bool] = lambda: False,
) -> None:
    """Give the application these keys instead of prompt_toolkit's. `told` gets a message when a key did nothing. The
    last two are those of `Keyboard`."""
    # Private, since an application always has prompt_toolkit's own bindings besides those that it is given.
    app._default_bindings = merge_key_bindings(
        [_keys(keymap, told, suspend), load_mouse_bindings(), load_cpr_bindings()]
    )
    app.ttimeoutlen, app.timeoutlen = ESCAPE_SECONDS, PREFIX_SECONDS

    def release() -> None:
        """Make the Esc a key that was kept, if no answer has come."""
        if app.is_running and isinstance(app.input, Vt100Input) and getattr(app.input.vt100_parser, "is_kept", False):
            app.key_processor.feed_multiple(app.input.flush_keys())
            app.key_processor.process_keys()

    listen(
        app.input,
        answered,
        expects_answer,
        lambda: asyncio.get_running_loop().call_later(KEPT_ESCAPE_SECONDS, release),
    )


def listen(
    input: Input,
    answered: Callable[[str], None] = lambda answer: None,
    expects_answer: Callable[[], bool] = lambda: False,
    on_kept: Callable[[], object] = lambda: None,
) -> None:
    """Have `Keyboard` decode this input."""
    if isinstance(input, Vt100Input):
        input.vt100_parser = Keyboard(input.vt100_parser.feed_key_callback, answered, expects_answer, on_kept)
        input.stdin_reader = TerminalReader(input.fileno(), encoding=input.stdin.encoding)


class TerminalReader(PosixStdinReader):
    """Notices that the terminal is gone, also without a SIGHUP: prompt_toolkit takes the error for a signal and would
    read again for ever, at full speed.
    """

    def read(self, count: int = 1024) -> str:
        text = super().read(count)
        if not text and not self.closed:
            poll = select.poll()
            poll.register(self.stdin_fd, select.POLLIN)
            self.closed = any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
        return text


def _keys(keymap: Keymap, told: Callable[[str], None], suspend: Callable[[], None]) -> KeyBindings:
    """Of two bindings that apply, the later one gets the key."""
    keys = KeyBindings()

    @keys.add(Keys.Any, save_before=_is_first)
    def _(event: KeyPressEvent) -> None:
        last = event.key_sequence[-1]
        if isinstance(last.key, Keys):
            told(f"{name([last])} does nothing here")
        elif buffer_has_focus():
            _insert(event.current_buffer, last.data, told)

    @keys.add("escape", Keys.Any)
    def _(event: KeyPressEvent) -> None:
        told(f"{name(event.key_sequence)} does nothing here")

    for prefix in keymap.prefixes:
        _swallow_unknown(keys, prefix, told)
    for action, handler in EDITOR.items():
        for presses in keymap.presses(action):
            when = buffer_has_focus & _WHEN.get(action, _EVER)
            keys.add(*presses, filter=when, save_before=_is_first)(handler)
    for each, handler in SEARCHING:
        for key in each:
            keys.add(key, filter=buffer_has_focus & is_searching)(handler)
    add(keys, keymap, "redraw", lambda event: event.app.renderer.clear())
    add(keys, keymap, "suspend", lambda event: suspend())
    keys.add("c-j")(_as_enter)

    @keys.add("escape", filter=~is_searching)
    @keys.add(FOCUS_IN)
    @keys.add(FOCUS_OUT)
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        pass

    @keys.add(Keys.BracketedPaste, filter=buffer_has_focus)
    def _(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        _insert(event.current_buffer, text.replace("\n", " ") if is_searching() else text, told)

    return keys


def _swallow_unknown(keys: KeyBindings, prefix: str, told: Callable[[str], None]) -> None:
    """What comes behind Ctrl-X and is no key with it, is swallowed too: nobody has meant it as text."""

    @keys.add(prefix, Keys.Any)
    def _(event: KeyPressEvent) -> None:
        told(f"{' '.join(name([press]) for press in event.key_sequence)} does nothing here")


def add(keys: KeyBindings, keymap: Keymap, action: str, handler: Handler, when: Filter = _EVER) -> None:
    """Bind all keys of an action."""
    for presses in keymap.presses(action):
        keys.add(*presses, filter=when)(handler)


def _is_first(event: KeyPressEvent) -> bool:
    """Save for undo only before the first key of a run, so that a run is undone at once."""
    return not event.is_repeat


def _insert(line: Buffer, text: str, told: Callable[[str], None]) -> None:
    if REPLACEMENT in text:
        told(NOT_UTF_8)
    line.insert_text(text)
