"""What the rules mean, in plain Python over plain lists: the chat that the real one is compared with."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chat_server.protocol import events as e
from chat_server.protocol.times import iso
from tests.unit.fakes import DAY_MS
from tests.unit.rules.model_rooms import Refused, Room, Rooms

RATE_MOST, RATE_MS = 4, 1_800_000
REPORTS_TO_BAN, BAN_MS = 2, 3_600_000
DELAYED_MAX = 3
TTL_MS, ABSENT_MS = 3_600_000, 86_400_000
REPORTS_PER_DAY = 4
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
    edited_ms: int | None = None
    # Emojis with who reacted, in the order in which they came.
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
    notices: list[e.Event] = field(default_factory=list)


@dataclass
class Delayed:
    id: int
    author: str
    target: str
    due_ms: int
    text: str
    room: Room | None = None


class Model(Rooms):
    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self.now_ms = now_ms
        self.seq = 0
        self.users: dict[str, User] = {}
        self.messages: list[Message] = []
        self.delayed: list[Delayed] = []
        self.delayed_ids = 0
        self.reports: list[tuple[str, str, int, bool]] = []  # by whom, whom, when, counted

    # ---- commands

    def sign_in(self, name: str) -> bool:
        """Whether it is new."""
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
        self._refuse_banned(author)
        if target == MAIN:
            if self._main_free_ms(author) > self.now_ms:
                raise Refused("rate_limited")
        elif target.startswith("#"):
            self._room(author, target)
        else:
            self._other(author, target)
        return self._post(author, target, text, reply_to=reply_to)

    def send_delayed(self, author: str, target: str, delay_ms: int, text: str) -> int:
        self._refuse_banned(author)
        room = self._room(author, target) if target.startswith("#") else None
        if target != MAIN and not room:
            self._other(author, target)
        if sum(each.author == author for each in self.delayed) >= DELAYED_MAX:
            raise Refused("too_many")
        self.delayed_ids += 1
        self.delayed.append(Delayed(self.delayed_ids, author, target, self.now_ms + delay_ms, text, room))
        return self.delayed_ids

    def cancel(self, author: str, delayed_id: int) -> None:
        found = [each for each in self.delayed if (each.id, each.author) == (delayed_id, author)]
        if not found:
            raise Refused("unknown_delayed")
        self.delayed.remove(found[0])

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

    def report(self, reporter: str, target: str) -> int:
        self._alive(reporter)
        user = self._other(reporter, target)
        if any((by, whom) == (reporter, target) for by, whom, _, _ in self.reports):
            raise Refused("already_reported")
        if sum(by == reporter and at_ms > self.now_ms - DAY_MS for by, _, at_ms, _ in self.reports) >= REPORTS_PER_DAY:
            raise Refused("too_many")
        counts = user.ban_until_ms <= self.now_ms
        self.reports.append((reporter, target, self.now_ms, counts))
        count = sum(whom == target and at_ms >= user.ban_until_ms and it for _, whom, at_ms, it in self.reports)
        if counts and count >= REPORTS_TO_BAN:
            user.ban_until_ms = self.now_ms + BAN_MS
        return count

    def delete(self, name: str) -> None:
        self._alive(name)
        self.leave_all(name)
        self.users[name] = User(deleted=True)
        self.delayed = [each for each in self.delayed if each.author != name]
        stored = sorted((*self.messages, *(each for _, left in self.ended for each in left)), key=lambda each: each.id)
        for message in stored:
            if message.author != name and self._take_reactions(message, name):
                self._changed(message)
        for message in stored:
            if message.author == name and message.text is not None:
                self._delete(message)
        self._note_read()

    def reply(self, author: str, id_: int, text: str) -> int:
        self._refuse_banned(author)
        on = self._undeleted(author, id_)
        if on.chat == MAIN:
            return self.send(author, MAIN, text, on.id)
        if isinstance(on.chat, str):
            return self._post(author, on.chat, text, reply_to=on.id)
        return self._post(author, self._reader_besides(author, on), text, reply_to=on.id)

    def edit(self, name: str, id_: int, text: str) -> int:
        self._refuse_banned(name)
        message = self._own_message(name, id_)
        message.text, message.edited_ms = text, self.now_ms
        return self._changed(message)

    def delete_message(self, name: str, id_: int) -> int:
        self._alive(name)
        return self._delete(self._own_message(name, id_))

    def react(self, name: str, id_: int, emoji: str) -> int:
        self._refuse_banned(name)
        message = self._undeleted(name, id_)
        if (emoji, name) in message.reactions:
            return message.seq
        message.reactions.append((emoji, name))
        return self._changed(message)

    def unreact(self, name: str, id_: int, emoji: str) -> int:
        self._refuse_banned(name)
        message = self._undeleted(name, id_)
        if (emoji, name) not in message.reactions:
            return message.seq
        message.reactions.remove((emoji, name))
        return self._changed(message)

    def due(self) -> list[Message]:
        """What is gone now."""
        for each in sorted(self.delayed, key=lambda each: (each.due_ms, each.id)):
            if each.due_ms <= self.now_ms:
                self._send_delayed(each)
        self._find_absent()
        gone = [each for each in self.messages if each.read_ms is not None and each.read_ms <= self.now_ms - TTL_MS]
        self.messages = [each for each in self.messages if each not in gone]
        self.clear_ended()
        return gone

    def _find_absent(self) -> None:
        """Who has had something unread for long, and did not move the marker."""
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

    def _send_delayed(self, each: Delayed) -> None:
        author = self.users[each.author]
        if author.ban_until_ms > self.now_ms:
            each.due_ms = author.ban_until_ms
        elif each.target == MAIN and self._main_free_ms(each.author) > self.now_ms:
            each.due_ms = self._main_free_ms(each.author)
        else:
            self.delayed.remove(each)
            if each.room and each.author not in each.room.members:
                author.notices.append(e.DelayedFailed(each.id, "unknown_chat"))
            elif each.target != MAIN and not each.room and self.users[each.target].deleted:
                author.notices.append(e.DelayedFailed(each.id, "unknown_user"))
            else:
                sent = self._post(each.author, each.target, each.text, delayed=True)
                author.notices.append(e.DelayedSent(each.id, sent))

    # ---- what a user can see

    def chats(self, name: str) -> list[tuple[str, int, int]]:
        """Name, marker, unread."""
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
        """All comments come after what they comment on, so that one pass finds them."""
        self._alive(name)
        found = [self._visible(name, id_)]
        for message in self.messages:
            if message.reply_to in [each.id for each in found]:
                found.append(message)
        return found

    def waiting(self, name: str) -> list[e.Waiting]:
        mine = sorted((each for each in self.delayed if each.author == name), key=lambda each: (each.due_ms, each.id))
        return [
            e.Waiting(
                each.id,
                each.target if each.target == MAIN or each.room else f"@{each.target}",
                iso(each.due_ms),
                each.text,
            )
            for each in mine
        ]

    def banned_until(self, name: str) -> str | None:
        until_ms = self.users[name].ban_until_ms
        return iso(until_ms) if until_ms > self.now_ms else None

    def alive(self) -> list[str]:
        return [name for name, user in self.users.items() if not user.deleted]

    def name(self, chat: Chat, reader: str) -> str:
        return chat if isinstance(chat, str) else "@" + min(chat - {reader})

    # ---- parts

    def _alive(self, name: str) -> User:
        if name not in self.users or self.users[name].deleted:
            raise Refused("not_signed_in")
        return self.users[name]

    def _refuse_banned(self, name: str) -> None:
        if self._alive(name).ban_until_ms > self.now_ms:
            raise Refused("banned")

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

    def _undeleted(self, name: str, id_: int) -> Message:
        message = self._visible(name, id_)
        if message.text is None:
            raise Refused("unknown_message")
        return message

    def _own_message(self, name: str, id_: int) -> Message:
        message = self._undeleted(name, id_)
        if message.author != name:
            raise Refused("forbidden")
        return message

    def _reader_besides(self, name: str, message: Message) -> str:
        other = self.name(message.chat, name).removeprefix("@")
        self._other(name, other)
        return other

    def _changed(self, message: Message) -> int:
        self.seq += 1
        message.seq = self.seq
        return self.seq

    def _delete(self, message: Message) -> int:
        message.text, message.edited_ms = None, None
        message.reactions.clear()
        return self._changed(message)

    def _take_reactions(self, message: Message, name: str) -> bool:
        """Whether there were any."""
        before, message.reactions = message.reactions, [each for each in message.reactions if each[1] != name]
        return before != message.reactions

    def _post(self, author: str, target: str, text: str, delayed: bool = False, reply_to: int | None = None) -> int:
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
        sent = Message(self.seq, self.seq, chat, author, text, delayed, reply_to, at_ms=self.now_ms, readers=readers)
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
