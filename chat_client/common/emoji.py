"""Emojis by the names that people type: `:thumbsup:`.

The names are those of the package `emoji`: GitHub's and Slack's, and Unicode's behind them. Where two emojis have a
name, GitHub's counts: `:cat:` is a face. Tones of skin have no names here.
"""

from functools import cache

# What people use most stands first in a list.
_FIRST = ("thumbsup", "heart", "joy", "tada", "eyes", "pray", "fire", "rocket", "white_check_mark", "clap", "thinking",
          "wave", "smile", "sob", "100", "ok_hand", "thumbsdown")  # fmt: skip


@cache
def emojis() -> dict[str, str]:
    """All emojis by their names.

    The first call takes 50 ms. In the full screen a thread makes it once somebody types a colon (see `candidate_list`).
    """
    from emoji import EMOJI_DATA, STATUS

    whole = {char: data for char, data in EMOJI_DATA.items() if data["status"] == STATUS["fully_qualified"]}
    named = [(name, char) for char, data in whole.items() for name in data.get("alias", ())]
    named += [(data["en"], char) for char, data in whole.items()]
    found: dict[str, str] = {}
    for name, char in named:
        name = name.strip(":")
        if name.isascii() and name == name.lower() and "_skin_tone" not in name:
            found.setdefault(name, char)
    return {name: found[name] for name in dict.fromkeys((*_FIRST, *found))}


def emoji_of(word: str) -> str:
    """The emoji of a name, with or without its colons; anything else is what it is, like `+1` and `:)`."""
    name = word.strip(":")
    if not name.isascii() or not (name != word or any(map(str.isalpha, name))):
        return word
    return emojis().get(name, word)
