"""The dialogs: a question, the page of keys, and the finder of chats or typed lines."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from chat_client.common.names import fold_typed
from chat_client.tui.state.feed import Scroll


class Question(Struct, frozen=True):
    """Asked over the input. Enter says yes, which begins no word; anything else says no, and what is text is typed."""

    text: str
    kind: Literal["paste", "delete", "leave", "file", "elsewhere"]
    subject: Any = None


class Finder(Struct):
    """`text` is what is sought, `at` the place of what is chosen among what was found. `lines`: what was typed in this
    chat, the newest first; None if chats are sought."""

    text: str = ""
    lines: tuple[str, ...] | None = None
    at: int = 0

    def step(self, by: int, last: int) -> None:
        """Choose the one that is so many further down, or the `last`."""
        self.at = min(last, max(0, min(self.at, last) + by))


class KeysPage(Struct):
    """`top` is its first row on the screen; `moves` are those that the renderer has not settled yet."""

    top: int = 0
    moves: list[Scroll] = field(default_factory=list)


class Dialogs(Struct):
    question: Question | None = None
    finder: Finder | None = None
    keys_page: KeysPage | None = None

    @property
    def is_open(self) -> bool:
        """Whether one of them has the keys."""
        return self.question is not None or self.finder is not None or self.keys_page is not None

    @property
    def is_list(self) -> bool:
        """Whether one goes up and down in it."""
        return self.question is None and (self.finder is not None or self.keys_page is not None)

    def close(self) -> None:
        self.question = self.finder = self.keys_page = None


def find(chats: Mapping[str, str], users: Iterable[str], text: str) -> list[str]:
    """The chats, by their names and topics, and the chats of two with these users, that have each word of the text
    somewhere: those first whose names begin with it, then by where it stands."""
    known = {**chats, **{f"@{user}": "" for user in users if f"@{user}" not in chats}}
    kind = text[:1] if text[:1] in ("#", "@") else ""
    words = text.casefold().lstrip("#@").split()
    ranked = [(max((_rank(word, name, topic) for word in words), default=0), name) for name, topic in known.items()]
    return [
        name for rank, name in sorted(ranked, key=lambda each: each[0]) if rank < _NOWHERE and name.startswith(kind)
    ]


_NOWHERE = 5


def _rank(word: str, name: str, topic: str) -> int:
    """How far the word is from being the name."""
    bare, named = fold_typed(name).lstrip("#@"), fold_typed(word)
    if bare.startswith(named):
        return 0
    if any(part.startswith(named) for part in re.split(r"[-_. ]", bare)):
        return 1
    if named in bare:
        return 2
    if word in topic.casefold():
        return 3
    letters = iter(bare)
    return 4 if len(named) > 2 and all(letter in letters for letter in named) else _NOWHERE


def find_lines(lines: Iterable[str], text: str) -> list[str]:
    """The lines that have all of these words in them, each once."""
    words = text.casefold().split()
    return [line for line in dict.fromkeys(lines) if all(word in line.casefold() for word in words)]
