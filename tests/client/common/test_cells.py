import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_client.common.cells import _width, cut, fit, fit_middle, glyphs, pad, row_width, safe, taken, width, wrap

TEXTS = st.text(max_size=80)
HARM = st.text(
    st.sampled_from("\x00\x07\x1b\x7f\x9b\u202e\u2066\u200d\ufe0f\u0301\u200f\U0001f3fb漢👍🇩िa \t\n"), max_size=40
)


@pytest.mark.parametrize(
    "text, cells",
    [
        ("abc", 3),
        ("漢字", 4),
        ("e\u0301", 1),
        ("👍", 2),
        ("👍\U0001f3fd", 2),
        ("❤\ufe0f", 1),
        ("👩\u200d👧", 4),
        ("🇩🇪", 2),
        ("🇩🇪🇫🇷", 4),
        ("🇩", 1),
        ("हिन्दी", 5),
        ("தமிழ்", 4),
        ("ไทยนี้", 4),
        ("한국어", 6),
        ("☰", 1),
        ("", 0),
    ],
)
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells


@given(TEXTS | HARM)
def test_nothing_controls_the_terminal(text: str) -> None:
    shown = safe(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u200e\u200d")
    assert safe(shown) == shown


def test_a_deceiving_mark_is_shown_as_one() -> None:
    assert safe("a\u202eb\x1b[2J") == "a\ufffdb\ufffd[2J"


def test_half_a_flag_is_shown_as_its_letter() -> None:
    assert list(glyphs("🇩🇪🇫")) == [("🇩🇪", 2), ("F", 1)]


def test_a_vowel_sign_stays_with_its_letter() -> None:
    assert list(glyphs("हि")) == [("हि", 2)]
    assert [line[0][1] for line in wrap([("", "अब हिन्दी")], 6)] == ["अब ", "हिन्दी"]


def test_marks_on_one_character_are_few_and_never_stand_alone() -> None:
    assert [len(glyph) for glyph, _ in glyphs("a" + "\u0301" * 50)] == [4]
    assert list(glyphs("\u0301")) == [(" \u0301", 1)]


@given(TEXTS | HARM, st.integers(2, 30))
@example(" 0\u2f00", 2)
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, cells: int) -> None:
    lines = wrap([("a", text[: len(text) // 2]), ("b", text[len(text) // 2 :])], cells)
    assert all(row_width(line) <= cells for line in lines)
    kept = "".join(part for line in lines for _, part in line)
    assert kept.replace(" ", "") == safe(text[: len(text) // 2]).replace(" ", "") + safe(
        text[len(text) // 2 :]
    ).replace(" ", "")


def test_lines_break_at_spaces_and_words_that_are_too_long_anywhere() -> None:
    assert wrap([("", "one two three")], 8) == [[("", "one two ")], [("", "three")]]
    assert wrap([("", "abcdefghij")], 4) == [[("", "abcd")], [("", "efgh")], [("", "ij")]]
    assert wrap([("a", "fits "), ("a", ""), ("a", "all"), ("b", "!")], 9) == [[("a", "fits all"), ("b", "!")]]
    assert wrap([("", "a\n\nb")], 9) == [[("", "a")], [], [("", "b")]]


@given(TEXTS | HARM, st.integers(0, 20))
@example("\n\u0300", 1)
def test_taken(text: str, cells: int) -> None:
    kept, used = taken(text, cells)
    assert safe(text).startswith(kept) and width(kept) == used <= cells


@given(TEXTS | HARM, st.integers(1, 20))
def test_fit_and_pad(text: str, cells: int) -> None:
    assert width(fit(text, cells)) <= cells
    assert width(pad(text, cells)) == cells
    assert row_width(cut([("", text), ("", "more")], cells)) <= cells


def test_what_the_locale_cannot_show_takes_one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """prompt_toolkit writes one `?` for it, and columns would shift by a wide character."""
    _width.cache_clear()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="iso-8859-1"))
    assert [width(text) for text in ("\xfc", "\u6f22", "e\u0301", "\U0001f642")] == [1, 1, 2, 1]
    monkeypatch.undo()
    _width.cache_clear()
    assert width("\u6f22") == 2


@given(st.text(max_size=30), st.integers(0, 20))
def test_the_middle_gives_way_to_both_ends(text: str, cells: int) -> None:
    cut = fit_middle(text, cells)
    assert width(cut) <= cells
    assert cut == safe(text) or "…" in cut or not cells


def test_the_ends_of_names_are_kept() -> None:
    assert fit_middle("#platform-backend-production", 14) == "#platfo…uction"
    assert fit_middle("#short", 14) == "#short"
    assert fit_middle("大家好大家好大家好", 9) == "大家…家好"
