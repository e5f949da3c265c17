import re
import unicodedata

import pytest
from hypothesis import given

from chat_server.protocol.sanitize import clean, is_blank, visible
from tests.unit.strategies import any_text

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@given(any_text)
def test_no_control_is_left(text: str) -> None:
    assert not _CONTROL.search(clean(text))
    assert all(unicodedata.category(char) != "Cc" or char in "\t\n" for char in clean(text))


@given(any_text)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


def test_each_character_alone_is_kept_unless_it_controls() -> None:
    for char in map(chr, range(0x20000)):
        is_removed = _CONTROL.match(char) or "\ud800" <= char <= "\udfff"
        assert clean(char) == ("\n" if char in "\u2028\u2029" else "" if is_removed else char), ascii(char)


@given(any_text)
def test_it_can_always_be_written_as_utf8(text: str) -> None:
    clean(text).encode()


@given(any_text)
def test_what_is_visible_is_clean_and_not_blank(text: str) -> None:
    assert visible(text) == ("" if is_blank(clean(text)) else clean(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("abc\u202edef\u2066", "abcdef"),
        ("a\x9bc\x7f\0", "ac"),
        ("crlf\r\n", "crlf\n"),
        ("👍🏽 привет é", "👍🏽 привет é"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b\ufeff", "\u00ad \u2060"])
def test_what_does_not_show_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(text + "x" + text)
