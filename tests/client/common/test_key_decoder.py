"""What a terminal sends becomes keys: each sequence whole, known or not, however it comes in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

from chat_client.common.key_decoder import FOCUS_IN, REPLACEMENT, Keyboard, name


class Typist:
    def __init__(self) -> None:
        self.presses: list[KeyPress] = []
        self.answers: list[str] = []
        self.keyboard = Keyboard(self.presses.append, self.answers.append)

    def sends(self, *pieces: str | None) -> list[str]:
        """The keys that come of these pieces; None: nothing comes for a moment."""
        for piece in (*pieces, None):
            if piece is None:
                self.keyboard.flush()
            else:
                self.keyboard.feed(piece)
        return [
            press.key.value if isinstance(press.key, Keys) else press.key
            for press in self.presses
            if press.data != "_Flush"
        ]


UNKNOWN = ["\x1b[31m", "\x1b[2;5~", "\x1bOj", "\x1b[99~", "\x1b[1;9Z", "\x1b[57358u", "\x1b[27;8;200~", "\x1b[?1;5;7x"]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("a\x1b[A", ["a", "up"]),
        ("\x1bn\x1bn", ["escape", "n"] * 2),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1b[5;2~\x1b[6;2~", ["s-pageup", "s-pagedown"]),
        ("\x1b[5;5~", ["c-pageup"]),
        ("\x1b[13;2u", ["escape", "c-m"]),
        ("\x1b[27;2;13~", ["escape", "c-m"]),
        ("\x1b[97;5u\x1b[110;3u\x1b[65;2u\x1b[98;65u", ["c-a", "escape", "n", "A", "b"]),
        ("\x1b[97;1:3u", []),
        ("\x1b[<0;1;2M\x1b[M !!\x1b[32;1;2M", ["<vt100-mouse-event>"] * 3),
        ("\x1b[I\x1b[23;2~", [FOCUS_IN.value, "<ignore>"]),
        ("\x1b[1;65A\x1b[1;129D\x1b[5;1:1~\x1b[3;193~", ["up", "left", "pageup", "delete"]),
        ("\x1b[1;1:3A\x1b[3;5:3~\x1b[13;1:3u", []),
        ("\x1bO5D\x1bO3A\x1b[7^\x1b[4;5~\x1b[3^", ["c-left", "escape", "up", "c-home", "c-end", "c-delete"]),
        ("\x1b[3;4R", ["<cursor-position-response>"]),
        ("\x1b[200~a\x1b[31m\r\udcff\x1b[201~z", ["<bracketed-paste>", "z"]),
        ("\x1b[[A", ["f1"]),
        ("é\udcff", ["é", REPLACEMENT]),
        ("\x1b\x1b", ["escape", "escape"]),
        ("\x1b\x1bx", ["escape", "escape", "x"]),
        ("\x1b\x1b[1;3A+", ["escape", "escape", "up", "+"]),
        ("\x1b\x1b[200~a\x1b[201~", ["escape", "<bracketed-paste>"]),
        ("\x1b\x1b[I", ["escape", FOCUS_IN.value]),
        ("\x1b\x1b[<0;1;2M", ["escape", "<vt100-mouse-event>"]),
        ("\x1b\x1b[5~\x1b\x1bOA", ["escape", "pageup", "escape", "up"]),
        ("\x1b]", ["escape", "]"]),
        ("\x1b[", ["escape", "["]),
        *((sequence, ["<ignore>"]) for sequence in UNKNOWN),
        ("\x1b[1\r", ["c-m"]),
    ],
)
def test_keys(sent: str, keys: list[str]) -> None:
    assert Typist().sends(sent) == keys
    if "\x1b\x1b" not in sent:
        assert Typist().sends(*sent) == keys, "byte by byte"


@given(st.from_regex(r"\x1b(\[[0-?]{0,8}[ -/]{0,2}[@-~]|O[A-Z]|\][0-9]{1,3};[ -~]{0,30}(\x07|\x1b\\))", fullmatch=True))
def test_no_sequence_leaves_letters(sequence: str) -> None:
    typist = Typist()
    keys = typist.sends(sequence + ("!!!" if sequence == "\x1b[M" else ""), "z")
    if "\x1b[200~" not in sequence and sequence != "\x1b[[":
        assert keys[-1] == "z"
        chosen = [key for key in keys[:-1] if len(key) == 1]
        assert not chosen or "u" in sequence or "~" in sequence, "only where the sequence names a character"


LATE = ["\x1b]11;rgb:ffff/fafa/f0f0\x1b\\", "\x1b]10;rgb:0/0/0\x07", "\x1b[?62;22c", "\x1b[?1;2c", "\x1b[>0;276;0c",
        "\x1bP>|tmux 3.4\x1b\\", "\x1b[?1u", "\x1b[?2026;2$y"]  # fmt: skip


@pytest.mark.parametrize("answer", LATE)
def test_an_answer_is_no_key_however_late_and_in_pieces(answer: str) -> None:
    typist = Typist()
    assert typist.sends("a" + answer + "b") == ["a", "b"] and typist.answers == [answer]
    for cut in range(3, len(answer)):
        typist = Typist()
        assert typist.sends("a" + answer[:cut], None, answer[cut:] + "b") == ["a", "b"], cut
        assert typist.answers == [answer]


def test_the_rest_of_an_answer_whose_esc_came_alone_is_no_text() -> None:
    assert Typist().sends("\x1b", None, "]11;rgb:1/2/3\x07b") == ["escape", "b"]
    assert Typist().sends("\x1b", None, "[?62;22cb") == ["escape", "b"]
    assert Typist().sends("\x1b", None, "]11 is a number") == ["escape", *"]11 is a number"]


def test_where_an_answer_is_expected_an_esc_waits_for_its_rest() -> None:
    """Without that it was run as a key: it closed the dialog that was open."""
    expecting, kept = [True], list[str]()
    typist = Typist()
    typist.keyboard = Keyboard(
        typist.presses.append, typist.answers.append, lambda: expecting[0], lambda: kept.append("kept")
    )
    assert typist.sends("\x1b", None, "]11;rgb:1/2/3\x07b") == ["b"] and len(typist.answers) == 1 == len(kept)
    assert typist.sends("\x1b", None, None) == ["b", "escape"], "nothing has come"
    expecting[0] = False
    assert typist.sends("\x1b", None) == ["b", "escape", "escape"] and len(kept) == 2


def test_an_answer_that_never_ends_gives_way_to_the_next_key_of_control() -> None:
    assert Typist().sends("\x1b]11;rg", None, "\rx") == ["c-m", "x"]


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("\x1bn", "Alt-N"),
        ("\x1bN", "Alt-Shift-N"),
        ("\x0f", "Ctrl-O"),
        ("\x11", "Ctrl-Q"),
        ("\x1b[5;5~", "Ctrl-PgUp"),
        ("\x1b[2;5~", "Ctrl-Insert"),
        ("\x1b[1;6A", "Ctrl-Shift-↑"),
        ("\x1b[13;5u", "Ctrl-Enter"),
        ("\x1b[24~", "F12"),
        ("\x1b[23;2~", "Shift-F11"),
        ("\x1b[1;9H", "Meta-Home"),
        ("\x1b[9;9u", "Meta-Tab"),
        ("\x1b[27;8;32~", "Ctrl-Alt-Shift-Space"),
        ("\x1b[5@", "Ctrl-Shift-PgUp"),
        ("\x1b[31m", "that key"),
        ("\x7f", "Backspace"),
        ("\x1b\x7f", "Alt-Backspace"),
        ("\x1b\r", "Alt-Enter"),
        ("\x00", "Ctrl-Space"),
        ("\x1b[Z", "Shift-Tab"),
    ],
)
def test_names(sent: str, named: str) -> None:
    typist = Typist()
    typist.sends(sent)
    assert name(typist.presses) == named
