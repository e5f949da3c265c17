"""Look-alikes: names that are easily mistaken for others, and scripts that do not go together.

Loading this takes a sixth of the start of a client, which needs none of it: `names` imports it where a name is checked.
"""

from functools import lru_cache

from confusable_homoglyphs import categories, confusables

from chat_server.protocol.characters import is_alphanumeric

# Scripts that are written together in one language (UTS 39, "augmented script sets").
_WRITTEN_TOGETHER = (
    frozenset(("HAN", "HIRAGANA", "KATAKANA")),
    frozenset(("HAN", "HANGUL")),
    frozenset(("HAN", "BOPOMOFO")),
)


def mixed_scripts(name: str) -> list[str]:
    """Return the scripts of a name in which scripts are mixed that nobody writes together, or none."""
    scripts = set(map(_script, name)) - {"COMMON", "INHERITED"}
    is_mixed = len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER)
    return sorted(scripts) if is_mixed else []


def is_punctuation(char: str) -> bool:
    """Tell whether a Latin letter looks like punctuation, like letters for clicks and stops (! and ? in most fonts)."""
    prototype = _prototype(char)
    return _script(char) == "LATIN" and len(prototype) == 1 and not is_alphanumeric(prototype)


def skeleton(name: str) -> str:
    """Return the skeleton of a name. Two names whose skeletons fold to the same are easily mistaken for each other."""
    return "".join(map(_prototype, name))


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    script: str = categories.alias(char)
    return script


@lru_cache(maxsize=4096)
def _prototype(char: str) -> str:
    # The library lists a class from both ends: the prototype with all its look-alikes, and each of those with the
    # prototype alone. In a class of two, the lower character stands for both.
    alike = confusables.confusables_data.get(char, ())
    if len(alike) != 1:
        return char
    prototype: str = alike[0]["c"]
    back = confusables.confusables_data.get(prototype, ())
    return min(char, prototype) if len(back) == 1 else prototype
