"""The keys of the line: each is in the documents, and what prompt_toolkit has besides does nothing, with a word."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.key_binding.key_bindings import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPress, _Flush
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, Layout, Window
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.utils import get_cwidth

from chat_client.common.cells import glyphs, width
from chat_client.common.key_decoder import name
from chat_client.common.keys import ACTIONS, keymap
from chat_client.common.line_editing import EDITOR, Glyphs, after, before, set_keys

FAMILY, FLAG, ACCENT = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "e\u0301"


def pressed(*presses: str) -> list[KeyPress]:
    bindings = KeyBindings()
    bindings.add(*presses)(lambda event: None)
    return [KeyPress(key, key if len(key) == 1 else "") for key in bindings.bindings[0].keys]


KEYMAP = keymap()
IN_THE_LINE = [*EDITOR, "redraw", "suspend"]
TABLE = [*(presses for name in IN_THE_LINE for presses in KEYMAP.presses(name)), ("c-j",)]
PREFIXES = {presses[0] for name in ACTIONS for presses in KEYMAP.presses(name) if len(presses) > 1}


QUIET = {Keys.BracketedPaste, Keys.SIGINT, Keys.CPRResponse, Keys.Vt100MouseEvent, Keys.ScrollUp, Keys.ScrollDown,
         Keys.WindowsMouseEvent, Keys.F23, Keys.F24}  # fmt: skip


async def test_what_prompt_toolkit_has_besides_does_nothing() -> None:
    """In Emacs mode, which is the client's: each of its keys is in the table, or is swallowed whole with a word."""
    table = [*TABLE, *((prefix,) for prefix in PREFIXES)]
    known = {tuple(press.key for press in pressed(*presses)) for presses in table}
    default = [b.keys for b in load_key_bindings().bindings if isinstance(b.keys[0], Keys) and Keys.Any not in b.keys]
    all_keys = {keys if keys[0] == Keys.Escape else keys[:1] for keys in default}
    left = [keys for keys in all_keys - known if keys[0] not in QUIET and len(keys) <= 2]
    assert len(left) > 50
    told: list[str] = []
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        control, runs = BufferControl(), asyncio.Event()
        app: Application[None] = Application(layout=Layout(Window(control)))
        set_keys(app, KEYMAP, told.append, lambda: None)
        running = asyncio.create_task(app.run_async(pre_run=runs.set))
        await runs.wait()
        line = control.buffer
        for keys in left:
            line.text, line.cursor_position = "one two", 3
            told.clear()
            app.key_processor.feed_multiple([KeyPress(key, "") for key in keys])
            app.key_processor.process_keys()
            assert (line.text, line.cursor_position) == ("one two", 3), keys
            assert told == [f"{name([KeyPress(key, '') for key in keys])} does nothing here"], keys
        app.exit()
        await running


@pytest.mark.parametrize(("key", "left"), [("escape", "hello"), ("enter", "hello"), ("c-g", "hx"), ("c-c", "hx")])
async def test_a_search_is_ended(key: str, left: str) -> None:
    history = InMemoryHistory()
    history.append_string("hello")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        session, runs = PromptSession[str](history=history), asyncio.Event()
        session.app.key_bindings = KeyBindings()
        set_keys(session.app, KEYMAP, lambda words: None, lambda: None)
        running = asyncio.create_task(session.prompt_async(default="hx", pre_run=runs.set))
        await runs.wait()
        await asyncio.wait_for(session.default_buffer._load_history_task or asyncio.sleep(0), 10)
        for presses in (("c-r",), ("e",), ("l",), (key,)):
            session.app.key_processor.feed_multiple([*pressed(*presses), _Flush])
            session.app.key_processor.process_keys()
        assert not session.app.layout.is_searching
        assert session.default_buffer.text == left
        session.app.exit(result="")
        await running


def test_a_character_is_what_a_person_takes_for_one() -> None:
    text = f"a{FAMILY}{FLAG}{ACCENT}b"
    ends, at = [], 0
    while at < len(text):
        at = after(text, at)
        ends.append(at)
    assert [text[start:end] for start, end in zip([0, *ends], ends, strict=False)] == ["a", FAMILY, FLAG, ACCENT, "b"]
    assert [before(text, end) for end in ends] == [0, *ends[:-1]]
    assert (after(text, len(text)), before(text, 0)) == (len(text), 0)


async def test_the_line_shows_the_glyphs_of_messages_and_the_cursor_is_where_they_are() -> None:
    text = f"a{FAMILY}{FLAG}{ACCENT}b"
    line = Buffer()
    line.text = text
    content = BufferControl(line, input_processors=[Glyphs()]).create_content(80, 1)
    shown = "".join(part[1] for part in content.get_line(0)).rstrip()
    assert shown == "".join(glyph for glyph, _ in glyphs(text))
    assert get_cwidth(shown) == width(text)
    ends = {0: 0, 1: 1, 1 + len(FAMILY): 7, 1 + len(FAMILY + FLAG): 9, len(text) - 1: 10, len(text): 11}
    for at, cells in ends.items():
        line.cursor_position = at
        content = BufferControl(line, input_processors=[Glyphs()]).create_content(80, 1)
        assert get_cwidth(shown[: content.cursor_position.x]) == cells, at


@pytest.mark.parametrize(
    ("key", "text", "at", "becomes", "then_at"),
    [
        ("up", f"{FAMILY}\nabc", len(FAMILY) + 3, f"{FAMILY}\nabc", 0),
        ("down", f"ab\n{FLAG}", 1, f"ab\n{FLAG}", 3),
        ("c-t", f"a{FLAG}{FAMILY}", 1 + len(FLAG), f"a{FAMILY}{FLAG}", len(f"a{FAMILY}{FLAG}")),
        ("c-t", f"{ACCENT}{FLAG}", 4, f"{FLAG}{ACCENT}", 4),
        ("c-t", f"{FLAG}", 2, f"{FLAG}", 2),
    ],
)
def test_no_key_leaves_the_cursor_within_a_character(key: str, text: str, at: int, becomes: str, then_at: int) -> None:
    line = Buffer(multiline=True)
    line.text, line.cursor_position = text, at
    handler = next(handler for name, handler in EDITOR.items() if (key,) in KEYMAP.presses(name))
    handler(cast(KeyPressEvent, SimpleNamespace(current_buffer=line)))
    assert (line.text, line.cursor_position) == (becomes, then_at)
