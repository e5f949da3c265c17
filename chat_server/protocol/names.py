"""Names of users and chats: which are valid, equal, or too much alike.

The result (`Name`) travels with the command, so that every node that replays the log gets the same names. Nodes agree
on it, too: properties come from `characters`, look-alikes from Unicode's list (see `lookalikes`), and NFKC and case
folding never change for an assigned character. A character that this Python does not know is refused, since its other
case is not known either.
"""

import unicodedata
from functools import lru_cache

from msgspec import Struct

from chat_server.errors import Refusal
from chat_server.protocol.characters import is_alphanumeric, may_be_named

NAME_CHARS_MAX = 32
# What a name in a text consists of, for the brackets of a pattern, with the marks that become one letter with the one
# before them: the last letter of `@Zoë` may come as two characters, and without the second it would call Zoe. To
# normalize the whole text took up to 24 ms.
NAME_CHARS = r"\w.\-\u0300-\u036f\u0653-\u0655\u093c\u0bd7\u102e\u1b35\u3099\u309a\U000110ba"
# The length of a name before it is normalized, which takes long for a text made for that.
RAW_CHARS_MAX = 128
RESERVED = frozenset(("main", "all", "server", "system", "me", "you"))


class Name(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A valid name: as written, as compared (`folded`), and as it looks.

    Two names with the same `lookalike` are easily mistaken for each other. So are two with the same `shape`, their look
    in capitals, if one of them is not ASCII (МАХ in Cyrillic and max).
    """

    name: str
    folded: str
    lookalike: str
    shape: str


def fold(name: str) -> str:
    """Return the form in which names are compared: NFKC and case folding, until nothing changes any more.

    A text that is too long for a name gives "", which is nobody's name.
    """
    if len(name) > RAW_CHARS_MAX:
        return ""
    if name.isascii():
        # NFKC changes nothing of it, and folds its case as `lower` does. That takes a sixth of the time.
        return name.lower()
    for _ in range(3):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        if folded == name:
            break
        name = folded
    return name


def check(name: str) -> Name:
    """Return the name of a new user or (after its `#`) of a new chat. Raises Refusal `bad_name`."""
    from chat_server.protocol.lookalikes import is_punctuation, mixed_scripts

    shown = unicodedata.normalize("NFKC", name) if len(name) <= RAW_CHARS_MAX else name
    if not 1 <= len(shown) <= NAME_CHARS_MAX:
        raise Refusal("bad_name", f"a name has 1 to {NAME_CHARS_MAX} characters, this one has {len(shown)}")
    if not may_be_named(shown) or any(is_punctuation(char) or unicodedata.category(char) == "Cn" for char in shown):
        raise Refusal("bad_name", "a name has letters, digits, _, - and . only, like anna or anna_2")
    if not (is_alphanumeric(shown[0]) and is_alphanumeric(shown[-1])):
        raise Refusal("bad_name", "a name starts and ends with a letter or a digit, like anna or anna_2")
    if scripts := mixed_scripts(shown):
        raise Refusal("bad_name", f"a name is written in one script; this one mixes {' and '.join(scripts)}")
    found = _look(shown)
    # One that is not ASCII looks like a reserved one in capitals, too.
    if any(
        found.folded == each.folded
        or found.lookalike == each.lookalike
        or (not shown.isascii() and found.shape == each.shape)
        for each in _reserved()
    ):
        raise Refusal("bad_name", f"the name {shown} is reserved or looks like one that is; choose another one")
    return found


def _look(shown: str) -> Name:
    from chat_server.protocol.lookalikes import skeleton

    return Name(shown, fold(shown), fold(skeleton(shown)), fold(skeleton(shown.upper())))


@lru_cache(maxsize=1)
def _reserved() -> list[Name]:
    return [_look(name) for name in RESERVED]
