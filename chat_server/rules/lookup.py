"""Look-ups of the users, chats and messages that the asking user may see, and the places of messages."""

from collections.abc import Callable

from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Event
from chat_server.rules.context import Context
from chat_server.rules.outcomes import Push
from chat_server.store import accounts, chats, messages, rooms
from chat_server.store.accounts import User
from chat_server.store.database import Database
from chat_server.store.messages import StoredMessage
from chat_server.store.rooms import Room


class Place:
    """The place of a message: a chat, and the name that its readers see.

    `readers` are the two users of a one-to-one chat, each with the name that the user sees. Any other chat has one
    `name` for all. `slow_ms` is that of a private chat.
    """

    __slots__ = ("_pushes", "chat_id", "name", "readers", "slow_ms")

    def __init__(
        self, chat_id: int, name: str = "", readers: tuple[tuple[int, str], ...] = (), slow_ms: int = 0
    ) -> None:
        self.chat_id = chat_id
        self.name = name
        self.readers = readers
        self.slow_ms = slow_ms
        # What an event pushed there is made of besides itself: the name of the chat in it, its users, and its room.
        self._pushes: list[tuple[str, tuple[int, ...] | None, int]]
        if chat_id == chats.MAIN:
            self._pushes = [(name, None, 0)]
        elif name:
            self._pushes = [(name, (), chat_id)]
        else:
            self._pushes = [(seen, (user_id,), 0) for user_id, seen in readers]

    def name_for(self, reader: int) -> str:
        return self.name or dict(self.readers)[reader]

    def push(self, context: Context, seen_as: Callable[[str], Event], *, before: int = 0) -> None:
        """Push an event to all members of the chat; `seen_as` makes it for a name of the chat. `before`: see `Push`."""
        for name, users, room in self._pushes:
            context.pushes.append(Push(seen_as(name), users, 0, room, before))


MAIN_PLACE = Place(chats.MAIN, "main")


def place_between(chat_id: int, one: tuple[int, str], other: tuple[int, str]) -> Place:
    """Return the place of a one-to-one chat of two users, given as ids and names."""
    return Place(chat_id, readers=((one[0], f"@{other[1]}"), (other[0], f"@{one[1]}")))


def find_message(db: Database, asker: int, message_id: int) -> tuple[StoredMessage, Place]:
    """Find a message that the asker may read, and its place. Raises Refusal `unknown_message` for any other."""
    message = messages.find(db, message_id)
    place = place_of(db, asker, message.chat_id) if message else None
    if message is None or place is None:
        raise Refusal("unknown_message", f"there is no message #{message_id} that you can see")
    return message, place


def place_of(db: Database, asker: int, chat_id: int) -> Place | None:
    """Return the place of a chat that the asker is in, None for any other."""
    if chat_id != chats.MAIN and chats.find_membership(db, asker, chat_id) is None:
        return None
    return place_anywhere(db, chat_id)


def place_anywhere(db: Database, chat_id: int) -> Place | None:
    """Return the place of any chat, whoever is in it; None for one that has ended."""
    if chat_id == chats.MAIN:
        return MAIN_PLACE
    if pair := chats.users_of_direct(db, chat_id):
        return place_between(chat_id, *pair)
    room = chats.find_room(db, chat_id)
    return Place(chat_id, room[0], slow_ms=room[1]) if room else None


def unknown_user_refusal(name: str) -> Refusal:
    return Refusal("unknown_user", f"there is no user {name}; /status lists the users")


def unknown_chat_refusal(name: str) -> Refusal:
    """Build the refusal for a private chat that the asker is not in, the same whether or not it exists."""
    return Refusal("unknown_chat", f"you are in no chat {name}; /status lists your chats and invitations")


def find_room(db: Database, asker: int, target: Target) -> Room:
    """Find a private chat that the asker is in. Raises Refusal `unknown_chat`."""
    room = rooms.of_member(db, asker, target.folded)
    if room is None:
        raise unknown_chat_refusal(str(target))
    return room


def find_user(db: Database, name: str, folded: str, asker: int) -> User:
    """Find another user by name. Raises Refusal `unknown_user` or `not_yourself`."""
    user = accounts.by_name(db, folded)
    if user is None:
        raise unknown_user_refusal(name)
    if user.id == asker:
        raise Refusal("not_yourself", "that is you; name somebody else")
    return user


def find_chat(db: Database, asker: int, target: Target) -> tuple[int | None, str]:
    """Find the id and the name, as the asker sees it, of a chat that the asker may read.

    The id is None for a one-to-one chat in which nothing was ever said. Raises Refusal.
    """
    if target.kind == "main":
        return chats.MAIN, "main"
    if target.kind == "room":
        room = find_room(db, asker, target)
        return room.id, room.name
    known = accounts.find_id_and_name(db, target.folded)
    if known is None:
        raise unknown_user_refusal(target.name)
    other, name = known
    if other == asker:
        raise Refusal("not_yourself", "there is no chat with yourself; name somebody else")
    return chats.find_direct(db, asker, other), f"@{name}"
