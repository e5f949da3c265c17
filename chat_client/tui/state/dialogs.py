"""The dialogs: a question, the page of keys, and the finder of chats or typed lines."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct, field

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

    def close(self) -> None:
        self.question = self.finder = self.keys_page = None


def find(names: Iterable[str], users: Iterable[str], part: str) -> list[str]:
    """The chats, and chats of two with these users, that have this in their names: those that begin with it first."""
    sought = part.casefold().lstrip("#@")
    known = dict.fromkeys([*names, *(f"@{user}" for user in users)])
    found = [name for name in known if sought in name.casefold()]
    if part[:1] in "#@" and part:
        found = [name for name in found if name.startswith(part[0])]
    return sorted(found, key=lambda name: not name.lstrip("#@").casefold().startswith(sought))


def find_lines(lines: Iterable[str], text: str) -> list[str]:
    """The lines that have all of these words in them, each once."""
    words = text.casefold().split()
    return [line for line in dict.fromkeys(lines) if all(word in line.casefold() for word in words)]
