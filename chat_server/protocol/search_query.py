"""Search queries: words, "phrases" and beginnings of words (`wor*`). There is no other syntax: all else is data.

The index decides which characters make a word (`store.search`); this module only splits a query into its pieces.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

# A phrase (up to the end if its quote is not closed), or what stands between spaces and quotes.
PIECE = re.compile(r'"[^"]*(?:"\**|\Z)|[^\s"]+')
_MARKED = re.compile(r"[a-z]+:", re.IGNORECASE)


class Piece(Struct, frozen=True):
    """Adjacent words, without quotes. With `prefix` the last one is the beginning of a word."""

    text: str
    prefix: bool

    def __str__(self) -> str:
        """Write the piece as in a line."""
        quoted = " " in self.text or "*" in self.text or _MARKED.match(self.text)
        return (f'"{self.text}"' if quoted else self.text) + "*" * self.prefix


def pieces(words: str) -> Iterator[Piece]:
    for match in PIECE.finditer(words):
        bare = match[0].rstrip("*")
        text = " ".join(bare.replace('"', " ").split())
        if text:
            yield Piece(text, bare != match[0])
