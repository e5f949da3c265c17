"""Private chats in the model (see `model`)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chat_server.protocol.base import Event
from chat_server.protocol.rooms import Approved, Denied, Invitation, Invited, JoinRequest, Left
from tests.unit.fakes import DAY_MS
from tests.unit.rules.model_people import Refused

if TYPE_CHECKING:
    from tests.unit.rules.model import Message, User
    from tests.unit.rules.model_files import Upload

CHATS_MAX = 2


@dataclass
class Room:
    number: int
    name: str
    owner: str
    members: list[str]  # as they came
    invited: dict[str, str] = field(default_factory=dict)  # and by whom
    asked: list[str] = field(default_factory=list)


class Rooms:
    """A mixin of `Model`."""

    if TYPE_CHECKING:
        now_ms: int
        users: dict[str, User]
        messages: list[Message]
        uploads: list[Upload]

        def _alive(self, name: str) -> User: ...
        def _refuse_banned(self, name: str) -> None: ...
        def _other(self, name: str, target: str) -> User: ...
        def _apart(self, one: str, other: str) -> bool: ...
        def _refuse_blocked(self, name: str, other: str) -> None: ...
        def _newest(self, chat: str) -> int: ...
        def _note_read(self) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {}
        self.room_numbers = 0
        self.requests = 0
        # Chats that have ended, until their messages are removed.
        self.ended: list[tuple[int, list[Message]]] = []
        self.codes: dict[str, tuple[Room, int]] = {}
        self.codes_drawn = 0

    # ---- commands

    def create(self, name: str, room: str) -> str:
        self._refuse_banned(name)
        if room in self.rooms:
            raise Refused("exists")
        self._refuse_too_many(name)
        self.room_numbers += 1
        self.rooms[room] = Room(self.room_numbers, room, name, [])
        self._add_member(self.rooms[room], name)
        return room

    def invite(self, name: str, room: str, guest: str) -> str:
        self._refuse_banned(name)
        chat = self._room(name, room)
        user = self._other(name, guest)
        if guest in chat.members:
            raise Refused("exists")
        self._refuse_blocked(name, guest)
        if guest not in chat.invited:
            chat.invited[guest] = name
            user.notices.append(Invited(room, name))
        return guest

    def join(self, name: str, room: str) -> bool:
        self._refuse_banned(name)
        chat = self.rooms.get(room)
        if chat is None or name not in (*chat.members, *chat.invited):
            raise Refused("unknown_chat")
        return self._accept(chat, name)

    def join_by_code(self, name: str, code: str) -> bool:
        """Use a code. Return whether the user has only asked to join."""
        self._refuse_banned(name)
        chat, expires_ms = self.codes.get(code, (None, 0))
        if chat is None or expires_ms <= self.now_ms:
            raise Refused("unknown_chat")
        if name in (*chat.members, *chat.invited):
            return self._accept(chat, name)
        if self._apart(name, chat.owner):
            raise Refused("unknown_chat")
        if name not in chat.asked:
            chat.asked.append(name)
            self.users[chat.owner].notices.append(JoinRequest(chat.name, name))
        return True

    def _accept(self, chat: Room, name: str) -> bool:
        if name not in chat.members:
            self._refuse_too_many(name)
            self._add_member(chat, name)
        return False

    def decline(self, name: str, room: str) -> str:
        self._alive(name)
        chat = self.rooms.get(room)
        if chat is None or name not in chat.invited:
            raise Refused("unknown_chat")
        self._end_invitation(chat, name)
        return room

    def link(self, name: str, room: str) -> str:
        """Make a link. A code is drawn even if it is refused."""
        self.codes_drawn += 1
        self._refuse_banned(name)
        code = f"code-{self.codes_drawn}"
        self.codes[code] = self._room(name, room), self.now_ms + DAY_MS
        return code

    def revoke(self, name: str, room: str) -> int:
        self._alive(name)
        chat = self._room(name, room)
        good = [code for code, (of, expires_ms) in self.codes.items() if of is chat and expires_ms > self.now_ms]
        self._end_codes(chat)
        return len(good)

    def approve(self, name: str, room: str, asker: str) -> str:
        self._refuse_banned(name)
        chat = self._find_asker(name, room, asker)
        self._refuse_too_many(asker)
        self._add_member(chat, asker)
        self.users[asker].notices.append(Approved(room))
        return asker

    def deny(self, name: str, room: str, asker: str) -> str:
        self._alive(name)
        self._end_request(self._find_asker(name, room, asker), asker)
        self.users[asker].notices.append(Denied(room))
        return asker

    def leave(self, name: str, room: str) -> str:
        self._alive(name)
        self._remove_member(self._room(name, room), name)
        return room

    def remove(self, name: str, room: str, member: str) -> str:
        self._alive(name)
        chat = self._find_member(name, room, member)
        self._remove_member(chat, member)
        for guest in [guest for guest, by in chat.invited.items() if by == member]:
            self._end_invitation(chat, guest)
        self.users[member].notices.append(Left(room, member, name))
        return member

    def give(self, name: str, room: str, member: str) -> str:
        self._alive(name)
        chat = self._find_member(name, room, member)
        self._refuse_blocked(name, member)
        self._hand_over(chat, member)
        return member

    # ---- what a user can see

    def is_in(self, name: str, room: str) -> bool:
        return room in self.rooms and name in self.rooms[room].members

    def invitations(self, name: str) -> list[Invitation]:
        found = [Invitation(chat.name, chat.invited[name]) for chat in self.rooms.values() if name in chat.invited]
        return sorted(found, key=lambda invitation: invitation.chat)

    def requests_to(self, name: str) -> set[tuple[str, str]]:
        return {(chat.name, asker) for chat in self.rooms.values() if chat.owner == name for asker in chat.asked}

    # ---- parts

    def leave_all(self, name: str) -> None:
        for chat in sorted(self.rooms.values(), key=lambda chat: chat.number):
            if name in chat.members:
                self._remove_member(chat, name)
        for chat in self.rooms.values():
            for guest in [guest for guest, by in chat.invited.items() if name in (guest, by)]:
                self._end_invitation(chat, guest)
            if name in chat.asked:
                self._end_request(chat, name)

    def end_between(self, one: str, other: str) -> None:
        for chat in self.rooms.values():
            for guest, by in ((one, other), (other, one)):
                if chat.invited.get(guest) == by:
                    self._end_invitation(chat, guest)
                if chat.owner == by:
                    self._end_request(chat, guest)

    def clear_ended(self) -> None:
        if self.ended:
            self.ended.remove(min(self.ended, key=lambda ended: ended[0]))

    def _room(self, name: str, room: str) -> Room:
        if not self.is_in(name, room):
            raise Refused("unknown_chat")
        return self.rooms[room]

    def _find_own(self, name: str, room: str) -> Room:
        chat = self._room(name, room)
        if chat.owner != name:
            raise Refused("forbidden")
        return chat

    def _find_asker(self, name: str, room: str, asker: str) -> Room:
        chat = self._find_own(name, room)
        if asker not in chat.asked:
            raise Refused("unknown_user")
        return chat

    def _find_member(self, name: str, room: str, member: str) -> Room:
        chat = self._find_own(name, room)
        if member not in chat.members:
            raise Refused("unknown_user")
        if member == name:
            raise Refused("not_yourself")
        return chat

    def _refuse_too_many(self, name: str) -> None:
        if sum(name in chat.members for chat in self.rooms.values()) >= CHATS_MAX:
            raise Refused("too_many")

    def _add_member(self, chat: Room, name: str) -> None:
        chat.members.append(name)
        user = self.users[name]
        user.markers[chat.name], user.moved_ms[chat.name] = self._newest(chat.name), self.now_ms
        self._end_invitation(chat, name)
        self._end_request(chat, name)

    def _remove_member(self, chat: Room, name: str) -> None:
        chat.members.remove(name)
        user = self.users[name]
        del user.markers[chat.name], user.moved_ms[chat.name]
        user.absent.discard(chat.name)
        self._note_read()
        if not chat.members:
            self._end(chat)
        elif chat.owner == name:
            self._hand_over(chat, chat.members[0])

    def _end(self, chat: Room) -> None:
        for guest in list(chat.invited):
            self._end_invitation(chat, guest)
        for asker in list(chat.asked):
            self._end_request(chat, asker)
        self._end_codes(chat)
        self.uploads = [each for each in self.uploads if each.target != chat.name]
        del self.rooms[chat.name]
        self.ended.append((chat.number, [each for each in self.messages if each.chat == chat.name]))
        self.messages = [each for each in self.messages if each.chat != chat.name]

    def _hand_over(self, chat: Room, owner: str) -> None:
        for asker in chat.asked:
            self._untell(chat.owner, JoinRequest(chat.name, asker))
        chat.owner = owner
        chat.asked = [asker for asker in chat.asked if not self._apart(asker, owner)]
        self.users[owner].notices += [JoinRequest(chat.name, asker) for asker in chat.asked]

    def _end_codes(self, chat: Room) -> None:
        self.codes = {code: link for code, link in self.codes.items() if link[0] is not chat}

    def _end_invitation(self, chat: Room, guest: str) -> None:
        if guest in chat.invited:
            self._untell(guest, Invited(chat.name, chat.invited.pop(guest)))

    def _end_request(self, chat: Room, asker: str) -> None:
        if asker in chat.asked:
            chat.asked.remove(asker)
            self._untell(chat.owner, JoinRequest(chat.name, asker))

    def _untell(self, name: str, event: Event) -> None:
        notices = self.users[name].notices
        if event in notices:
            notices.remove(event)
