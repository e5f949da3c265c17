"""The list of the user's chats: their order and numbers, those that are pinned, and the open one."""

from collections.abc import Mapping
from typing import Literal, get_args

from chat_client.common.chat_order import chat_order
from chat_client.common.setting import Section, Setting
from chat_client.tui.state.chat_state import ChatState

Order = Literal["name", "unread", "latest"]
PIN_NUMBERS = range(2, 10)  # main is number 1
CHATS = Section(
    "chats",
    "The list of chats.",
    (Setting("order", "name", "by name, with the unread ones first, or with the latest ones first", get_args(Order)),),
)
LOADED_MAX = 20  # chats whose messages are kept


class ChatList:
    def __init__(self) -> None:
        self.by_name = {"main": ChatState("main")}
        self.open_name = "main"
        self.previous_name = "main"
        self.removed_from: str | None = None  # the chat that was open and is gone, until another is opened on purpose
        self.order: Order = "name"
        self.pins: dict[str, int] = {}  # chats whose numbers stay; some may not be listed now
        self.unread_cycle: dict[str, int] = {}  # chats that Alt-A has shown, and their newest messages then
        self.drafts: dict[str, str] = {}  # of chats that are not listed now
        self._opened = {"main": None}  # the chats whose messages may be kept, the one that is open last

    def chat(self, name: str) -> ChatState:
        """The chat of this name, which is listed from now on."""
        chat = self.by_name.get(name)
        if chat is None:
            chat = self.by_name[name] = ChatState(name)
            chat.draft = self.drafts.pop(name, "")
            self.by_name = {each: self.by_name[each] for each in sorted(self.by_name, key=chat_order)}
        return chat

    def listed(self) -> list[tuple[int, ChatState]]:
        """The chats in the order of the list, with their numbers: `main`, those that are pinned, the others, and last
        those that are muted. The numbers that are left go to the others."""
        first = [(1, self.by_name["main"])]
        pinned = [(number, self.by_name[name]) for name, number in self.pins.items() if name in self.by_name]
        others = [chat for name, chat in self.by_name.items() if name not in self.pins and name != "main"]
        if self.order == "latest":
            others.sort(key=lambda chat: -chat.newest)
        elif self.order == "unread":
            others.sort(key=lambda chat: (not chat.unread, not chat.mentions, chat.unread > 0 and not chat.is_direct))
        others.sort(key=lambda chat: chat.muted)
        taken = {number for number, _ in pinned}
        free = (number for number in range(2, len(self.by_name) + len(taken) + 2) if number not in taken)
        return [*first, *sorted(pinned, key=lambda each: each[0]), *zip(free, others, strict=False)]

    def section(self, chat: ChatState) -> str:
        """The heading under which the chat is listed."""
        if chat.name in self.pins or (chat.name == "main" and self.pins):
            return "pinned"
        if chat.muted and chat.name != "main":
            return "muted"
        if self.order == "unread" and chat.unread and chat.name != "main":
            return "unread"
        return "people" if chat.is_direct and self.order == "name" else "chats"

    def pin(self, name: str, number: int | None = None) -> str:
        """Give the chat a number that stays, or this one, or take it back; the words of it. Raises ValueError."""
        if name == "main":
            raise ValueError("main is always number 1")
        if name in self.pins and number in (None, self.pins[name]):
            del self.pins[name]
            return f"{name} is no longer pinned"
        taken = {each: of for of, each in self.pins.items() if of in self.by_name and of != name}
        wanted = next((each for each in PIN_NUMBERS if each not in taken), None) if number is None else number
        if wanted is None:
            raise ValueError(f"{len(PIN_NUMBERS)} chats are pinned, and no number is left; /pin <chat> unpins one")
        if wanted in taken:
            raise ValueError(f"{wanted} is the number of {taken[wanted]}; /pin {taken[wanted]} unpins that")
        self.pins = {of: each for of, each in self.pins.items() if each != wanted} | {name: wanted}
        return f"{name} is pinned: Alt-{wanted} opens it"

    def take_pins(self, pins: Mapping[str, int]) -> None:
        """Those that were kept, as far as they make sense."""
        numbers = {number: name for name, number in pins.items() if number in PIN_NUMBERS and name != "main"}
        self.pins = {name: number for number, name in numbers.items()}

    @property
    def open(self) -> ChatState:
        return self.by_name[self.open_name]

    @property
    def addressee(self) -> str:
        """Who reads a message to the open chat."""
        return "everyone" if self.open_name == "main" else self.open_name.removeprefix("@")

    def switch_to(self, name: str) -> None:
        self.chat(name)
        self.previous_name, self.open_name = self.open_name, name
        self._opened.pop(name, None)
        self._opened[name] = None
        self._unload_others()

    def _unload_others(self) -> None:
        """Keep the messages of the chats that were open last, and of those in which a message was refused."""
        for name in list(self._opened)[:-LOADED_MAX]:
            chat = self.by_name.get(name)
            if chat is None or not chat.feed.has_refused:
                del self._opened[name]
                if chat is not None:
                    chat.unload()

    def remove(self, name: str) -> bool:
        """Take a chat off the list; whether it was open. `main` is open then. Its draft comes back if it does."""
        chat = self.by_name.pop(name, None)
        if chat is not None and chat.draft:
            self.drafts[name] = chat.draft
        was_open = self.open_name == name
        if was_open:
            self.open_name = "main"
        if self.previous_name == name:
            self.previous_name = "main"
        return was_open

    def next_unread(self) -> ChatState | None:
        """The next chat with something unread: mentions first, then chats of two, muted ones last. Each comes once
        until all have, unless something new was said in it: a marker moves a second later than a key is pressed again.
        """
        waiting = [chat for chat in self.by_name.values() if chat.unread and chat is not self.open]
        if not waiting:
            return None
        self.unread_cycle[self.open_name] = self.open.newest
        left = [chat for chat in waiting if self.unread_cycle.get(chat.name, -1) < chat.newest]
        if not left:
            self.unread_cycle.clear()
        chosen = min(left or waiting, key=lambda chat: (not chat.mentions, chat.muted, not chat.is_direct))
        self.unread_cycle[chosen.name] = chosen.newest
        return chosen
