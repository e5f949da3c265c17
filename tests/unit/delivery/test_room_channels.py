"""Who receives what of a private chat: nobody a line from before coming or after going, and each line once."""

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.log.entries import CloseAccount, Enter, Entry
from chat_server.protocol.base import Event
from chat_server.protocol.messages import History
from chat_server.protocol.names import check
from chat_server.protocol.rooms import Left
from chat_server.rules.outcomes import Entered
from chat_server.store.rooms import ids_of_user
from tests.unit.delivery.room import Peer, Room, open_room

FORMATS = pytest.mark.parametrize("format", ["text", "json"])


def make_team(room: Room, *members: str) -> None:
    """#team is alice's, and these are in it, before anybody is connected."""
    room.chat.say("alice", "/create_chat #team")
    for name in members:
        room.chat.say("alice", f"/invite #team {name}")
        room.chat.say(name, "/join #team")
    room.feed.delivered = room.chat.executor.state.seq


def texts(peer: Peer) -> list[str]:
    return [each["text"] for each in peer.objects if each["type"] == "message"]


async def test_a_message_goes_to_who_is_in_it_in_one_write_each(room: Room) -> None:
    make_team(room, "bob")
    alice, bob, carol = [await room.connect(name) for name in ("alice", "bob", "carol")]
    room.deliver(
        bob.says("/send #team one"), bob.says("/send_all two"), alice.says("/send #team three"),
        carol.says("/send alice four"), carol.says("/send_all five"),
    )  # fmt: skip
    assert bob.lines == [
        "+ sent #1",
        "+ sent #2",
        "[12:00:00] #team alice: three (#3)",
        "[12:00:00] main carol: five (#5)",
    ]
    assert alice.lines == [
        "[12:00:00] #team bob: one (#1)", "[12:00:00] main bob: two (#2)", "+ sent #3",
        "[12:00:00] @carol: four (#4)", "[12:00:00] main carol: five (#5)",
    ]  # fmt: skip
    assert carol.lines == ["[12:00:00] main bob: two (#2)", "+ sent #4", "+ sent #5"]
    assert [peer.transport.writes for peer in (alice, bob, carol)] == [1, 1, 1]


async def test_members_share_one_rendering(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    make_team(room, "bob", "carol")
    alice, bob, carol = [await room.connect(name, "json") for name in ("alice", "bob", "carol")]
    rendered: list[object] = []

    def count(part: object) -> bytes:
        rendered.append(part)
        return msgspec.json.encode(part)

    monkeypatch.setattr("chat_server.protocol.formats.json._encode", count)
    room.deliver(*(alice.says(f"/send #team {number}") for number in range(5)))
    assert len([part for part in rendered if isinstance(part, Event)]) == 5
    assert texts(bob) == texts(carol) == list("01234")


@FORMATS
async def test_in_a_batch_in_which_somebody_comes_and_goes_each_gets_what_was_said_meanwhile(
    room: Room, format: str
) -> None:
    make_team(room)
    alice, bob = await room.connect("alice", "json"), await room.connect("bob", format)
    other, carol = await room.connect("bob", "json"), await room.connect("carol", "json")
    room.deliver(
        alice.says("/send #team before"), alice.says("/invite #team bob"), bob.says("/join #team"),
        alice.says("/send #team between"), alice.says("/remove #team bob"), alice.says("/send #team after"),
    )  # fmt: skip
    assert texts(other) == ["between"] and carol.objects == []
    assert [each["type"] for each in other.objects] == ["invited", "joined", "message", "left"]
    assert [each["type"] for each in alice.objects] == ["ok", "ok", "joined", "ok", "ok", "ok"]
    shown = bob.transport.taken.decode()
    assert "between" in shown and "before" not in shown and "after" not in shown
    room.deliver(alice.says("/send #team later"))
    assert texts(other) == ["between"]


async def test_who_goes_is_told_on_other_connections_and_gets_nothing_more(room: Room) -> None:
    make_team(room, "bob")
    alice, bob, other = [await room.connect(name, "json") for name in ("alice", "bob", "bob")]
    room.deliver(alice.says("/send #team one"), bob.says("/leave #team"), alice.says("/send #team two"))
    assert texts(other) == texts(bob) == ["one"]
    assert other.objects[-1] == {"type": "left", "chat": "#team", "user": "bob"}
    assert [each["type"] for each in bob.objects] == ["message", "ok"]
    assert [each["type"] for each in alice.objects] == ["ok", "left", "ok"]


async def test_who_comes_is_not_shown_what_was_said_before(room: Room) -> None:
    make_team(room)
    alice, bob = await room.connect("alice", "json"), await room.connect("bob", "json")
    room.deliver(*(alice.says(f"/send #team {number}") for number in range(50)), alice.says("/invite #team bob"))
    room.deliver(bob.says("/join #team"), alice.says("/send #team hi"))
    await room.quiet()
    assert texts(bob) == ["hi"] and bob.outbox.live


async def test_who_signs_in_belongs_to_the_chats_as_of_the_sign_in(room: Room) -> None:
    make_team(room)
    alice = await room.connect("alice", "json")
    bob = Peer(room, "bob", "json")
    room.peers.append(bob)
    settle = partial(_enter, room, bob)
    bob.settle = lambda outcome: settle(outcome) if isinstance(outcome.result, Entered) else b""  # type: ignore
    room.chat.say("alice", "/invite #team bob")
    enter = Entry(Enter(check("bob"), 0, None, False, None), 0, bob.origin)
    join = Entry(room.chat.prepared("/join #team"), room.chat.ids["bob"])
    room.deliver(alice.says("/send #team one"), enter, join, alice.says("/send #team two"))
    bob.outbox.release()
    await room.quiet()
    room.deliver(alice.says("/send #team three"))
    assert texts(bob) == ["two", "three"] and bob.outbox.live
    # And who is gone before the batch is delivered is remembered nowhere.
    room.delivery.remove(bob)
    room.deliver(enter)
    assert room.delivery.memberships.rooms(room.chat.ids["bob"]) == set()


def _enter(room: Room, peer: Peer, outcome: object) -> bytes:
    room.delivery.attach(peer, room.chat.ids["bob"], "bob", outcome.seq)  # type: ignore[attr-defined]
    return b""


@FORMATS
async def test_who_is_behind_and_removed_is_shown_nothing_more_of_it(room: Room, format: str) -> None:
    make_team(room, "bob")
    alice, bob = await room.connect("alice"), await room.connect("bob", format)
    bob.transport.stuck = True
    for number in range(60):
        room.deliver(alice.says(f"/send #team secret {number} {'x' * 60}"), alice.says(f"/send_all {number}"))
    assert bob.outbox.paused
    room.deliver(alice.says("/topic #team hidden"))
    bob.transport.take(8000)
    await room.quiet()
    written = len(bob.transport.taken + bob.transport.waiting)
    room.deliver(alice.says("/remove #team bob"))
    await room.flow()
    # A line that was begun is brought to its end.
    after = bob.transport.taken[written:].partition(b"\n")[2]
    assert b"secret" not in after and b"hidden" not in after
    assert bob.outbox.live and b"59" in after
    assert after.count(b"removed bob" if format == "text" else b'"left"') == 1


async def test_a_page_that_was_read_before_is_not_written_after(room: Room) -> None:
    """The command returns lines as fast as they are taken; meanwhile its user is removed."""
    make_team(room, "bob")
    alice, bob = await room.connect("alice"), await room.connect("bob", "json")
    for number in range(100):
        room.deliver(alice.says(f"/send #team {number} {'x' * 60}"))
    bob.outbox.hold()
    history = room.chat.prepared("/history #team limit 100")
    assert isinstance(history, History)
    page = room.chat.ask("bob", history).events
    assert len(page) == 100 and all(map(bob.outbox.may_show, page))
    room.deliver(alice.says("/remove #team bob"))
    assert not any(map(bob.outbox.may_show, page))
    assert bob.outbox.may_show(Left("#team", "bob", "alice")), "but that one was removed is shown"
    room.deliver(alice.says("/invite #team bob"), Entry(room.chat.prepared("/join #team"), room.chat.ids["bob"]))
    assert all(map(bob.outbox.may_show, page))
    bob.outbox.release()
    await room.quiet()
    assert bob.outbox.live


async def test_events_of_a_chat_wait_for_who_is_behind(room: Room) -> None:
    make_team(room, "bob")
    alice, bob, carol = [await room.connect(name) for name in ("alice", "bob", "carol")]
    for peer in (bob, carol):
        peer.outbox.hold()
    room.deliver(alice.says("/topic #team plans"), alice.says("/topic #team other plans"))
    for peer in (bob, carol):
        peer.outbox.release()
    await room.quiet()
    assert bob.lines == [f"* alice set the topic of #team: {topic}" for topic in ("plans", "other plans")]
    assert carol.lines == []


async def test_who_is_behind_is_told_later_what_was_said_while_one_was_in_it(room: Room) -> None:
    make_team(room, "bob", "carol")
    alice, bob, carol = [await room.connect(name, "json") for name in ("alice", "bob", "carol")]
    for peer in (bob, carol):
        peer.outbox.pause()
    leave = Entry(room.chat.prepared("/leave #team"), room.chat.ids["bob"])
    room.deliver(alice.says("/topic #team one"), leave, alice.says("/topic #team two"))
    for peer in (bob, carol):
        peer.outbox.resume()
    await room.quiet()
    assert [each["type"] for each in carol.objects] == ["topic", "left", "topic"]
    assert [each["type"] for each in bob.objects] == ["left"], "what was not read yet is not shown who has left"
    assert bob.outbox.live and carol.outbox.live


async def test_a_batch_that_is_too_much_for_one_write_is_read_from_the_store(room: Room) -> None:
    make_team(room, "bob")
    alice, bob, carol = [await room.connect(name, "json") for name in ("alice", "bob", "carol")]
    lines = [alice.says(f"/send #team {number} {'x' * 200}") for number in range(50)]
    room.deliver(*lines, alice.says("/topic #team plans"))
    await room.quiet()
    assert bob.ids == list(range(1, 51)) and bob.outbox.live
    assert [each["type"] for each in bob.objects][-1] == "topic" and carol.objects == []


async def test_an_account_that_ends_leaves_its_chats_at_once(room: Room) -> None:
    make_team(room, "bob")
    alice, bob = await room.connect("alice", "json"), await room.connect("bob", "json")
    room.deliver(Entry(CloseAccount(0), room.chat.ids["bob"]), alice.says("/send #team hi"))
    await room.quiet()
    assert texts(bob) == [] and {"type": "left", "chat": "#team", "user": "bob"} in alice.objects


# ---- whatever happens

NAMES = ("alice", "bob", "carol")
people = st.sampled_from(NAMES)
lines = st.one_of(
    st.sampled_from(("/send #one said", "/send #one said", "/send #two said", "/send_all said")),
    st.sampled_from(("/join #one", "/join #two", "/leave #one", "/topic #one said")),
    st.sampled_from([f"/{verb} #one {name}" for verb in ("invite", "invite", "remove", "give") for name in NAMES]),
    st.sampled_from([f"/invite #two {name}" for name in NAMES]),
)
batches = st.lists(
    st.tuples(st.lists(st.tuples(people, lines), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3000)),
    min_size=1, max_size=12,
)  # fmt: skip


@given(batches)
def test_nobody_sees_anything_of_a_chat_that_one_is_not_in(
    batches: list[tuple[list[tuple[str, str]], int, int]],
) -> None:
    path = Path(tempfile.mkdtemp())
    try:
        asyncio.run(_nobody_sees(path, batches))
    finally:
        shutil.rmtree(path)


async def _nobody_sees(path: Path, batches: list[tuple[list[tuple[str, str]], int, int]]) -> None:
    async with open_room(path) as room:
        for chat in ("#one", "#two"):
            room.chat.say("alice", f"/create_chat {chat}")
        peers = [await room.connect(name, "json") for name in (*NAMES, "bob")]
        ids = {"#one": 2, "#two": 3}
        seen = [0] * len(peers)
        for batch, stuck, take in batches:
            peers[stuck].transport.stuck = not peers[stuck].transport.stuck
            if not peers[stuck].transport.stuck:
                peers[stuck].transport.take()
            before = {name: ids_of_user(room.chat.db, room.chat.ids[name]) for name in NAMES}
            executed = room.chat.batch(
                *(Entry(room.chat.prepared(f"{line} {'x' * 40}" if "said" in line else line), room.chat.ids[name])
                  for name, line in batch)
            )  # fmt: skip
            moved = {
                (change.user_id, change.room) for outcome in executed.outcomes for change in outcome.membership_changes
            }
            assert not any(getattr(each.result, "code", "") == "internal" for each in executed.outcomes)
            room.delivery.deliver(executed)
            await room.quiet()
            for place, peer in enumerate(peers):
                peer.transport.take(take)
                await room.quiet()
                written = peer.transport.taken + peer.transport.waiting
                new, seen[place] = written[seen[place] :], len(written)
                after = ids_of_user(room.chat.db, room.chat.ids[peer.name])
                for chat, id_ in ids.items():
                    inside = id_ in before[peer.name] or id_ in after or (room.chat.ids[peer.name], id_) in moved
                    assert inside or f'"chat":"{chat}"'.encode() not in new.replace(b'"invited","chat"', b"")
        await room.flow()
        for peer in peers:
            seqs = [(each["id"], each["seq"]) for each in peer.objects if each["type"] == "message"]
            assert len(seqs) == len(set(seqs)), "nothing twice"
            assert peer.outbox.live
