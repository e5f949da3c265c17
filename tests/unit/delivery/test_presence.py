from pathlib import Path

from chat_server.delivery.presence import PRESENCE_TOLD_MAX
from tests.unit.delivery.room import Peer, Room, open_room


async def test_who_comes_and_goes_is_told_to_others_and_not_to_oneself(room: Room) -> None:
    alice = await room.connect("alice", presence=True)
    bob = await room.connect("bob", "json", presence=True)
    quiet = await room.connect("carol")
    assert alice.lines == ["* bob is online", "* carol is online"]
    assert bob.objects == [{"type": "presence", "user": "carol", "online": True}]
    second = await room.connect("carol")
    room.delivery.remove(quiet)
    await room.turn()
    assert len(alice.lines) == 2, "carol is still there"
    room.delivery.remove(second)
    await room.turn()
    assert alice.lines[2:] == ["* carol is offline"]
    assert quiet.lines == second.lines == []


async def test_who_comes_and_goes_within_a_turn_is_not_worth_a_word(room: Room) -> None:
    alice = await room.connect("alice", presence=True)
    peer = Peer(room, "bob", "text")
    room.delivery.attach(peer, room.chat.ids["bob"], "bob", 0)
    room.delivery.remove(peer)
    await room.turn()
    assert alice.lines == []


async def test_who_is_stopped_by_the_very_line_is_not_told_twice(tmp_path: Path) -> None:
    async with open_room(tmp_path, outbox_bytes_max=2) as room:
        alice = await room.connect("alice", presence=True)
        alice.transport.stuck = True
        await room.connect("bob")
        await room.flow()
        assert alice.lines == ["* bob is online"]


async def test_past_so_many_online_nobody_is_told(tmp_path: Path) -> None:
    async with open_room(tmp_path, presence_max=1) as room:
        alice = await room.connect("alice", presence=True)
        bob = await room.connect("bob")
        assert alice.lines == []
        room.delivery.remove(bob)
        await room.turn()
        assert alice.lines == ["* bob is offline"]


async def test_of_one_user_only_so_much_is_told_at_once_and_then_the_last(room: Room) -> None:
    alice = await room.connect("alice", presence=True)
    bob = await room.connect("bob")
    for number in range(50):
        room.deliver(bob.says(f"/away {number}"))
        await room.turn()
    assert alice.lines[-1] == f"* bob is away: {PRESENCE_TOLD_MAX - 2}", "that bob came was told too"
    await room.connect("carol")
    assert alice.lines[PRESENCE_TOLD_MAX:] == ["* carol is online"], "others are not held up"
    room.runtime.advance(10_000)
    assert alice.lines[PRESENCE_TOLD_MAX + 1 :] == ["* bob is away: 49"]
    room.deliver(bob.says("/back"))
    await room.turn()
    assert alice.lines[-1] == "* bob is online"
    room.runtime.advance(10_000)
    assert alice.lines[-1] == "* bob is online", "what was told is not told again"


async def test_who_changes_as_the_count_begins_anew_is_told_of_with_those_who_were_held_up(room: Room) -> None:
    alice = await room.connect("alice", presence=True)
    bob = await room.connect("bob")
    for number in range(50):
        room.deliver(bob.says(f"/away {number}"))
        await room.turn()
    peer = Peer(room, "carol", "text")
    room.delivery.attach(peer, room.chat.ids["carol"], "carol", 0)
    room.runtime.advance(10_000)
    assert alice.lines[-2:] == ["* bob is away: 49", "* carol is online"]


async def test_who_is_behind_is_not_told_of_oneself_either(room: Room) -> None:
    first = await room.connect("alice", presence=True)
    second = await room.connect("alice", presence=True)
    bob = await room.connect("bob")
    first.outbox.hold()
    room.deliver(second.says("/away lunch"), bob.says("/away too"))
    await room.turn()
    first.outbox.release()
    assert first.lines == ["* bob is online", "* bob is away: too"]
