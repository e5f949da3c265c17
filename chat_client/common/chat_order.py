"""The order in which chats are listed: main, the private chats, then the chats of two, each by name."""

_KINDS = {"m": 0, "#": 1, "@": 2}  # by the first letters of their names


def chat_order(name: str) -> tuple[int, str]:
    """The key to sort names of chats by."""
    return _KINDS.get(name[:1], len(_KINDS)), name.casefold()
