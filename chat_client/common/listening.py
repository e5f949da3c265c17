"""What the user listens to: words that call, how much of each chat calls, and who is ignored in main."""

import re
from collections.abc import Iterable
from typing import Literal, TypeVar, get_args

from msgspec import structs

from chat_client.common.names import fold_typed
from chat_client.sdk.events import Connected, Connecting
from chat_server.protocol.messages import Message
from chat_server.protocol.names import fold
from chat_server.protocol.people import PreferenceChanged, PreferencesTold

SetLevel = Literal["all", "mentions"]
Level = SetLevel | Literal["none"]  # none: the chat is muted
SET_LEVELS: tuple[SetLevel, ...] = get_args(SetLevel)
LEVELS: tuple[Level, ...] = (*SET_LEVELS, "none")
HIDDEN_TEXT = "(hidden: you ignore this user)"
_E = TypeVar("_E")


class Listening:
    def __init__(self, words: Iterable[str] = ()) -> None:
        self.set_words(words)
        self.levels: dict[str, SetLevel] = {}  # of the chats that have another one than usual
        self.muted: set[str] = set()  # the chats that the server keeps as muted, for all devices
        self.ignored: dict[str, str] = {}  # names as they were typed, by those that are compared
        self._is_told = False  # the account's preferences, in this sign-in

    def _take(self, event: object) -> None:
        """Learn levels and who is ignored, which the server keeps for all devices as preferences."""
        match event:
            case Connecting():
                self._is_told = False
            case PreferencesTold(preferences=preferences):
                self._is_told = True
                self._forget()
                for name, value in preferences.items():
                    self._set(name, value)
            case Connected() if not self._is_told:
                self._forget()
            case PreferenceChanged(name=name, value=value):
                self._set(name, value)

    def _forget(self) -> None:
        self.levels, self.ignored = {}, {}

    def _set(self, name: str, value: str | None) -> None:
        kind, _, whose = name.partition(":")
        if kind == "level":
            self.levels.pop(whose, None)
            if level := next((each for each in SET_LEVELS if each == value), None):
                self.levels[whose] = level
        elif kind == "ignore":
            self.ignored.pop(whose, None)
            if value:
                self.ignored[whose] = value

    def set_words(self, words: Iterable[str]) -> None:
        """The words that call; `prod*` is how one begins."""
        patterns = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words if word]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE) if patterns else None

    def hides(self, message: Message) -> bool:
        """Whether the message is one of which `hear` has left its place alone."""
        return message.text == HIDDEN_TEXT and fold(message.from_) in self.ignored

    def hear(self, event: _E, me: str) -> _E:
        """The event as it is for this user: a word that calls counts as a mention, and what an ignored user says is
        hidden.

        A hidden message keeps its place, so that read markers and counts are the server's own.
        """
        self._take(event)
        if not isinstance(event, Message) or event.from_ == me or event.deleted:
            return event
        if event.chat == "main" and fold(event.from_) in self.ignored:
            return structs.replace(event, text=HIDDEN_TEXT, mentions=None, file=None, reactions=None)
        if self._words is not None and me not in (event.mentions or ()) and self._words.search(event.text or ""):
            return structs.replace(event, mentions=[*(event.mentions or ()), me])
        return event

    def level(self, chat: str) -> SetLevel | None:
        """None: the usual one, which is all in a chat of two, and mentions elsewhere."""
        return self.levels.get(fold(chat))

    def level_now(self, chat: str) -> Level:
        """How much of the chat calls."""
        if fold(chat) in map(fold, self.muted):
            return "none"
        return self.level(chat) or usual_level(chat)

    def lines_for_level(self, chat: str, level: Level) -> list[str]:
        """Return what has to be asked of the server, so that so much of the chat calls on all devices."""
        # Kept as a preference, too, it would outlast an /unmute.
        if level == "none":
            return [f"/mute {chat}"]
        is_muted = self.level_now(chat) == "none"
        kept = f"/preference level:{fold(chat)} {'' if level == usual_level(chat) else level}"
        return [*([f"/unmute {chat}"] if is_muted else []), kept]


def line_to_ignore(user: str, *, is_ignored: bool) -> str:
    """Return what has to be asked of the server, so that the user is ignored on all devices, or no more."""
    name = user.removeprefix("@")
    return f"/preference ignore:{fold_typed(name)} {name if is_ignored else ''}"


def preference_in_words(name: str, value: str | None) -> str | None:
    """Say what a preference means that was set; None if it is another client's."""
    kind, _, whose = name.partition(":")
    if kind == "level":
        return level_in_words(whose, next((each for each in SET_LEVELS if each == value), usual_level(whose)))
    if kind == "ignore" and value:
        return f"{value} is hidden in main from now on; /unignore {value} ends it"
    return f"{whose} is shown in main again" if kind == "ignore" else None


def level_in_words(chat: str, level: Level) -> str:
    return {
        "all": f"every message in {chat} calls you",
        "mentions": f"mentions of you in {chat} call you",
        "none": f"nothing in {chat} calls you",
    }[level]


def usual_level(chat: str) -> SetLevel:
    return "all" if chat.startswith("@") else "mentions"
