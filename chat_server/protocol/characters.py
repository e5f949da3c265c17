"""Characters by their Unicode properties: visible ones, emojis, those allowed in names.

The properties are those of the package `regex`, whose version is pinned. `unicodedata` follows the version of Python
instead, and lacks most of them. Whoever takes a line judges it before the log, so other nodes never judge it again.
"""

import regex

# Nothing tells these few blank glyphs from signs and letters that show: a Braille pattern without dots, a note without
# a head, blanks and fillers of hieroglyphs and of Khitan, and what stands for an object that is not there.
_BLANK = "\u2800\ufffc\U0001d159\U00013441\U00013442\U00016fe4"
# Controls, format characters, what is not assigned or private, spaces, and what Unicode says is not shown. Some format
# characters do show, as the Arabic sign of a year; and the ranges that are kept for emojis may be newer than we are.
_SHOWN = rf"[\p{{Prepended_Concatenation_Mark}}\p{{Extended_Pictographic}}[^\s\p{{C}}\p{{Z}}\p{{DI}}{_BLANK}]]"
_shown = regex.compile(_SHOWN, regex.V1)

# UTS 51: one pictograph, with how it looks and its colour, or several that are joined; a flag of tags; a key cap.
_PICTOGRAPH = r"\p{Extended_Pictographic}(?:[\ufe0e\ufe0f]|\p{Emoji_Modifier}\ufe0f?)?"
_EMOJI = rf"""\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{1,6}}\U000e007f
    |[0-9\#*]\ufe0f?\u20e3
    |{_PICTOGRAPH}(?:\u200d{_PICTOGRAPH})*"""
# Possessive, since a pictograph is a symbol too: 15 of them before a letter could be read in 2 ** 15 ways, for 40 ms.
_signs = regex.compile(rf"(?:{_EMOJI}|[[\p{{S}}\p{{N}}\p{{P}}]&&{_SHOWN}])++", regex.V1 | regex.VERBOSE)

_in_names = regex.compile(rf"[[\p{{L}}\p{{N}}_.\-]&&{_SHOWN}]*", regex.V1)
# Marks that are letters to Unicode and look like an apostrophe, a colon or an accent. The scripts that need theirs, as
# Japanese needs its ー, keep them; a stroke that only lengthens an Arabic word is none of it.
_modifiers = regex.compile(
    r"[[[\p{Lm}&&[\p{Zyyy}\p{Zinh}\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}]]--\p{scx=Kana}]\p{Joining_Type=C}]",
    regex.V1,
)
_alphanumeric = regex.compile(r"[\p{L}\p{N}]", regex.V1)


def shows(text: str) -> bool:
    """Whether anything of the text can be seen."""
    return _shown.search(text) is not None


def is_signs(text: str) -> bool:
    """Whether the text is emojis, digits, symbols and punctuation, and nothing that cannot be seen besides."""
    return _signs.fullmatch(text) is not None


def may_be_named(text: str) -> bool:
    """Whether every character of the text may stand in a name."""
    return _in_names.fullmatch(text) is not None and _modifiers.search(text) is None


def is_alphanumeric(char: str) -> bool:
    return _alphanumeric.fullmatch(char) is not None
