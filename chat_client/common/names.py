"""Names as people type them, which are compared as the server compares names."""

from chat_server.protocol.names import fold


def fold_typed(text: str) -> str:
    """Return the folded form of what may be a name, or the beginning of one.

    What is too long for a name stays as it is. `fold` makes "" of it, with which every name begins: a long link had all
    users offered.
    """
    return fold(text) or text
