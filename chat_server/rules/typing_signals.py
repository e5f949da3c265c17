"""Who is told that a user types: those in the chat, but nobody of whom one has blocked the other."""

from msgspec import Struct

from chat_server.protocol.people import TellTyping
from chat_server.rules.context import View
from chat_server.rules.lookup import find_chat
from chat_server.rules.moderation import refuse_banned
from chat_server.store import accounts, chats

# In a chat with more others nobody is told: somebody types there all the time.
READERS_MAX = 50


class TypingSignal(Struct, frozen=True, array_like=True):
    """That a user types in a chat, or does not any more, for these `readers`.

    `chat` is its name as they see it. A private chat has its id in `room`, a one-to-one chat 0.
    """

    user: str
    chat: str
    room: int
    readers: tuple[int, ...]
    typing: bool


def typing_signal(view: View, user_id: int, command: TellTyping) -> TypingSignal:
    """Find whom it concerns: nobody in `main`, nor before anything was said between two. Raises Refusal."""
    user = accounts.by_id(view.db, user_id)
    chat_id, name = find_chat(view.db, user_id, command.chat)
    if user is None or chat_id in (None, chats.MAIN):
        return TypingSignal("", name, 0, (), command.typing)
    refuse_banned(view, user)
    others = chats.unblocked_members(view.db, chat_id, user_id, READERS_MAX + 1)
    readers = tuple(others) if len(others) <= READERS_MAX else ()
    if command.chat.kind == "room":
        return TypingSignal(user.name, name, chat_id, readers, command.typing)
    return TypingSignal(user.name, f"@{user.name}", 0, readers, command.typing)
