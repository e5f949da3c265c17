"""Word folding: one form for all spellings of a word, in texts and in searches.

`fold_words` MUST give the same result for the same text on every machine and for ever, since the index keeps it. It
rests on the tables of Unicode 3.2, which every Python has (`ucd_3_2_0`), on case folding, which Unicode never changes
for an existing letter, and on properties of the package `regex`, whose version is pinned. A change of it, or of that
version, must rebuild the index (`store.local.VERSION`). The index decides what a word is in the result.
"""

import re
from unicodedata import category, ucd_3_2_0

from chat_server.protocol.characters import pattern

_normalize = ucd_3_2_0.normalize
# Signs separate words. NFKD turns some, like the trade mark sign, into letters, which would become part of the word.
_PARTING = r"[\p{So}&&[\u2100-\u214f\u2460-\u24ff\u3200-\u33ff\U0001f100-\U0001f2ff]]"
# Invisible within a word: soft hyphens, joiners, marks of direction, variation selectors, fillers.
_HIDDEN = r"[\p{DI}\p{Cf}]+"

# Accents, except for those of Cyrillic letters that have a key of their own (й ў ї ѓ ќ). The points and vowel signs of
# Hebrew, Arabic and Syriac, and the mark that turns an alef into one with hamza; the stroke that only lengthens a word;
# the dot below a letter of Devanagari.
_MARKS = re.compile(
    "(?<![иуИУ])\u0306|(?<![іІ])\u0308|(?<![гкГК])\u0301|[\u0300\u0302-\u0305\u0307\u0309-\u036f\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a"
    "\u08d3-\u08ff\u093c]"
)

_LETTERS = {
    # Letters with a stroke or a hook, and ligatures, which Unicode does not decompose.
    **dict(zip("øłđðħŧıȷŋəɛɔɓɗɖƙƴɨʉƀƒ", "olddhtijneeobddkyiubf", strict=True)),
    "œ": "oe", "æ": "ae", "þ": "th",
    # Apostrophes that are letters to Unicode separate words like the others.
    **dict.fromkeys("ʹʺʻʼʽʾʿˈˊˋˮꞌ", " "),
    # Some keyboards have their own alef, yeh, kaf and heh; people omit hamza and the dots of a final heh.
    **dict(zip("ٱىیےکڪہۃة", "اييىككههه", strict=True)),
    # Yiddish digraphs; the nasal sign of Hindi with and without its bow.
    "װ": "וו", "ױ": "וי", "ײ": "יי", "ँ": "ं",
    # Digits of all scripts, each from its zero.
    **{chr(zero + digit): str(digit) for digit in range(10) for zero in (
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
        0x17E0, 0x1810)},
}  # fmt: skip
_OTHERS = re.compile(f"[{''.join(_LETTERS)}]")


def fold_words(text: str) -> str:
    """Return the text with its words in the form in which they are compared."""
    if text.isascii():
        return text.lower()
    return _compose(_decompose(text))


def fold_alone(char: str) -> str | None:
    """Return what the character becomes in any text; None if that may depend on what stands before it.

    It may if it decomposes to, or becomes, what begins with one of these: a mark, which is put into order and may
    compose; a vowel or a final of Hangul, or a vowel of Kirat Rai, which compose. `ucd_3_2_0` orders and composes what
    this Python knows, also what is newer than Unicode 3.2.
    """
    decomposed = _decompose(char)
    folded = _compose(decomposed)
    for start in decomposed[:1], _normalize("NFD", folded)[:1]:
        if start and (
            category(start)[0] == "M" or "\u1160" <= start <= "\u11ff" or "\U00016d67" <= start <= "\U00016d6a"
        ):
            return None
    return folded


def _decompose(text: str) -> str:
    return _normalize("NFKD", pattern(_HIDDEN).sub("", pattern(_PARTING).sub(" ", text)))


def _compose(decomposed: str) -> str:
    return _normalize("NFC", _OTHERS.sub(lambda match: _LETTERS[match[0]], _MARKS.sub("", decomposed).casefold()))
