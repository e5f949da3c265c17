"""What a rule is handed, what it gives back, and where rules are entered.

    @rule(Command)     a change: runs on the writer's thread, in the batch's transaction, and returns its reply
    @reading(Query)    runs on a reader's thread, on a snapshot; returns its reply, after yielding pages if it has any

A rule checks first and writes after, so that a Refusal has nothing to undo. It MUST depend on nothing but the store and
the entry: no clock, no random source, no setting, no order of a set. The same log gives the same database.
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from chat_server.blobs import Blobs
from chat_server.entries import MACHINE, Entry, Limits, Logged
from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.events import Event, Reply
from chat_server.protocol.table import Command
from chat_server.protocol.times import iso
from chat_server.store import accounts, chats, messages, notices, operators, rooms
from chat_server.store.accounts import User
from chat_server.store.database import Database
from chat_server.store.messages import Stored
from chat_server.store.rooms import Room
from chat_server.store.state import State


class Push(Struct, frozen=True):
    """An event for everyone, for these users, or for all who are in a private chat (`room`, its id).

    It goes to all their sessions but the one whose command it came from. `notice` is the id under which the event is
    kept until the user is told, 0 if it is not.
    """

    event: Event
    users: tuple[int, ...] | None = None
    notice: int = 0
    room: int = 0


class Move(Struct, frozen=True):
    """A user came into a private chat, or went.

    Who comes is not yet in the chat for the pushes of the same entry, and who goes is in it no more: what they are told
    is pushed to them.
    """

    user_id: int
    room: int
    name: str
    came: bool


class Ending(Struct, frozen=True):
    """Connections of a user that an entry ends, once everything of its batch has been said.

    All of them; with `session` or `token` only that one, and those that came in by that token. `asker`: what becomes of
    the connection whose command it is, if it is among them.
    """

    user_id: int
    code: str
    reason: str
    session: int | None = None
    token: bytes | None = None
    asker: Literal["closed", "kept", "signed_out"] = "closed"

    def is_of(self, session: int, token: bytes | None) -> bool:
        everyone = self.session is None and self.token is None
        return everyone or session == self.session or (token is not None and token == self.token)


class Entered(Struct, frozen=True):
    """Who a session belongs to from here on, the token that it came in by, and which private chats that user is in.

    Its reply follows once it has been shown what it missed.
    """

    user_id: int
    name: str
    new: bool
    rooms: tuple[int, ...] = ()
    away: str | None = None
    token: bytes | None = None


class Opened(Struct, frozen=True):
    """An upload that waits for its bytes. Its reply follows once it is known how many of the `size` are there."""

    upload: int
    size: int


class Stale(Exception):
    """What *prepare* looked at has changed since: the command has to be prepared again."""


Result = Reply | Entered | Opened | Refusal | None
Then = tuple[Logged, Reply]
Answer = Generator[Sequence[Event], None, Reply | Then]
"""Pages of events, then the reply, or what has to be logged before the reply is said."""


class Turn:
    """What the rules of a batch are handed, one entry after the other (`take`)."""

    def __init__(self, db: Database, state: State, limits: Limits | None) -> None:
        self.db = db
        self.state = state
        self.at_ms = state.at_ms
        self.elapsed_ms = state.elapsed_ms
        self.at = iso(state.at_ms)
        # What rules count for `metrics.COUNTERS`; no rule reads it.
        self.counts: Counter[str] = Counter()
        if limits is not None:
            self.limits = limits

    def take(self, entry: Entry) -> None:
        self.user_id = entry.user_id
        self.address = entry.address
        self.cramped = entry.cramped
        self.pushes: list[Push] = []
        self.moves: list[Move] = []
        self.endings: list[Ending] = []

    def wall_ms(self, elapsed_ms: int) -> int:
        """When that is by the wall clock, as it goes now: how an end is shown."""
        return self.at_ms + elapsed_ms - self.elapsed_ms

    def user(self) -> User:
        """Who asks."""
        user = accounts.by_id(self.db, self.user_id)
        if user is None:
            raise Refusal("not_signed_in", "this account has been deleted")
        return user

    def next_seq(self) -> int:
        self.state.seq += 1
        return self.state.seq

    def push(self, event: Event, *users: int, notice: int = 0) -> None:
        """To these users, or without any to everyone."""
        self.pushes.append(Push(event, users or None, notice))

    def push_room(self, room: int, event: Event) -> None:
        """To all who are in this private chat."""
        self.pushes.append(Push(event, (), room=room))

    def push_kept(self, event: Event, user_id: int) -> int:
        """To a user, kept until told; the id of the notice."""
        notice = notices.insert(self.db, user_id, msgspec.json.encode(event))
        self.push(event, user_id, notice=notice)
        return notice

    def hang_up(self, user_id: int, code: str, reason: str) -> None:
        """Close all connections of this user."""
        self.endings.append(Ending(user_id, code, reason))


class View(Struct, frozen=True):
    """What a reading sees: a snapshot of the store, who asks, the times, who is online (names by id), bytes of files.

    `elapsed_ms` may be a little ahead of that of the last batch. `online` goes on changing while one reads: copy it,
    which is one step, before walking it. `clock` counts seconds, for who stops before it takes too long.
    """

    db: Database
    user_id: int
    at_ms: int
    elapsed_ms: int
    limits: Limits
    online: Mapping[int, str]
    # What the running server has counted since its start; None where none runs.
    live: Callable[[], dict[str, int]] | None = None
    clock: Callable[[], float] = lambda: 0.0
    blobs: Blobs | None = None

    def wall_ms(self, elapsed_ms: int) -> int:
        """As `Turn.wall_ms`."""
        return self.at_ms + elapsed_ms - self.elapsed_ms


RULES: dict[type, Callable[[Turn, Any], Result]] = {}
READINGS: dict[type, Callable[[View, Any], Answer | Reply]] = {}

_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def rule(command: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert command not in RULES
        RULES[command] = _for_operators(function) if _is_for_operators(command) else function
        return function

    return enter


def reading(query: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert query not in READINGS
        READINGS[query] = _for_operators(function) if _is_for_operators(query) else function
        return function

    return enter


def _is_for_operators(command: type) -> bool:
    return issubclass(command, Command) and command.spec.operators_only


def _for_operators(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The one place where it is looked at whether who asks is an operator."""

    @wraps(function)
    def guarded(asked: Turn | View, command: Any) -> Any:
        refuse_others(asked)
        return function(asked, command)

    return guarded


def refuse_others(asked: "Turn | View") -> None:
    """Refuse who is no operator."""
    if asked.user_id != MACHINE and not is_operator(asked.db, asked.user_id):
        if operators.is_named(asked.db, asked.user_id):
            raise Refusal(
                "password_required",
                "you are named as an operator, but an operator must have a password: /password <new>, then try again",
            )
        raise Refusal("forbidden", "this is for operators, and you are none; whoever runs the server names them")


def is_operator(db: Database, user_id: int) -> bool:
    """Named as one, and with a password: without one anybody could be it."""
    user = accounts.by_id(db, user_id)
    return user is not None and user.password is not None and operators.is_named(db, user_id)


class Place(Struct, frozen=True):
    """Where a message goes or stands: a chat, and how its readers name it.

    `readers` are the two of a one-to-one chat, each with the chat's name from that side; all others have one `name`.
    """

    chat_id: int
    name: str = ""
    readers: tuple[tuple[int, str], ...] = ()

    def name_for(self, reader: int) -> str:
        return self.name or dict(self.readers)[reader]

    def push(self, turn: Turn, seen_as: Callable[[str], Event]) -> None:
        """Push an event to all who are in the chat; `seen_as` makes it for a name of the chat."""
        if self.chat_id == chats.MAIN:
            turn.push(seen_as(self.name))
        elif self.name:
            turn.push_room(self.chat_id, seen_as(self.name))
        else:
            for user_id, name in self.readers:
                turn.push(seen_as(name), user_id)


MAIN_PLACE = Place(chats.MAIN, "main")


def place_between(chat_id: int, one: tuple[int, str], other: tuple[int, str]) -> Place:
    """A one-to-one chat of these two, ids and names."""
    return Place(chat_id, readers=((one[0], f"@{other[1]}"), (other[0], f"@{one[1]}")))


# ---- what several topics look up


def find_message(db: Database, asker: int, message_id: int) -> tuple[Stored, Place]:
    """A message that the asker may read, and its place. Refusal `unknown_message`, also for one that is for others."""
    message = messages.find(db, message_id)
    place = place_of(db, asker, message.chat_id) if message else None
    if message is None or place is None:
        raise Refusal("unknown_message", f"there is no message #{message_id} that you can see")
    return message, place


def place_of(db: Database, asker: int, chat_id: int) -> Place | None:
    """A chat that the asker is in; None for any other."""
    if chat_id != chats.MAIN and chats.membership(db, asker, chat_id) is None:
        return None
    return place_anywhere(db, chat_id)


def place_anywhere(db: Database, chat_id: int) -> Place | None:
    """A chat, whoever is in it; None for one that has ended."""
    if chat_id == chats.MAIN:
        return MAIN_PLACE
    if pair := chats.pair(db, chat_id):
        return place_between(chat_id, *pair)
    name = chats.room_name(db, chat_id)
    return Place(chat_id, name) if name else None


def unknown_user(name: str) -> Refusal:
    return Refusal("unknown_user", f"there is no user {name}; /status lists the users")


def unknown_chat(name: str) -> Refusal:
    """For a private chat that one is not in, whether there is one of this name or not."""
    return Refusal("unknown_chat", f"you are in no chat {name}; /status lists your chats and invitations")


def find_room(db: Database, asker: int, target: Target) -> Room:
    """A private chat that the asker is in. Refusal `unknown_chat`."""
    room = rooms.of_member(db, asker, target.folded)
    if room is None:
        raise unknown_chat(str(target))
    return room


def find_user(db: Database, name: str, folded: str, asker: int) -> User:
    """Another user by name. Refusal `unknown_user` or `not_yourself`."""
    user = accounts.by_name(db, folded)
    if user is None:
        raise unknown_user(name)
    if user.id == asker:
        raise Refusal("not_yourself", "that is you; name somebody else")
    return user


def find_chat(db: Database, asker: int, target: Target) -> tuple[int | None, str]:
    """A chat that the asker may read: its id (None: nothing was ever said in it) and its name from the asker's side."""
    if target.kind == "main":
        return chats.MAIN, "main"
    if target.kind == "room":
        room = find_room(db, asker, target)
        return room.id, room.name
    known = accounts.id_and_name(db, target.folded)
    if known is None:
        raise unknown_user(target.name)
    other, name = known
    if other == asker:
        raise Refusal("not_yourself", "there is no chat with yourself; name somebody else")
    return chats.direct(db, asker, other), f"@{name}"
