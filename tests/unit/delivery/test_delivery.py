from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chat_server.log.entries import (
    MACHINE,
    CloseAccount,
    Due,
    EndTokens,
    Enter,
    Entry,
    ForgetNotices,
    MarkSeen,
    Origin,
    SetPassword,
)
from chat_server.protocol.accounts import SignOut
from chat_server.protocol.arguments import Username
from chat_server.protocol.messages import ReadMarker
from chat_server.protocol.names import check
from chat_server.protocol.operators import Kick
from chat_server.rules.accounts import Welcome
from tests.unit.delivery.room import Comer, Peer, Room, shown

FORMATS = pytest.mark.parametrize("format", ["text", "json"])


# ---- a batch


async def test_everyone_gets_what_goes_to_main_and_the_sender_its_reply_in_its_place(room: Room) -> None:
    alice, bob, carol = [await room.connect(name) for name in ("alice", "bob", "carol")]
    room.deliver(bob.says("/send_all one"), alice.says("/send_all two"), bob.says("/send_all three"))
    assert alice.lines == ["[12:00:00] main bob: one (#1)", "+ sent #2", "[12:00:00] main bob: three (#3)"]
    assert bob.lines == ["+ sent #1", "[12:00:00] main alice: two (#2)", "+ sent #3"]
    assert [line.split(": ")[1] for line in carol.lines] == ["one (#1)", "two (#2)", "three (#3)"]


@FORMATS
async def test_a_batch_is_one_write_for_each_connection(room: Room, format: str) -> None:
    peers = [await room.connect(name, format) for name in ("alice", "alice", "bob")]
    before = [peer.transport.writes for peer in peers]
    room.deliver(*(peers[0].says(f"/send_all {number}") for number in range(10)), peers[2].says("/send alice hi"))
    assert [peer.transport.writes for peer in peers] == [count + 1 for count in before]
    assert [peer.ids for peer in peers] == [list(range(1, 12))] * 3
    assert peers[0].batches_settled == peers[2].batches_settled == 1 and peers[1].batches_settled == 0


async def test_ones_other_sessions_see_what_one_sent(room: Room) -> None:
    here, there = await room.connect("alice"), await room.connect("alice", "json")
    bob = await room.connect("bob")
    carol = await room.connect("carol")
    room.deliver(here.says("/send bob hi"))
    assert here.lines == ["+ sent #1"]
    assert there.objects[0]["chat"] == "@bob" and there.objects[0]["from"] == "alice"
    assert bob.lines == ["[12:00:00] @alice: hi (#1)"]
    assert carol.lines == []


async def test_a_refusal_stands_in_its_place(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(bob.says("/send_all one"), alice.says("/send nobody x"), bob.says("/send_all two"))
    assert [line[:2] for line in alice.lines] == ["[1", "- ", "[1"]
    assert bob.lines == ["+ sent #1", "+ sent #2"]


async def test_read_markers_go_to_the_same_users_other_sessions(room: Room) -> None:
    here, there, bob = [await room.connect(name, "json") for name in ("alice", "alice", "bob")]
    room.deliver(bob.says("/send_all one"), here.says("/read main 1"))
    assert there.objects[1:] == [{"type": "read", "chat": "main", "id": 1}]
    assert [each["type"] for each in here.objects] == ["message", "ok"]
    assert [each["type"] for each in bob.objects] == ["ok"]


async def test_a_session_that_is_gone_is_passed_over(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    entry = alice.says("/send_all hi")
    room.delivery.remove(alice)
    room.deliver(entry)
    assert alice.lines == [] and bob.ids == [1]
    assert room.departed == [room.chat.ids["alice"]]
    room.delivery.remove(alice)


@FORMATS
async def test_a_batch_that_is_too_much_for_one_write_is_read_from_the_store(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob", format)
    lines = [bob.says(f"/send_all {number} {'x' * 200}") for number in range(100)]
    room.deliver(*lines[:50], alice.says("/send_all mine"), *lines[50:], alice.says("/send nobody x"))
    await room.quiet()
    assert alice.ids == bob.ids == list(range(1, 102))
    assert alice.outbox.live and bob.outbox.live
    assert alice.transport.taken.count(b"mine") == 0 and alice.transport.taken.count(b"unknown_user") == 1


async def test_ones_own_events_are_not_shown_to_the_sender_of_a_batch_that_is_too_much(room: Room) -> None:
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    lines = [bob.says(f"/send_all {number} {'x' * 200}") for number in range(50)]
    room.deliver(*lines, alice.says("/read main 50"))
    await room.quiet()
    assert [each["type"] for each in alice.objects] == ["message"] * 50 + ["ok"]


@pytest.mark.parametrize("other", [{"node": "n2"}, {"incarnation": 6}, {"session": 99}], ids=str)
async def test_replies_go_nowhere_but_to_the_session_of_this_start_of_this_node(
    room: Room, other: dict[str, Any]
) -> None:
    """Another node numbers its sessions alike, and so did this one before it was started again."""
    alice, bob = await room.connect("alice"), await room.connect("bob")
    entry = alice.says("/send_all from elsewhere")
    room.deliver(replace(entry, origin=replace(alice.origin, **other)), alice.says("/send_all from here"))
    assert alice.lines == ["[12:00:00] main alice: from elsewhere (#1)", "+ sent #2"]
    assert bob.lines == ["[12:00:00] main alice: from elsewhere (#1)", "[12:00:00] main alice: from here (#2)"]


# ---- an account that ends


async def test_programs_are_told_of_each_message_that_went_and_people_in_one_line(room: Room) -> None:
    bob, alice, program = await room.connect("bob"), await room.connect("alice"), await room.connect("alice", "json")
    room.deliver(bob.says("/send_all one"), bob.says("/send alice two"), bob.says("/send carol three"))
    room.deliver(Entry(CloseAccount(0), room.chat.ids["bob"], bob.origin))
    room.deliver(alice.says("/send_all after"))
    await room.quiet()
    assert alice.lines[2:] == ["* bob deleted the account; what bob wrote is gone", "+ sent #7"]
    changes = [(each["id"], each["seq"], each.get("deleted")) for each in program.objects if each["type"] == "message"]
    assert changes == [(1, 1, None), (2, 2, None), (1, 4, True), (2, 5, True), (7, 7, None)]


# ---- connections that end


async def test_what_ends_ends_after_all_was_said_but_not_who_came_in_later(room: Room) -> None:
    """Two devices, one of which sets a password; another comes in before that in the same batch, and one after it."""
    owner, thief = await room.connect("alice"), await room.connect("alice")
    bob = await room.connect("bob")
    early, late = Comer(room, "alice", "text"), Comer(room, "alice", "text")
    alice = room.chat.ids["alice"]
    room.deliver(
        bob.says("/send_all before"),
        Entry(Enter(check("alice"), 0, None, False, b"t1"), 0, early.origin),
        Entry(SetPassword(0, "hash", None), alice, owner.origin),
        Entry(Enter(check("alice"), 1, None, True, b"t2"), 0, late.origin),
        bob.says("/send_all after"),
    )
    assert [peer.closed for peer in (owner, thief, early, late)] == ["", "signed_out", "signed_out", ""]
    assert late.token == b"t2"
    assert thief.lines == [
        "[12:00:00] main bob: before (#1)",
        "[12:00:00] main bob: after (#2)",
    ]
    # One that two commands of a batch end, and that was let be by the first.
    room.deliver(Entry(SetPassword(1, "h2", None), alice, owner.origin), Entry(EndTokens(None), alice, late.origin))
    assert owner.closed == late.closed == "signed_out"


async def test_the_tokens_of_those_who_are_connected(room: Room) -> None:
    one, same, other, person = [await room.connect("alice") for _ in range(4)]
    one.token, same.token, other.token, person.token = b"t2", b"t2", b"t1", None
    assert room.delivery.connections.tokens() == [b"t1", b"t2"]
    room.delivery.remove(other)
    assert room.delivery.connections.tokens() == [b"t2"]


async def test_what_came_in_by_a_token_ends_with_it(room: Room) -> None:
    one, same, other = [await room.connect("alice") for _ in range(3)]
    bob = await room.connect("bob")
    one.token = same.token = bob.token = b"t1"
    room.deliver(Entry(EndTokens(one.number, b"t1"), room.chat.ids["alice"], one.origin))
    assert [peer.closed for peer in (one, same, other, bob)] == ["", "signed_out", "", ""]
    assert one.outbox.user_id == 0
    other.token = b"t2"
    end, count = await room.delivery.sessions.to_end(room.chat.ids["alice"], other.number, SignOut())
    assert end == EndTokens(other.number, b"t2") and count() == 0


async def test_a_session_that_a_former_process_would_end_is_another_than_that_of_its_number_now(room: Room) -> None:
    one = await room.connect("alice")
    formerly = replace(one.origin, incarnation=one.origin.incarnation - 1)
    room.deliver(Entry(EndTokens(one.number), room.chat.ids["alice"], formerly))
    assert one.closed == "" and one.outbox.user_id == room.chat.ids["alice"]


async def test_a_session_may_be_signed_out_by_its_number_from_another_node(room: Room) -> None:
    one, two, bob = [await room.connect(name) for name in ("alice", "alice", "bob")]
    elsewhere = Origin("n2", 3, 4002, 1)
    room.deliver(Entry(EndTokens(one.number), room.chat.ids["alice"], elsewhere))
    assert [peer.closed for peer in (one, two, bob)] == ["signed_out", "", ""]


# ---- events that are kept until told


async def test_what_is_kept_until_told_is_told_to_all_sessions_and_then_forgotten(room: Room) -> None:
    alice, other = await room.connect("alice"), await room.connect("alice", "json")
    room.deliver(alice.says("/send_delayed bob 1s tea"), alice.says("/send_delayed bob 2s cake"))
    room.chat.clock.advance(5000)
    room.deliver(Entry(Due()))
    told = ["* your delayed message 1 was sent (#1)", "* your delayed message 2 was sent (#2)"]
    assert [line for line in alice.lines if line[0] == "*"] == told
    assert [each["id"] for each in other.objects if each["type"] == "delayed_sent"] == [1, 2]
    assert room.told == [(room.chat.ids["alice"], [1, 2])]


async def test_who_is_told_on_one_connection_need_not_wait_for_the_other(room: Room) -> None:
    """A kept event is forgotten as soon as one connection was told: the other one may be stuck for long."""
    alice, other = await room.connect("alice"), await room.connect("alice")
    room.deliver(alice.says("/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    other.outbox.hold()
    room.deliver(Entry(Due()))
    assert room.told == [(room.chat.ids["alice"], [1])]


async def test_to_who_is_not_there_nothing_counts_as_told(room: Room) -> None:
    bob = await room.connect("bob")
    room.deliver(room.chat.entry("alice", "/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    room.deliver(Entry(Due()))
    assert room.told == [] and len(bob.lines) == 1


async def test_who_comes_back_while_it_happens_is_told_once(room: Room) -> None:
    """The notice is stored between the sign-in and the reading that shows what was missed."""
    room.deliver(room.chat.entry("alice", "/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    peer = Peer(room, "alice", "text")
    room.peers.append(peer)
    room.delivery.attach(peer, room.chat.ids["alice"], "alice", room.delivery.delivered)
    signed_in_at = room.delivery.delivered
    room.deliver(Entry(Due()))
    welcome = room.chat.ask("alice", Welcome(False, signed_in_at, None, None))
    peer.outbox.write("".join(f"{line}\n" for line in shown(welcome.events, room.delivery.now())).encode())
    peer.outbox.note_shown(welcome.events, signed_in_at)
    assert isinstance(welcome.logged, ForgetNotices)
    peer.outbox.note_told(welcome.logged.notices)
    peer.outbox.release()
    await room.quiet()
    assert peer.outbox.live
    assert peer.lines.count("* your delayed message 1 was sent (#1)") == 1, peer.lines


async def test_who_is_told_late_is_told_once_and_then_it_is_forgotten(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(alice.says("/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    alice.transport.stuck = True
    for number in range(60):
        room.deliver(bob.says(f"/send_all {number} {'x' * 60}"))
    room.deliver(Entry(Due()))
    assert room.told == []
    await room.flow()
    assert alice.lines.count("* your delayed message 1 was sent (#61)") == 1
    assert room.told == [(room.chat.ids["alice"], [1])]


async def test_who_is_behind_is_told_of_ones_own_act_by_the_reply_alone(room: Room) -> None:
    alice, other = await room.connect("alice", "json"), await room.connect("alice", "json")
    for each in (alice, other):
        each.outbox.pause()
    room.deliver(alice.says("/mute main"))
    for each in (alice, other):
        each.outbox.resume()
    assert [each["type"] for each in alice.objects] == ["ok"]
    assert [each["type"] for each in other.objects] == ["muted"]


async def test_a_change_to_the_last_message_that_was_shown_is_caught_up_with(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(bob.says("/send_all one"))
    alice.outbox.pause()
    assert alice.outbox.position == 1
    room.deliver(bob.says("/send_all two"), bob.says("/edit 1 changed"), bob.says("/edit 2 changed"))
    alice.outbox.resume()
    await room.quiet()
    shown = [line.split(" bob: ")[1] for line in alice.lines]
    assert shown == ["one (#1)", "changed (edited) (#2)", "changed (edited) (#1)"]


async def test_who_is_hung_up_on_is_closed_after_the_batch_and_nobody_else(room: Room) -> None:
    alice, one, two = await room.connect("alice"), await room.connect("bob"), await room.connect("bob", "json")
    kick = Entry(Kick(Username("bob", "bob"), None), MACHINE)
    room.deliver(alice.says("/send_all hi"), kick, alice.says("/send_all there"))
    assert (alice.closed, one.closed, two.closed) == ("", "kicked", "kicked")
    assert one.ids == two.ids == alice.ids == [1, 2]


async def test_deliveries_are_counted(room: Room) -> None:
    alice, _, _ = await room.connect("alice"), await room.connect("bob"), await room.connect("bob", "json")
    room.deliver(alice.says("/send_all hi"))
    assert room.feed.deliveries == 3
    room.deliver(alice.says("/send bob hi"))
    assert room.feed.deliveries == 6


@pytest.mark.parametrize("line", ["", "/send_all three", "/send nobody three"])
async def test_a_text_sessions_signs_of_life_move_markers_for_the_others(room: Room, line: str) -> None:
    """A message takes them along, and they come before it even if it is refused."""
    program, bob, alice = await room.connect("alice", "json"), await room.connect("bob"), await room.connect("alice")
    room.deliver(bob.says("/send_all one"), bob.says("/send alice two"))
    told = len(alice.lines)
    seen = MarkSeen(2)
    room.deliver(replace(alice.says(line), seen=seen) if line else Entry(seen, room.chat.ids["alice"]))
    events = [each for each in program.objects if each["type"] in ("read", "message")][2:]
    markers = [msgspec.convert(each, ReadMarker) for each in events[:2]]
    assert markers == [ReadMarker("main", 1), ReadMarker("@bob", 2)]
    assert [each["text"] for each in events[2:]] == ["three"] * (line == "/send_all three")
    assert len(alice.lines) - told == bool(line), "the reply"
