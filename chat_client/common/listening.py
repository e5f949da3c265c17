"""What the user listens to: words that call, how much of each chat calls, and who is ignored in main."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar, get_args

from msgspec import structs

from chat_server.protocol.messages import Message

SetLevel = Literal["all", "mentions"]
Level = SetLevel | Literal["none"]  # none: the chat is muted
LEVELS: tuple[Level, ...] = (*get_args(SetLevel), "none")
IGNORED_MAX, LEVELS_MAX = 100, 500
HIDDEN_TEXT = "(hidden: you ignore this user)"
_E = TypeVar("_E")


class Listening:
    def __init__(self, words: Iterable[str] = ()) -> None:
        self.set_words(words)
        self.levels: dict[str, SetLevel] = {}  # of the chats that have another one than usual
        self.muted: set[str] = set()  # the chats that the server keeps as muted, for all devices
        self.ignored: dict[str, str] = {}  # names as they were typed, by those that are compared

    def restore(self, levels: Mapping[str, SetLevel], ignored: Mapping[str, str]) -> None:
        self.levels, self.ignored = dict(levels), dict(ignored)

    def set_words(self, words: Iterable[str]) -> None:
        """The words that call; `prod*` is how one begins."""
        patterns = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words if word]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE) if patterns else None

    def hides(self, message: Message) -> bool:
        """Whether the message is one of which `hear` has left its place alone."""
        return message.text == HIDDEN_TEXT and message.from_.casefold() in self.ignored

    def hear(self, event: _E, me: str) -> _E:
        """The event as it is for this user: a word that calls counts as a mention, and who is ignored is not read.

        A hidden message keeps its place, so that read markers and counts are the server's own.
        """
        if not isinstance(event, Message) or event.from_ == me or event.deleted:
            return event
        if event.chat == "main" and event.from_.casefold() in self.ignored:
            return structs.replace(event, text=HIDDEN_TEXT, mentions=None, file=None, reactions=None)
        if self._words is not None and me not in (event.mentions or ()) and self._words.search(event.text or ""):
            return structs.replace(event, mentions=[*(event.mentions or ()), me])
        return event

    def level(self, chat: str) -> SetLevel | None:
        """None: the usual one, which is all in a chat of two, and mentions elsewhere."""
        return self.levels.get(chat.casefold())

    def level_now(self, chat: str) -> Level:
        """How much of the chat calls."""
        if chat.casefold() in map(str.casefold, self.muted):
            return "none"
        return self.level(chat) or usual_level(chat)

    def set_level(self, chat: str, level: SetLevel) -> None:
        self.levels.pop(chat.casefold(), None)
        if level != usual_level(chat):
            self.levels[chat.casefold()] = level
            self.levels = dict(list(self.levels.items())[-LEVELS_MAX:])

    def ignore(self, user: str) -> bool:
        """Whether there was room for one more."""
        name = user.removeprefix("@")
        if len(self.ignored) >= IGNORED_MAX and name.casefold() not in self.ignored:
            return False
        self.ignored[name.casefold()] = name
        return True

    def unignore(self, user: str) -> bool:
        """Whether the user was ignored."""
        return self.ignored.pop(user.removeprefix("@").casefold(), None) is not None


def usual_level(chat: str) -> SetLevel:
    return "all" if chat.startswith("@") else "mentions"
