"""The table of keys, the names of keys, and the keys that a user has set."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPress

from chat_client.common import key_decoder
from chat_client.common.keys import ACTIONS, GROUPS, KEYS, keymap, read_key, write_key
from chat_client.common.setting import commented

NAMES = sorted({key for action in ACTIONS.values() for key in action.keys})


def as_pressed(presses: tuple[str, ...]) -> list[KeyPress]:
    bindings = KeyBindings()
    bindings.add(*presses)(lambda event: None)
    return [KeyPress(key, key if len(key) == 1 else "") for key in bindings.bindings[0].keys]


@pytest.mark.parametrize("name", NAMES)
def test_each_key_is_one_that_prompt_toolkit_has_and_is_called_as_in_the_table(name: str) -> None:
    presses = read_key(name)
    pressed = as_pressed(presses)
    assert write_key(presses) == name
    if " " not in name and len(name) > 1:
        assert key_decoder.name(pressed) == name


@given(st.text("CtrlAltShif-PgUp12aZ+é ↑_", max_size=16))
def test_what_is_read_can_be_bound_and_is_written_so_that_it_is_read_again(written: str) -> None:
    try:
        presses = read_key(written)
    except ValueError:
        return
    as_pressed(presses)
    assert read_key(write_key(presses)) == presses


@pytest.mark.parametrize(
    ("written", "presses"),
    [
        ("alt-left", ("escape", "left")),
        ("ALT-A", ("escape", "a")),
        ("Alt-Shift-A", ("escape", "A")),
        ("Ctrl-Space", ("c-@",)),
        ("Ctrl-Shift-PgUp", ("c-s-pageup",)),
        ("Alt--", ("escape", "-")),
        ("Ctrl-X Ctrl-E", ("c-x", "c-e")),
        ("Y", ("Y",)),
        ("Shift-F", ("F",)),
    ],
)
def test_keys_as_people_write_them(written: str, presses: tuple[str, ...]) -> None:
    assert read_key(written) == presses


def test_keys_as_they_are_shown() -> None:
    assert [write_key(read_key(key)) for key in ("alt-shift-a", "ctrl-x ctrl-e", "Ctrl-Space", "backspace", "y")] == [
        "Alt-Shift-A", "Ctrl-X Ctrl-E", "Ctrl-Space", "Backspace", "y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "written", ["", "Ctrl-Enter", "Ctrl-I", "Hyper-A", "F13", "Alt-Esc", "A B", "Ctrl-é", "Shift-1"]
)
def test_what_no_terminal_sends_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_key(written)


def test_the_table_has_no_key_twice_and_each_group_its_lines() -> None:
    KEYS.read(tomllib.loads(commented([KEYS]).replace("\n#", "\n").partition("[keys]")[2].replace("\n ", "\n# ")))
    assert {action.group for action in ACTIONS.values()} == set(GROUPS)
    for group in GROUPS:
        first = next(action for action in ACTIONS.values() if action.group == group)
        assert first.line is not None


def test_given_keys_take_the_place_of_the_table_s() -> None:
    keys = keymap(KEYS.read({"sides": "f7", "next_unread": ["Alt-J", "Ctrl-Space"], "redraw": [], "reply": "a"}))
    assert keys.shown("sides") == ["F7"]
    assert keys.shown("next_unread") == ["Alt-J", "Ctrl-Space"]
    assert keys.presses("redraw") == ()
    assert keys.first("redraw") == ""
    assert keys.shown("last_chat") == ["Alt-0"]
    assert keymap({"sides": ["F3"], "bare": ["F2"]}).first("sides") == "F3", "two actions may swap their keys"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sidez": "F7"}, "no such action: sidez; did you mean sides?"),
        ({"sides": "Hyper-7"}, "sides: no terminal sends Hyper-7"),
        ({"sides": 7}, "sides is a list of texts"),
        ({"sides": "F3"}, "sides: F3 is the key of bare already"),
        ({"sides": ["F7", "F7"]}, "sides: F7 is the key of sides already"),
        ({"sides": "Ctrl-W"}, "sides: Ctrl-W is the key of cut_word_left already"),
        ({"sides": "Enter"}, "sides: Enter is the key of"),
        ({"sides": "s"}, "sides: s alone is text"),
        ({"left": "F3"}, "left: F3 is the key of bare already"),
        ({"send": "F7"}, "send is always Enter"),
        ({"reply": "e"}, "reply: e is the key of edit already"),
        ({"reply": "Ctrl-C"}, "reply: Ctrl-C is the key of clear already"),
        ({"previous_chat_from_empty_line": "Ctrl-K"}, "Ctrl-K is the key of jump already; give that another one"),
        ({"sides": "F7 F8"}, "begin with one like Ctrl-X"),
        ({"sides": "Ctrl-X", "bare": "Ctrl-X m"}, "Ctrl-X is the key of"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        KEYS.read(given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_same_key_may_act_where_the_other_does_not() -> None:
    assert keymap({"reply": ["↑"], "chosen_up": ["k"]}).first("reply") == "↑"
    assert keymap({"open_result": ["o"]}).first("open_result") == "o", "nothing is typed where it acts"
    assert keymap({"jump": ["Ctrl-W"]}).first("jump") == "Ctrl-W", "it cuts a word where something stands behind it"
