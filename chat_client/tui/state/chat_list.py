"""The list of the user's chats in their order, and the open one."""

from chat_client.common.chat_order import chat_order
from chat_client.tui.state.chat_state import ChatState

LOADED_MAX = 20  # chats whose messages are kept


class ChatList:
    def __init__(self) -> None:
        self.by_name = {"main": ChatState("main")}
        self.open_name = "main"
        self.previous_name = "main"
        self.removed_from: str | None = None  # the chat that was open and is gone, until another is opened on purpose
        self.unread_cycle: dict[str, int] = {}  # chats that Alt-A has shown, and their newest messages then
        self.drafts: dict[str, str] = {}  # of chats that are not listed yet
        self._opened = {"main": None}  # the chats whose messages may be kept, the one that is open last

    def chat(self, name: str) -> ChatState:
        """The chat of this name, which is listed from now on."""
        chat = self.by_name.get(name)
        if chat is None:
            chat = self.by_name[name] = ChatState(name)
            chat.draft = self.drafts.pop(name, "")
            self.by_name = {each: self.by_name[each] for each in sorted(self.by_name, key=chat_order)}
        return chat

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
        """Take a chat off the list; whether it was open. `main` is open then."""
        self.by_name.pop(name, None)
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
