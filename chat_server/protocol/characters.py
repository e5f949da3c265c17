"""Characters by their Unicode properties: visible ones, emojis, those allowed in names.

The properties come from the package `regex`, whose version is pinned. `unicodedata` follows the version of Python, and
lacks most of them. The node that takes a line judges it before the log, so other nodes need not agree.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Pattern

# These few blank glyphs have the properties of visible signs and letters: a Braille pattern without dots, a note
# without a head, blanks and fillers of hieroglyphs and of Khitan, and the sign for an object that is not there.
_BLANK = "\u2800\ufffc\U0001d159\U00013441\U00013442\U00016fe4"
# All but controls, format characters, unassigned and private ones, spaces, and what Unicode calls ignorable. Some
# format characters do show, like the Arabic sign of a year; and the ranges reserved for emojis may be newer than this
# program.
_SHOWN = rf"[\p{{Prepended_Concatenation_Mark}}\p{{Extended_Pictographic}}[^\s\p{{C}}\p{{Z}}\p{{DI}}{_BLANK}]]"

# UTS 51: one pictograph with its presentation and colour, or several joined ones; a flag made of tags; a key cap.
_PICTOGRAPH = r"\p{Extended_Pictographic}(?:[\ufe0e\ufe0f]|\p{Emoji_Modifier}\ufe0f?)?"
_EMOJI = rf"""\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{1,6}}\U000e007f
    |[0-9\#*]\ufe0f?\u20e3
    |{_PICTOGRAPH}(?:\u200d{_PICTOGRAPH})*"""
# Possessive, since a pictograph is a symbol too: 15 of them before a letter could match in 2 ** 15 ways, in 40 ms.
_SIGNS = rf"(?:{_EMOJI}|[[\p{{S}}\p{{N}}\p{{P}}]&&{_SHOWN}])++"

_IN_NAMES = rf"[[\p{{L}}\p{{N}}_.\-]&&{_SHOWN}]*"
# Marks that are letters to Unicode but look like an apostrophe, a colon or an accent. Scripts that need theirs, as
# Japanese needs its ー, keep them. The stroke that only lengthens an Arabic word is excluded too.
_MODIFIERS = (
    r"[[[\p{Lm}&&[\p{Zyyy}\p{Zinh}\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}]]--\p{scx=Kana}]\p{Joining_Type=C}]"
)
_ALPHANUMERIC = r"[\p{L}\p{N}]"


@cache
def pattern(source: str) -> "Pattern[str]":
    """Compile a pattern when it is first needed: the client starts without any, and `regex` took 15 ms of its start."""
    import regex

    return regex.compile(source, regex.V1 | regex.VERBOSE)


def has_visible(text: str) -> bool:
    """Tell whether any character of the text is visible."""
    return pattern(_SHOWN).search(text) is not None


def is_signs(text: str) -> bool:
    """Tell whether the text has nothing but visible emojis, digits, symbols and punctuation."""
    return pattern(_SIGNS).fullmatch(text) is not None


def may_be_named(text: str) -> bool:
    """Tell whether every character of the text is allowed in names."""
    return pattern(_IN_NAMES).fullmatch(text) is not None and pattern(_MODIFIERS).search(text) is None


def is_alphanumeric(char: str) -> bool:
    return pattern(_ALPHANUMERIC).fullmatch(char) is not None
