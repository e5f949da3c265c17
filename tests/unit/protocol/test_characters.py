import sys
import unicodedata
from time import process_time

import pytest

from chat_server.protocol.characters import has_visible, is_signs

# Format characters that are drawn all the same: signs before or around a number.
DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def test_what_shows_agrees_with_what_python_knows_of_every_character() -> None:
    """Python's tables are other ones, and may be older: only what both know is compared."""
    for code in (*range(0x20000), *range(0xE0000, 0xE1000), sys.maxunicode):
        char = chr(code)
        category = unicodedata.category(char)
        if category in ("Cc", "Cs", "Co", "Zs", "Zl", "Zp"):
            assert not has_visible(char), ascii(char)
        elif category in ("Ll", "Lu", "Lt", "Nd", "Nl", "Pd", "Ps", "Pe", "Pi", "Pf", "Sc", "Me", "Mc"):
            assert has_visible(char), ascii(char)
        elif category == "Cf":
            assert has_visible(char) == (char in DRAWN), ascii(char)


@pytest.mark.parametrize(
    "text",
    ["", " \t\n\u3000", "\u3164", "\u115f\u1160\uffa0", "\u2800", "\u200e\u200f", "\ufff9\ufffb",
     "\U000e0041\U000e007f",
     "\u180e\u2064\u034f", "\ufe0f\u200d", "\ue000", "\u0378", "\U0001d159", "\ufffc", "\ufeff", "\ufdd0",
     "\u2065"],
    ids=ascii,
)  # fmt: skip
def test_these_show_nothing(text: str) -> None:
    assert not has_visible(text)
    assert has_visible(f"{text}x{text}")


@pytest.mark.parametrize("text", ["می\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "\u06dd", "\u0301", "🫩", "ー"], ids=ascii)
def test_these_show(text: str) -> None:
    assert has_visible(text)


@pytest.mark.parametrize(
    "text",
    ["👍", "👍🏽", "❤️", "❤", "👩🏻‍❤️‍💋‍👩🏻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏳️‍⚧️", "🧑🏽‍🦰", "🕵🏽‍♀️", "🕵️‍♀️",
     "👁️‍🗨️", "🫱🏻‍🫲🏿", "⛓️‍💥", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🏴",
     "🇩🇪", "🇩🇪🇫🇷", "1️⃣", "#️⃣", "*⃣", "ℹ️", "©️", "™️", "㊗️", "🅰️", "🀄", "+1", "!?", "100", "½",
     "٣", "€", "🪾", "🏻"],
)  # fmt: skip
def test_these_are_emojis_and_signs(text: str) -> None:
    assert is_signs(text)


@pytest.mark.parametrize(
    "text",
    ["", "ok", "да", "花", " ", "👍 👍", "👍\u0301", "👍\u200d", "\u200d👍", "👍\u200d\u200d👍", "\ufe0f",
     "👍\ufe0f\ufe0f", "!\ufe0f", "+\U000e0041", "👍\U000e0041\U000e007f", "🏴\U000e0067", "🏴\U000e007f",
     "\u2800", "+\u2800", "\ufffc", "\u3164", "👍\u200e", "\ufff9!", "\U0001d159", "\ue000", "1\u200b", "\u20e3"],
    ids=ascii,
)  # fmt: skip
def test_these_are_not(text: str) -> None:
    assert not is_signs(text)


@pytest.mark.parametrize("sign", ["👍", "🏴", "©", "❤️", "1️⃣", "👍🏽"])
def test_each_sign_is_read_in_one_way_alone(sign: str) -> None:
    begun = process_time()
    assert not is_signs(sign * 24 + "x")
    assert process_time() - begun < 1, "2 ** 24 ways were tried: 10 s"
