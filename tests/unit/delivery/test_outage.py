"""What users are told while the log is away, and when it is back."""

from pathlib import Path

import pytest

from chat_server.delivery.outage import SILENT_SECONDS
from chat_server.errors import Refusal
from tests.unit.delivery.room import Peer, Room, open_room
from tests.unit.fakes import NOON_MS

AWAY = (
    "* this server has lost its cluster: what you see is as of 11:59:00 UTC, and what you send is refused until it is"
    " back"
)
BACK = "* this server has its cluster back: all is up to date again"


async def test_who_is_signed_in_is_told_once_how_old_it_is_and_once_that_it_is_over(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob", "json")
    stranger = Peer(room, "carol", "text")
    outage = room.delivery.outage
    outage.note_batch(NOON_MS)
    outage.note_batch(NOON_MS - 60_000)
    room.runtime.advance(SILENT_SECONDS * 1000)
    for _ in range(3):
        outage.suspect()
    assert alice.lines == [AWAY]
    told = {"type": "notice", "text": AWAY[2:], "stale": True, "as_of": "2026-11-21T11:59:00.000Z"}
    assert bob.objects == [told]
    outage.note_batch(NOON_MS + 5000)
    outage.note_batch(NOON_MS + 6000)
    assert alice.lines == [AWAY, BACK]
    assert bob.objects == [told, {"type": "notice", "text": BACK[2:], "stale": False}]
    assert stranger.lines == []


async def test_something_that_fails_while_the_log_goes_on_is_no_outage(room: Room) -> None:
    alice = await room.connect("alice")
    room.delivery.outage.note_batch(NOON_MS)
    room.runtime.advance(SILENT_SECONDS * 1000 - 1)
    room.delivery.outage.suspect()
    assert alice.lines == [] and not room.delivery.outage.is_on
    room.delivery.outage.refuse_newcomer()


async def test_who_is_behind_is_told_later(room: Room) -> None:
    alice = await room.connect("alice")
    alice.outbox.hold()
    room.runtime.advance(10_000)
    room.delivery.outage.suspect()
    assert alice.lines == []
    alice.outbox.release()
    assert len(alice.lines) == 1 and alice.lines[0].startswith("* this server has lost its cluster")


async def test_a_slow_reader_among_those_who_are_told_holds_up_nobody(tmp_path: Path) -> None:
    async with open_room(tmp_path, outbox_bytes_max=100) as room:
        stuck, alice = await room.connect("bob"), await room.connect("alice")
        stuck.transport.stuck = True
        room.runtime.advance(10_000)
        room.delivery.outage.suspect()
        room.delivery.outage.note_batch(NOON_MS + 10_000)
        assert [line[:22] for line in alice.lines] == ["* this server has lost", "* this server has its "]
        await room.flow()
        assert [line[:22] for line in stuck.lines] == ["* this server has lost", "* this server has its "]


async def test_meanwhile_nobody_is_let_in_and_the_log_is_tried(room: Room) -> None:
    outage = room.delivery.outage
    assert not outage.take_probe()
    room.runtime.advance(10_000)
    outage.suspect()
    with pytest.raises(Refusal, match="lets nobody in until it is back") as refused:
        outage.refuse_newcomer()
    assert (refused.value.code, refused.value.fields) == ("unavailable", {"done": False})
    assert [outage.take_probe(), outage.take_probe()] == [True, False], "it waits in the log's line"
    outage.note_batch(NOON_MS + 10_000)
    room.runtime.advance(10_000)
    outage.suspect()
    outage.note_batch(NOON_MS + 20_000)
    assert not outage.take_probe(), "it is over already"
    room.runtime.advance(10_000)
    outage.suspect()
    assert outage.take_probe()
