"""Keys as they are pressed, in each state of the screen: with a line, a menu, a dialog, a chosen message, or bare."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prompt_toolkit.application.current import set_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.input import DummyInput
from prompt_toolkit.key_binding.key_processor import KeyPress, _Flush
from prompt_toolkit.keys import KEY_ALIASES, Keys
from prompt_toolkit.output import DummyOutput

from chat_client.common.completion import Known
from chat_client.common.input_history import InputHistory
from chat_client.common.keys import keymap, read_key
from chat_client.common.line_editing import Candidates
from chat_client.common.local_commands import with_local
from chat_client.tui.state import navigation
from chat_client.tui.state.effects import Ask, SetText
from chat_client.tui.terminal.bindings import Bindings
from chat_client.tui.terminal.window import FullScreen
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said

CHATS = ("main", "#team", "@bob")


class Keyboard:
    """What alice types; her screen says what came of it."""

    def __init__(self, me: Me, view: FullScreen) -> None:
        self.me, self._view = me, view

    def press(self, *keys: str) -> None:
        for key in keys:
            for press in read_key(key):
                named = Keys(KEY_ALIASES.get(press, press)) if len(press) > 1 else press
                self._view.app.key_processor.feed(KeyPress(named, press if len(press) == 1 else "\x1b["))
            self._view.app.key_processor.feed(_Flush)
            self._view.app.key_processor.process_keys()
            for effect in self.me.wanted(SetText):
                self._view.line.text = effect.text

    def type(self, text: str) -> None:
        self.press(*("Space" if each == " " else each for each in text))

    @property
    def line(self) -> str:
        return self._view.line.text

    @property
    def bar(self) -> str:
        return self.me.text("bar")


NAMES = Known(commands=with_local(()), users=("thea", "theo", "bob"))


@pytest.fixture
async def keyboard(tmp_path: Path) -> AsyncIterator[Keyboard]:
    me = Me(*(ChatInfo(name, 0, 0, muted=False) for name in CHATS))
    me.load(*(said(id) for id in range(1, 60)), said(60, who="alice"))
    typed = InputHistory(tmp_path / "typed", lambda: "alice", lambda: "main", list)
    view = FullScreen(
        me.screen, "dark", typed, Candidates(lambda: NAMES), me.settle, lambda focused: None, lambda drawn: None,
        lambda: None, lambda answer: None, lambda: False, input=DummyInput(), output=DummyOutput(),
    )  # fmt: skip
    with set_app(view.app):
        yield Keyboard(me, view)
    await asyncio.sleep(0)


async def test_what_a_key_was_told_ends_with_the_next_one(keyboard: Keyboard) -> None:
    for told, key in (("nothing unread elsewhere", "F4"), ("no mention below", "Alt-N"), ("does nothing", "Shift-Tab")):
        keyboard.press(key)
        assert told in keyboard.bar
    keyboard.type("h")
    assert keyboard.me.screen.flash is None
    keyboard.me.screen.tell("info", "the server says this")
    keyboard.me.screen.tell("error", "and this failed")
    keyboard.press("Alt-N", "Alt-Home", "x")
    assert keyboard.me.screen.flash is None
    keyboard.me.screen.tell("info", "what no key was told stays for its time")
    keyboard.press("x", "Alt-Home", "Alt-End")
    assert "stays for its time" in keyboard.bar


async def test_an_error_that_a_key_was_told_stays(keyboard: Keyboard) -> None:
    keyboard.press("Alt-↑", "Alt-↑", "e", "Alt-Home")
    assert "only your own messages can be edited" in keyboard.bar


@pytest.mark.parametrize(
    ("typed", "keys", "line"),
    [
        (":thu", ("Tab",), "👍 "),
        (":thu", ("↓",), "👍 "),
        ("::thu", ("Tab",), "👍 "),  # as by who types a colon where a reaction has one
        (":thu", ("Tab", "Tab"), "👎 "),
        ("/open", ("↑",), "/open_link "),
        (":bob", ("Esc",), ":bob"),
        ("/op", ("Tab",), "/open "),
        ("/op", ("Tab", "Shift-Tab", "Shift-Tab"), "/open_link "),
        ("hi @th", ("Tab",), "hi @the"),
        ("hi @th", ("Tab", "Tab"), "hi @thea "),
        ("hi @th", ("Tab", "↓", "↓"), "hi @theo "),
        ("hi @th", ("Tab", "Tab", "Esc"), "hi @the"),
        ("hi b", ("Tab",), "hi @bob "),
    ],
)
async def test_keys_find_a_list_however_soon_they_come(
    keyboard: Keyboard, typed: str, keys: tuple[str, ...], line: str
) -> None:
    """No task of the loop runs in between."""
    keyboard.type(typed)
    keyboard.press(*keys)
    assert keyboard.line == line


async def test_an_enter_right_behind_the_tab_ends_the_list_and_the_next_one_sends(keyboard: Keyboard) -> None:
    keyboard.type(":thu")
    keyboard.press("Tab", "Enter")
    assert keyboard.line == "👍 "
    keyboard.press("Enter")
    assert keyboard.line == ""


async def test_an_esc_right_behind_what_opens_a_list_closes_only_that(keyboard: Keyboard) -> None:
    keyboard.press("PgUp")
    keyboard.type("/op")
    keyboard.press("Esc")
    assert keyboard.me.screen.is_scrolled and keyboard.line == "/op"


async def test_an_enter_where_nothing_was_found_lets_no_text_into_the_open_chat(keyboard: Keyboard) -> None:
    keyboard.press("Ctrl-K")
    keyboard.type("zoe")
    keyboard.press("Enter")
    keyboard.type("a secret")
    keyboard.press("Enter")
    assert keyboard.me.screen.dialogs.finder is not None and keyboard.line == ""
    keyboard.press("Ctrl-U")
    keyboard.type("bob")
    keyboard.press("Enter")
    assert keyboard.me.screen.chats.open_name == "@bob"


async def test_a_list_is_gone_through_by_the_keys_of_any_list(keyboard: Keyboard) -> None:
    screen = keyboard.me.screen
    keyboard.me.hear(*(said(100 + id, who=f"user{id}", chat=f"@user{id}") for id in range(40)))
    keyboard.press("Ctrl-K")
    assert screen.dialogs.finder is not None
    seen, many = [], len(navigation.found(screen))
    for key in ("Ctrl-N", "↓", "Tab", "Ctrl-P", "Shift-Tab", "↑", "PgDn", "PgUp", "Alt-PgDn", "Alt-PgUp"):
        keyboard.press(key)
        seen.append(screen.dialogs.finder.at)
    assert seen == [1, 2, 3, 2, 1, 0, navigation.FINDER_PAGE_ROWS, 0, 3, 0]
    for end, begin in (("Alt-End", "Alt-Home"), ("End", "Home"), ("Ctrl-E", "Ctrl-A")):
        keyboard.press(end)
        assert screen.dialogs.finder.at == many - 1
        keyboard.press(begin)
        assert screen.dialogs.finder.at == 0
    assert not screen.is_scrolled, "what stands behind the list stays"
    keyboard.press("Ctrl-K")
    assert not screen.dialogs.is_open


async def test_the_page_of_keys_is_gone_through_like_a_list(keyboard: Keyboard) -> None:
    keyboard.me.resize(80, 24)
    dialogs = keyboard.me.screen.dialogs
    keyboard.press("F1", "Alt-End")
    assert dialogs.keys_page is not None
    end = dialogs.keys_page.top
    keyboard.press("PgUp", "Home")
    assert dialogs.keys_page.top == 0 < end
    keyboard.press("End", "Shift-Tab")
    assert dialogs.keys_page.top == end - 1
    keyboard.press("Ctrl-K")
    assert dialogs.keys_page is None and dialogs.finder is not None


NO = ("Ctrl-N", "Tab", "Shift-Tab", "Ctrl-K", "Ctrl-R", "↑", "F5", "Alt-P", "Ctrl-Home", "Shift-↑", "Backspace",
      "Ctrl-U", "Ctrl-X Ctrl-P", "Ctrl-X Ctrl-A", "Alt-Q")  # fmt: skip


@pytest.mark.parametrize("key", NO)
async def test_each_other_key_says_no_to_a_question(keyboard: Keyboard, key: str) -> None:
    keyboard.press("Alt-↑", "d")
    assert "delete #60" in keyboard.bar
    keyboard.press(key)
    assert not keyboard.me.screen.dialogs.is_open and keyboard.line == ""
    assert not keyboard.me.wanted(Ask)


async def test_a_chosen_message_is_left_and_found_by_control_keys_too(keyboard: Keyboard) -> None:
    keyboard.press("Alt-↑", "Ctrl-P", "Ctrl-P")
    assert keyboard.me.screen.feed.selected == 58
    keyboard.press("Ctrl-N")
    assert keyboard.me.screen.feed.selected == 59 and keyboard.me.screen.is_choosing


async def test_the_bare_screen_says_what_a_key_was_told(keyboard: Keyboard) -> None:
    keyboard.press("F3")
    assert "only the text" in keyboard.bar and "F3 shows everything" in keyboard.bar
    for told, key in (
        ("no mention below", "Alt-N"),
        ("sides are hidden", "F2"),
        ("Shift-Tab does nothing", "Shift-Tab"),
    ):
        keyboard.press(key)
        assert told in keyboard.bar and "F3 shows everything" in keyboard.bar
    keyboard.press("F3")
    assert keyboard.me.screen.side_panels == "both"


async def test_the_sides_say_what_is_shown_since_it_may_look_the_same(keyboard: Keyboard) -> None:
    keyboard.me.resize(80, 24)
    for words in ("the left side alone", "no sides", "both sides"):
        keyboard.press("F2")
        assert words in keyboard.bar


def bound(tmp_path: Path, given: dict[str, list[str]]) -> int:
    """How many bindings Alt-/ has."""
    me = Me()
    me.screen.keymap = keymap(given)
    typed = InputHistory(tmp_path / "typed", lambda: "alice", lambda: "main", list)
    keys = Bindings(me.screen, Buffer(), typed, lambda: None, lambda focused: None).keys
    return len([each for each in keys.bindings if each.keys == (Keys.Escape, "/")])


def test_alt_slash_belongs_to_the_action_for_which_it_was_set(tmp_path: Path) -> None:
    assert bound(tmp_path, {}) == 1, "Esc, and then a command"
    assert bound(tmp_path, {"bare": ["Alt-/"]}) == 1
