"""The model of the rules, in plain Python over plain lists, with which the real chat is compared."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chat_server.protocol.base import Event
from chat_server.protocol.messages import File
from tests.unit.rules.model_delayed import Delays
from tests.unit.rules.model_files import Files
from tests.unit.rules.model_people import OPERATOR, People, Refused
from tests.unit.rules.model_rooms import Rooms

RATE_MOST, RATE_MS = 4, 1_800_000
TTL_MS, ABSENT_MS = 3_600_000, 86_400_000
MAIN = "main"
Chat = str | frozenset[str]  # main, a private chat, or the two who write to each other
__all__ = ["Refused"]


@dataclass
class Message:
    id: int
    seq: int
    chat: Chat
    author: str
    text: str | None
    delayed: bool
    reply_to: int | None = None
    file: File | None = None
    mentions: list[str] | None = None
    edited_ms: int | None = None
    # Emojis and the users who reacted, in the order of the reactions.
    reactions: list[tuple[str, str]] = field(default_factory=list)
    at_ms: int = 0
    readers: set[str] = field(default_factory=set)  # who was in the chat when it was sent
    read_ms: int | None = None  # when they had all read it

    def reactions_shown(self) -> dict[str, list[str]] | None:
        shown: dict[str, list[str]] = {}
        for emoji, name in self.reactions:
            shown.setdefault(emoji, []).append(name)
        return shown or None


@dataclass
class User:
    deleted: bool = False
    rate_start_ms: int = -RATE_MS
    rate_count: int = 0
    ban_until_ms: int = 0
    markers: dict[Chat, int] = field(default_factory=dict)
    moved_ms: dict[Chat, int] = field(default_factory=dict)  # when each marker moved
    absent: set[Chat] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    notices: list[Event] = field(default_factory=list)


class Model(Rooms, People, Files, Delays):
    def __init__(self, now_ms: int) -> None:
        """`now_ms` is elapsed time, by which everything is decided. The clock shows `offset_ms` more."""
        super().__init__()
        self.now_ms = now_ms
        self.offset_ms = 0
        self.seq = 0
        self.users: dict[str, User] = {}
        self.messages: list[Message] = []

    # ---- commands

    def sign_in(self, name: str) -> bool:
        """Sign in. Return whether the user is new."""
        if name not in self.users:
            self.users[name] = User(markers={MAIN: self._newest(MAIN)}, moved_ms={MAIN: self.now_ms})
            return True
        user = self.users[name]
        if user.deleted:
            raise Refused("bad_name")
        for chat in [chat for chat in user.absent if not self._unread(name, chat)]:
            user.absent.remove(chat)
            user.moved_ms[chat] = self.now_ms
        return False

    def send(self, author: str, target: str, text: str, reply_to: int | None = None) -> int:
        self._refuse_sending(author, target)
        return self._post(author, target, text, reply_to=reply_to)

    def _refuse_sending(self, author: str, target: str) -> None:
        self._refuse_banned(author)
        if target == MAIN:
            if self._main_free_ms(author) > self.now_ms:
                raise Refused("rate_limited")
        elif target.startswith("#"):
            self._room(author, target)
        else:
            self._other(author, target)
            self._refuse_blocked(author, target)

    def read(self, name: str, target: str, up_to: int) -> int:
        chat = self._chat(name, target)
        markers = self.users[name].markers
        if chat not in markers:
            return 0
        self._move(name, chat, min(up_to, self._newest(chat)))
        return markers[chat]

    def seen(self, name: str, up_to: int) -> None:
        for chat in self.users[name].markers:
            self._move(name, chat, max((each.id for each in self._of(chat) if each.id <= up_to), default=0))

    def _move(self, name: str, chat: Chat, marker: int) -> None:
        user = self.users[name]
        if marker > user.markers[chat]:
            user.markers[chat], user.moved_ms[chat] = marker, self.now_ms
            user.absent.discard(chat)
            self._note_read()

    def delete(self, name: str) -> None:
        self._alive(name)
        self.leave_all(name)
        self.users[name] = User(deleted=True)
        self.delayed = [each for each in self.delayed if each.author != name]
        self.uploads = [each for each in self.uploads if each.author != name]
        for user in self.users.values():
            user.blocked.discard(name)
        stored = sorted(self.stored(), key=lambda each: each.id)
        for message in stored:
            if message.author != name and self._take_reactions(message, name):
                self._changed(message)
        for message in stored:
            if message.author == name and message.text is not None:
                self._delete(message)
        self._note_read()

    def reply(self, author: str, id_: int, text: str) -> int:
        self._refuse_banned(author)
        on = self._find_undeleted(author, id_)
        if on.chat == MAIN:
            return self.send(author, MAIN, text, on.id)
        if isinstance(on.chat, str):
            return self._post(author, on.chat, text, reply_to=on.id)
        other = self._reader_besides(author, on)
        self._other(author, other)
        self._refuse_blocked(author, other)
        return self._post(author, other, text, reply_to=on.id)

    def edit(self, name: str, id_: int, text: str) -> int:
        self._refuse_banned(name)
        message = self._find_own_message(name, id_)
        self._refuse_blocked_at(name, message)
        message.text, message.edited_ms = text, self.now_ms + self.offset_ms
        message.mentions = self._find_mentioned(name, message.chat, text)
        return self._changed(message)

    def delete_message(self, name: str, id_: int) -> int:
        self._alive(name)
        return self._delete(self._find_any(id_) if name == OPERATOR else self._find_own_message(name, id_))

    def react(self, name: str, id_: int, emoji: str) -> int:
        self._refuse_banned(name)
        message = self._find_undeleted(name, id_)
        self._refuse_blocked_at(name, message)
        if (emoji, name) in message.reactions:
            return message.seq
        message.reactions.append((emoji, name))
        return self._changed(message)

    def unreact(self, name: str, id_: int, emoji: str) -> int:
        self._refuse_banned(name)
        message = self._find_undeleted(name, id_)
        if (emoji, name) not in message.reactions:
            return message.seq
        message.reactions.remove((emoji, name))
        return self._changed(message)

    def due(self) -> list[Message]:
        """Do all that is due. Return the messages that have expired."""
        self.send_due()
        self._find_absent()
        gone = [each for each in self.messages if each.read_ms is not None and each.read_ms <= self.now_ms - TTL_MS]
        self.messages = [each for each in self.messages if each not in gone]
        self.clear_ended()
        self.end_uploads()
        return gone

    def _find_absent(self) -> None:
        """Mark members as absent who have had unread messages for long and did not move the marker."""
        for name, user in self.users.items():
            for chat in user.markers:
                unread = self._unread(name, chat)
                if unread and max(user.moved_ms[chat], unread[0].at_ms) <= self.now_ms - ABSENT_MS:
                    user.absent.add(chat)
        self._note_read()

    def _note_read(self) -> None:
        for message in self.messages:
            waiting = (name for name in message.readers - {message.author} if self._holds_back(name, message))
            if message.read_ms is None and not any(waiting):
                message.read_ms = self.now_ms

    def _holds_back(self, name: str, message: Message) -> bool:
        user = self.users[name]
        if user.deleted or message.chat in user.absent:
            return False
        return message.chat in user.markers and user.markers[message.chat] < message.id

    # ---- what a user can see

    def chats(self, name: str) -> list[tuple[str, int, int]]:
        """Return the name, the marker and the count of unread messages of each chat."""
        markers = self.users[name].markers
        listed = [(self.name(chat, name), marker, len(self._unread(name, chat))) for chat, marker in markers.items()]
        return sorted(listed, key=lambda chat: (chat[0] != MAIN, chat[0]))

    def unread(self, name: str) -> list[Message]:
        every = [message for chat in self.users[name].markers for message in self._unread(name, chat)]
        return sorted(every, key=lambda message: message.id)

    def after(self, name: str, position: int) -> list[Message]:
        mine = [each for each in self.messages if each.chat in self.users[name].markers and each.seq > position]
        return sorted(mine, key=lambda message: message.seq)

    def history(self, name: str, target: str) -> list[Message]:
        return list(self._of(self._chat(name, target)))

    def thread(self, name: str, id_: int) -> list[Message]:
        """Return a thread. Comments come after their messages, so that one pass finds all."""
        self._alive(name)
        found = [self._visible(name, id_)]
        for message in self.messages:
            if message.reply_to in [each.id for each in found]:
                found.append(message)
        return found

    def stored(self) -> list[Message]:
        """Return all messages, also those of private chats that have ended."""
        return [*self.messages, *(each for _, left in self.ended for each in left)]

    def alive(self) -> list[str]:
        return [name for name, user in self.users.items() if not user.deleted]

    def name(self, chat: Chat, reader: str) -> str:
        return chat if isinstance(chat, str) else "@" + min(chat - {reader})

    # ---- parts

    def _alive(self, name: str) -> User:
        if name not in self.users or self.users[name].deleted:
            raise Refused("not_signed_in")
        return self.users[name]

    def _other(self, name: str, target: str) -> User:
        if target not in self.users or self.users[target].deleted:
            raise Refused("unknown_user")
        if target == name:
            raise Refused("not_yourself")
        return self.users[target]

    def _chat(self, name: str, target: str) -> Chat:
        if target == MAIN:
            return MAIN
        if target.startswith("#"):
            return self._room(name, target).name
        if target not in self.users:
            raise Refused("unknown_user")
        if target == name:
            raise Refused("not_yourself")
        return frozenset((name, target))

    def _visible(self, name: str, id_: int) -> Message:
        for message in self.messages:
            if message.id == id_ and self._sees(name, message.chat):
                return message
        raise Refused("unknown_message")

    def _sees(self, name: str, chat: Chat) -> bool:
        if isinstance(chat, str):
            return chat == MAIN or self.is_in(name, chat)
        return name in chat

    def answers(self, message: Message) -> list[int]:
        return [each.id for each in self.messages if each.reply_to == message.id]

    def _find_undeleted(self, name: str, id_: int) -> Message:
        message = self._visible(name, id_)
        if message.text is None:
            raise Refused("unknown_message")
        return message

    def _find_own_message(self, name: str, id_: int) -> Message:
        message = self._find_undeleted(name, id_)
        if message.author != name:
            raise Refused("forbidden")
        return message

    def _reader_besides(self, name: str, message: Message) -> str:
        """Return the other reader of a message in a one-to-one chat."""
        return self.name(message.chat, name).removeprefix("@")

    def _refuse_blocked_at(self, name: str, message: Message) -> None:
        if not isinstance(message.chat, str):
            self._refuse_blocked(name, self._reader_besides(name, message))

    def _changed(self, message: Message) -> int:
        self.seq += 1
        message.seq = self.seq
        return self.seq

    def _delete(self, message: Message) -> int:
        message.text = message.edited_ms = message.mentions = message.file = None
        message.reactions.clear()
        return self._changed(message)

    def _take_reactions(self, message: Message, name: str) -> bool:
        """Remove the reactions of a user. Return whether there were any."""
        before, message.reactions = message.reactions, [each for each in message.reactions if each[1] != name]
        return before != message.reactions

    def _post(
        self,
        author: str,
        target: str,
        text: str,
        delayed: bool = False,
        reply_to: int | None = None,
        file: File | None = None,
    ) -> int:
        chat = self._chat(author, target)
        user = self.users[author]
        if chat == MAIN:
            if self.now_ms >= user.rate_start_ms + RATE_MS:
                user.rate_start_ms, user.rate_count = self.now_ms, 0
            user.rate_count += 1
        elif chat not in user.markers:  # of a one-to-one chat
            for each in (user, self.users[target]):
                each.markers[chat], each.moved_ms[chat] = 0, self.now_ms
        self.seq += 1
        readers = {name for name, each in self.users.items() if chat in each.markers}
        sent = Message(
            self.seq, self.seq, chat, author, text, delayed, reply_to, file, at_ms=self.now_ms, readers=readers
        )
        sent.mentions = None if file else self._find_mentioned(author, chat, text)
        self.messages.append(sent)
        self._note_read()
        return self.seq

    def _main_free_ms(self, name: str) -> int:
        user = self.users[name]
        return user.rate_start_ms + RATE_MS if user.rate_count >= RATE_MOST else 0

    def _of(self, chat: Chat) -> Iterator[Message]:
        return (message for message in self.messages if message.chat == chat)

    def _unread(self, name: str, chat: Chat) -> list[Message]:
        marker = self.users[name].markers[chat]
        return [message for message in self._of(chat) if message.id > marker and message.author != name]

    def _newest(self, chat: Chat) -> int:
        return max((message.id for message in self._of(chat)), default=0)
