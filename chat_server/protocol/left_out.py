"""Arguments that a line leaves out, by one rule for the server and for clients. Pure.

`rest` is what is left of the line, `required_after` how many required arguments come after the one in question, and
`starts` the characters that such an argument begins with, if its kind has any.
"""

import re
from collections.abc import Container

_WORD = re.compile(r'"[^"]*"?|[^ ]+')


def leaves_out(rest: str, required_after: int, starts: str | None) -> bool:
    """Whether the line leaves out an optional argument, so that the rest is for those after it."""
    if required_after and count_words(rest) <= required_after:
        return True
    return starts is not None and bool(rest) and rest[0] not in starts


def leaves_out_chat(rest: str, required_after: int, starts: str | None, pairs: Container[str]) -> bool:
    """Whether the line leaves out a chat for which the open one may stand in.

    Pairs come by twos: where their first word is followed by an odd number of words, no chat stands before them. A user
    may be called `limit`, so the word alone does not tell.
    """
    words = count_words(rest)
    if words <= required_after or leaves_out(rest, 0, starts):
        return True
    return words % 2 == 0 and rest.split(" ", 1)[0].lower() in pairs


def count_words(rest: str) -> int:
    """How many words there are; one in quotes may have spaces."""
    return len(_WORD.findall(rest))
