"""Who is told that somebody types: how often, and where."""

import pytest

from chat_server.delivery.typing_signals import TOLD_SECONDS
from chat_server.protocol.people import TYPING_SECONDS
from chat_server.rules.typing_signals import TypingSignal
from tests.unit.delivery.room import Peer, Room


class Typist:
    """Bob, who types to Alice."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.id = room.chat.ids["bob"]

    def types(self, *readers: str, room: int = 0, typing: bool = True) -> None:
        ids = tuple(self.room.chat.ids[name] for name in readers or ("alice",))
        self.room.delivery.typing.tell(self.id, TypingSignal("bob", "@bob", room, ids, typing))


@pytest.fixture
def bob(room: Room) -> Typist:
    return Typist(room)


async def watcher(room: Room, name: str = "alice") -> Peer:
    peer = await room.connect(name, "json")
    peer.outbox.watches_typing = True
    return peer


def told(peer: Peer) -> list[bool]:
    return [each["typing"] for each in peer.objects if each["type"] == "typing"]


async def test_only_who_watches_is_told_and_nobody_in_text(room: Room, bob: Typist) -> None:
    alice, other, text = await watcher(room), await room.connect("alice", "json"), await room.connect("alice")
    text.outbox.watches_typing = True
    bob.types()
    assert alice.objects == [{"type": "typing", "chat": "@bob", "user": "bob", "typing": True}]
    assert told(other) == [] and text.lines == []


async def test_one_user_is_told_of_so_often_and_an_end_once(room: Room, bob: Typist) -> None:
    alice, carol = await watcher(room), await watcher(room, "carol")
    for _ in range(20):
        bob.types()
        bob.types("carol")
    assert told(alice) == [True] and told(carol) == []
    for _ in range(20):
        bob.types(typing=False)
        bob.types("carol", typing=False)
    assert told(alice) == [True, False] and told(carol) == []
    bob.types()
    assert told(alice) == [True, False], "it was told just now that he types"
    room.runtime.advance(int(TOLD_SECONDS * 1000))
    bob.types("carol")
    assert told(carol) == [True]


async def test_an_end_that_has_come_by_itself_is_not_told(room: Room, bob: Typist) -> None:
    alice = await watcher(room)
    bob.types()
    room.runtime.advance(TYPING_SECONDS * 1000)
    bob.types(typing=False)
    assert told(alice) == [True]


async def test_nothing_is_kept_for_who_is_behind(room: Room, bob: Typist) -> None:
    alice = await watcher(room)
    alice.outbox.hold()
    bob.types()
    alice.outbox.release()
    assert told(alice) == []


async def test_who_has_left_the_chat_as_of_what_was_delivered_is_not_told(room: Room, bob: Typist) -> None:
    alice = await watcher(room)
    owner = await room.connect("bob", "json")
    room.deliver(owner.says("/create_chat #team"), owner.says("/invite #team alice"))
    team = next(iter(room.delivery.memberships.rooms(bob.id)))
    bob.types("alice", room=team)
    assert told(alice) == [], "she is invited, and no member"
    room.runtime.advance(int(TOLD_SECONDS * 1000))
    room.deliver(room.chat.entry("alice", "/join #team"))
    bob.types("alice", room=team)
    assert told(alice) == [True]
    room.runtime.advance(int(TOLD_SECONDS * 1000))
    room.deliver(alice.says("/leave #team"))
    bob.types("alice", room=team)
    assert told(alice) == [True]
