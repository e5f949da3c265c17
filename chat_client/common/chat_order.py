"""The order in which chats are listed: main, the private chats, then the chats of two, each by name."""

import re

_KINDS = {"m": 0, "#": 1, "@": 2}  # by the first letters of their names
_NUMBER = re.compile(r"([0-9]+)")

Key = tuple[int, tuple[tuple[int, str], ...]]


def chat_order(name: str) -> Key:
    """The key to sort names of chats by: as people count, `#team2` before `#team10`."""
    parts = _NUMBER.split(name.casefold())
    natural = ((int(part), "") if part.isdigit() else (-1, part) for part in parts if part)
    return _KINDS.get(name[:1], len(_KINDS)), tuple(natural)
