"""Names of users and chats: which are valid, when two are the same, when two look alike.

The outcome (`Name`) travels with the command, since the Unicode tables differ between versions of Python and every
node that replays the log must come to the same names. Look-alikes are those of Unicode's confusables.txt (UTS 39).
"""

import unicodedata
from functools import lru_cache

from confusable_homoglyphs import categories, confusables
from msgspec import Struct

from chat_server.errors import Refusal

NAME_CHARS_MAX = 32
RESERVED = frozenset(("main", "all", "server", "system", "me", "you"))
# Scripts that are written together in one language (UTS 39, "augmented script sets").
_WRITTEN_TOGETHER = (
    frozenset(("HAN", "HIRAGANA", "KATAKANA")),
    frozenset(("HAN", "HANGUL")),
    frozenset(("HAN", "BOPOMOFO")),
)


class Name(Struct, frozen=True, array_like=True):
    """A valid name: as written, as compared (`folded`), and as it looks (`lookalike`)."""

    name: str
    folded: str
    lookalike: str


def fold(name: str) -> str:
    """The form in which names are compared: NFKC and case folding, until nothing changes any more."""
    for _ in range(3):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        if folded == name:
            break
        name = folded
    return name


def check(name: str) -> Name:
    """The name, if it may be given to a user or (after its `#`) to a chat; else Refusal `bad_name`."""
    shown = unicodedata.normalize("NFKC", name)
    if not 1 <= len(shown) <= NAME_CHARS_MAX:
        raise Refusal("bad_name", f"a name has 1 to {NAME_CHARS_MAX} characters, this one has {len(shown)}")
    for char in shown:
        if not (unicodedata.category(char)[0] in "LN" or char in "_-."):
            raise Refusal("bad_name", "a name has letters, digits, _, - and . only, like anna or anna_2")
    if not (shown[0].isalnum() and shown[-1].isalnum()):
        raise Refusal("bad_name", "a name starts and ends with a letter or a digit, like anna or anna_2")
    scripts = {categories.alias(char) for char in shown} - {"COMMON", "INHERITED"}
    if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
        raise Refusal("bad_name", f"a name is written in one script; this one mixes {' and '.join(sorted(scripts))}")
    folded, looks = fold(shown), lookalike(shown)
    if folded in RESERVED or looks in _LIKE_RESERVED:
        raise Refusal("bad_name", f"the name {shown} is reserved or looks like one that is; choose another one")
    return Name(shown, folded, looks)


def lookalike(name: str) -> str:
    """The skeleton of a name: two names with the same one are easily taken for each other."""
    return fold("".join(_prototype(char) for char in name))


@lru_cache(maxsize=4096)
def _prototype(char: str) -> str:
    # The library lists a class from both ends: the prototype with all that look like it, each of those with the
    # prototype alone. Of a pair that has only each other the lower one stands for both.
    alike = confusables.confusables_data.get(char, ())
    if len(alike) != 1:
        return char
    prototype: str = alike[0]["c"]
    back = confusables.confusables_data.get(prototype, ())
    return min(char, prototype) if len(back) == 1 else prototype


_LIKE_RESERVED = frozenset(lookalike(name) for name in RESERVED)
