"""The order in which chats are listed: main, the private chats, then the chats of two, each by name."""

import re
from functools import lru_cache

_KINDS = {"m": 0, "#": 1, "@": 2}  # by the first letters of their names
_NUMBER = re.compile(r"([0-9]+)")

Natural = tuple[tuple[int, str], ...]
Key = tuple[int, Natural]


def chat_order(name: str) -> Key:
    """The key to sort names of chats by: as people count, `#team2` before `#team10`."""
    return _KINDS.get(name[:1], len(_KINDS)), natural_order(name)


@lru_cache(4096)  # a frame sorts all members of a chat
def natural_order(name: str) -> Natural:
    """The key to sort any names by, as people count."""
    parts = _NUMBER.split(name.casefold())
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts if part)
