"""What a rule is handed, what it gives back, and where rules are entered.

    @rule(Command)     a change: runs on the writer's thread, in the batch's transaction, and returns its reply
    @reading(Query)    runs on a reader's thread, on a snapshot; returns its reply, after yielding pages if it has any

A rule checks first and writes after, so that a Refusal has nothing to undo. It MUST depend on nothing but the store and
the entry: no clock, no random source, no setting, no order of a set. The same log gives the same database.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from chat_server.entries import Entry, Limits, Logged
from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.events import Event, Reply
from chat_server.protocol.times import iso
from chat_server.store import accounts, chats, messages
from chat_server.store.accounts import User
from chat_server.store.database import Database
from chat_server.store.messages import Stored
from chat_server.store.state import State


class Push(Struct, frozen=True):
    """An event for everyone, or for these users, on all their sessions but the one whose command it came from.

    `notice` is the id under which the event is kept until the user is told, 0 if it is not.
    """

    event: Event
    users: tuple[int, ...] | None = None
    notice: int = 0


class Entered(Struct, frozen=True):
    """Who a session belongs to from here on. Its reply follows once it has been shown what it missed."""

    user_id: int
    name: str
    new: bool


class Stale(Exception):
    """What *prepare* looked at has changed since: the command has to be prepared again."""


Result = Reply | Entered | None
Then = tuple[Logged, Reply]
Answer = Generator[Sequence[Event], None, Reply | Then]
"""Pages of events, then the reply, or what has to be logged before the reply is said."""


class Turn:
    """What the rules of a batch are handed, one entry after the other (`take`)."""

    def __init__(self, db: Database, state: State, limits: Limits | None, at_ms: int) -> None:
        self.db = db
        self.state = state
        self.at_ms = at_ms
        self.at = iso(at_ms)
        if limits is not None:
            self.limits = limits

    def take(self, entry: Entry) -> None:
        self.user_id = entry.user_id
        self.address = entry.address
        self.pushes: list[Push] = []
        # Whether more changed than was pushed: programs then read the changes from the store.
        self.changed_much = False

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


class View(Struct, frozen=True):
    """What a reading sees: a snapshot of the store, who asks, the time, and who is online (names by id).

    `online` goes on changing while one reads: copy it, which is one step, before walking it.
    """

    db: Database
    user_id: int
    at_ms: int
    limits: Limits
    online: Mapping[int, str]


RULES: dict[type, Callable[[Turn, Any], Result]] = {}
READINGS: dict[type, Callable[[View, Any], Answer | Reply]] = {}

_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def rule(command: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert command not in RULES
        RULES[command] = function
        return function

    return enter


def reading(query: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert query not in READINGS
        READINGS[query] = function
        return function

    return enter


class Place(Struct, frozen=True):
    """Where a message goes or stands: its chat, and how each reader names it; no readers: everyone, as main."""

    chat_id: int
    readers: tuple[tuple[int, str], ...] | None = None

    def push(self, turn: Turn, seen_as: Callable[[str], Event]) -> None:
        """Push an event to all who are in the chat; `seen_as` makes it for a name of the chat."""
        if self.readers is None:
            turn.push(seen_as("main"))
            return
        for user_id, name in self.readers:
            turn.push(seen_as(name), user_id)


MAIN_PLACE = Place(chats.MAIN)


# ---- what several topics look up


def find_message(db: Database, asker: int, message_id: int) -> tuple[Stored, Place]:
    """A message that the asker may read, and its place. Refusal `unknown_message`, also for one that is for others."""
    message = messages.find(db, message_id)
    if message is not None and message.chat_id == chats.MAIN:
        return message, MAIN_PLACE
    if message is not None and chats.membership(db, asker, message.chat_id):
        (one, one_name), (other, other_name) = chats.pair(db, message.chat_id)
        return message, Place(message.chat_id, ((one, f"@{other_name}"), (other, f"@{one_name}")))
    raise Refusal("unknown_message", f"there is no message #{message_id} that you can see")


def unknown_user(name: str) -> Refusal:
    return Refusal("unknown_user", f"there is no user {name}; /status lists the users")


def unknown_chat(name: str) -> Refusal:
    return Refusal("unknown_chat", f"you are in no chat {name}; /status lists your chats")


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
        raise unknown_chat(str(target))
    known = accounts.id_and_name(db, target.folded)
    if known is None:
        raise unknown_user(target.name)
    other, name = known
    if other == asker:
        raise Refusal("not_yourself", "there is no chat with yourself; name somebody else")
    return chats.direct(db, asker, other), f"@{name}"
