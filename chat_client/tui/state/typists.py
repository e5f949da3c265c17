"""Typists: who types in which chat, and where others are told that the user does."""

from msgspec import Struct, field

from chat_server.protocol.people import TYPING_SECONDS, Typing

USERS_MAX = 50  # of one chat


class Typists(Struct):
    """`is_wanted`: the user wants to tell others, and to be told. `is_shared`: the server does so on this connection.
    `told_in`: the chat in which others may still be shown that the user types, since `told_at` of `elapsed`."""

    is_wanted: bool = False
    is_shared: bool = False
    told_in: str = ""
    told_at: float = float("-inf")
    _until: dict[str, dict[str, float]] = field(default_factory=dict)

    def disconnect(self) -> None:
        self.is_shared, self.told_in, self.told_at = False, "", float("-inf")
        self._until.clear()

    def take(self, event: Typing, elapsed: float) -> None:
        users = self._until.setdefault(event.chat, {})
        users.pop(event.user, None)
        if event.typing and len(users) < USERS_MAX:
            users[event.user] = elapsed + TYPING_SECONDS

    def end(self, chat: str, user: str) -> None:
        self._until.get(chat, {}).pop(user, None)

    def of(self, chat: str) -> list[str]:
        """Who types there, the one who was told of the longest ago first."""
        return list(self._until.get(chat, ()))

    def expire(self, elapsed: float) -> bool:
        """Whether somebody does not type any more."""
        over = [
            (chat, user) for chat, users in self._until.items() for user, until in users.items() if until <= elapsed
        ]
        for chat, user in over:
            self.end(chat, user)
        self._until = {chat: users for chat, users in self._until.items() if users}
        return bool(over)
