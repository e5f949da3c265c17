import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.log.entries import CloseAccount, Due, EndTokens, Entry
from chat_server.protocol.connection import Pong
from chat_server.protocol.formats import JSON, TEXT
from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired, History, Message
from chat_server.rules.accounts import Welcome
from tests.unit.delivery.room import Peer, Room, open_room, shown

FORMATS = pytest.mark.parametrize("format", ["text", "json"])


def stop_reading(peer: Peer) -> None:
    peer.transport.stuck = True


async def fill(room: Room, bob: Peer, count: int) -> None:
    for number in range(count):
        room.deliver(bob.says(f"/send_all {number} {'x' * 60}"))
    await room.quiet()


# ---- slow readers


@FORMATS
async def test_who_reads_too_slowly_is_passed_by_and_goes_on_from_the_store(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 300)
    assert alice.outbox.paused and not alice.outbox.live
    assert alice.transport.most_waiting < 4096
    assert bob.ids == list(range(1, 301)), "and the others notice nothing"
    await room.flow()
    assert alice.outbox.live
    assert alice.ids == list(range(1, 301))
    await fill(room, bob, 3)
    assert alice.ids == list(range(1, 304))


@FORMATS
async def test_a_page_of_the_store_does_not_go_past_the_bound_at_once(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 300)
    steps = 0
    while alice.outbox.position < 300:
        alice.transport.take()
        await room.quiet()
        steps += 1
        assert len(alice.transport.waiting) < 64_000
    assert 1 < steps < 100
    await room.flow()
    assert alice.ids == list(range(1, 301))


@FORMATS
async def test_late_replies_stand_in_their_place(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)
    assert alice.outbox.paused
    room.deliver(bob.says("/send_all before"), alice.says("/send_all mine"), bob.says("/send_all between"))
    room.deliver(alice.says("/send nobody x"), alice.says("/send_all mine too"), bob.says("/send_all after"))
    assert not alice.outbox.is_idle
    await room.flow()
    assert alice.outbox.is_idle
    assert alice.ids == list(range(1, 66))
    tail = alice.transport.taken.splitlines()[-6:]
    for line, word in zip(tail, (b"before", b"62", b"between", b"unknown_user", b"64", b"after"), strict=True):
        assert word in line
    assert b"mine" not in b"".join(tail), "one's own messages are told by their replies"


async def test_what_only_tells_the_present_collapses_to_the_latest(room: Room) -> None:
    bob, alice = await room.connect("bob"), await room.connect("alice", "json", presence=True)
    other = await room.connect("alice", "json")
    stop_reading(alice)
    await fill(room, bob, 60)
    for _ in range(5):
        carol = await room.connect("carol")
        room.delivery.remove(carol)
        await room.turn()
    room.deliver(other.says("/read main 10"))
    room.deliver(other.says("/read main 20"), other.says("/read bob 1"))
    await room.flow()
    rest = [each for each in alice.objects if each["type"] not in ("message", "ok")]
    assert rest == [
        {"type": "presence", "user": "carol", "online": False},
        {"type": "read", "chat": "main", "id": 20},
    ]
    assert alice.ids == list(range(1, 61))


async def test_what_has_expired_is_one_event_for_a_chat_and_bounded(room: Room) -> None:
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)
    for number in range(0, 3000, 100):
        alice.outbox.keep(Expired("main", list(range(number, number + 100))))
    alice.outbox.keep(Expired("@bob", [5000]))
    await room.flow()
    assert [each for each in alice.objects if each["type"] == "expired"] == [
        {"type": "expired", "chat": "main", "ids": list(range(3000 - EXPIRED_IDS_MAX, 3000))},
        {"type": "expired", "chat": "@bob", "ids": [5000]},
    ]


async def test_presence_is_not_kept_for_who_does_not_want_it(room: Room) -> None:
    alice, bob = await room.connect("alice", presence=False), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)
    await room.connect("carol")
    await room.flow()
    assert not any(line.startswith("*") for line in alice.lines)


async def test_what_is_not_in_the_store_is_kept_until_live(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.chat.sign_in("dora", "emil", "fritz")
    stop_reading(alice)
    await fill(room, bob, 60)
    room.deliver(*(room.chat.entry(name, "/report alice") for name in ("dora", "emil", "fritz")))
    await room.flow()
    assert alice.lines[-1].startswith("* you are banned until 16:00:00 UTC")


async def test_an_account_that_ends_meanwhile(room: Room) -> None:
    alice, program, bob = (
        await room.connect("alice"), await room.connect("alice", "json"), await room.connect("bob")
    )  # fmt: skip
    room.deliver(bob.says("/send_all seen before"))
    for peer in (alice, program):
        stop_reading(peer)
    await fill(room, bob, 60)
    room.deliver(Entry(CloseAccount(0), room.chat.ids["bob"], bob.origin))
    await room.flow()
    notice = "* bob deleted the account; what bob wrote is gone"
    assert [line for line in alice.lines if line.startswith("*")] == [notice]
    assert alice.ids == list(range(1, 62)), "each once; what was shown before is not shown again"
    states = [(each["id"], each["seq"]) for each in program.objects if each["type"] == "message"]
    assert [seq for _, seq in states] == sorted({seq for _, seq in states})
    assert {id_ for id_, seq in states if seq > 61} == set(range(1, 62))


# ---- changes


async def test_people_are_shown_the_new_ones_then_the_changes_to_what_they_had_seen(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(bob.says("/send_all seen"), bob.says("/send_all seen too"))
    stop_reading(alice)
    await fill(room, bob, 60)
    room.deliver(bob.says("/edit 1 changed"), bob.says("/edit 62 late"), bob.says("/react 2 +1"), bob.says("/delete 1"))
    await room.flow()
    assert alice.ids == [*range(1, 63), 2, 1]
    assert [line.split("main bob: ")[1] for line in alice.lines[-3:]] == [
        "late (edited) (#62)", "seen too (+1 bob) (#2)", "(deleted) (#1)"
    ]  # fmt: skip


async def test_programs_are_shown_each_in_its_newest_state_by_seq(room: Room) -> None:
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    room.deliver(bob.says("/send_all seen"))
    stop_reading(alice)
    await fill(room, bob, 60)
    room.deliver(bob.says("/edit 1 changed"), bob.says("/edit 61 late"), bob.says("/react 1 +1"))
    await room.flow()
    states = [(each["id"], each["seq"]) for each in alice.objects]
    # What was on its way when she stopped reading is shown as it was then.
    assert states[-2:] == [(61, 63), (1, 64)]
    assert [seq for _, seq in states] == sorted({seq for _, seq in states})


@FORMATS
async def test_a_message_that_one_changes_before_it_came_here_still_comes(room: Room, format: str) -> None:
    """Another window has shown it already; the reply to the change alone would leave a gap here."""
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    room.deliver(bob.says("/send_all seen"))
    stop_reading(alice)
    await fill(room, bob, 60)
    room.deliver(alice.says("/send_all mine"), alice.says("/react 61 +1"), alice.says("/react 1 +1"))
    await room.flow()
    assert set(alice.ids) == set(range(1, 63))
    shown = [
        line for line in alice.transport.taken.decode().splitlines() if line.startswith(("[", '{"type":"message"'))
    ]
    assert sum("(+1 alice)" in line or '"reactions"' in line for line in shown) == 1, (
        "what was seen is told by the reply"
    )


@FORMATS
async def test_ones_own_changes_in_too_large_a_batch_leave_no_gap(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    sent = [bob.says(f"/send_all {number} {'x' * 60}") for number in range(60)]
    room.deliver(*sent, alice.says("/react 5 +1"))
    await room.flow()
    assert set(alice.ids) == set(range(1, 61))


async def fall_behind(room: Room, bob: Peer) -> None:
    """A batch that is too much for one write; the pages that it leaves to be read are not read yet."""
    room.deliver(*(bob.says(f"/send_all {number} {'x' * 200}") for number in range(50)))


def changes_of(peer: Peer, id_: int) -> list[tuple[str, int]]:
    """The states of a message that a program was told: pushed, or in the reply to its own change."""
    told = [each.get("message", each) | {"as": each["type"]} for each in peer.objects if each["type"] != "read"]
    return [(each["as"], each["seq"]) for each in told if each["id"] == id_]


async def test_a_message_that_one_changed_before_its_page_was_read_still_comes(room: Room) -> None:
    """The page leaves it out, because its newest state is later, and the connection is live when the reply comes."""
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    await fall_behind(room, bob)
    executed = room.chat.batch(alice.says("/react 15 👍"), bob.says("/send_all next"))
    await room.quiet()
    assert alice.outbox.live and 15 not in alice.ids
    room.delivery.deliver(executed)
    await room.quiet()
    assert changes_of(alice, 15) == [("message", 51), ("ok", 51)]
    assert alice.ids[-3:] == [15, 15, 52]
    # From here on a reply stands for one's own change again.
    room.deliver(alice.says("/unreact 15 👍"), alice.says("/react 15 👎"))
    assert alice.outbox.live and changes_of(alice, 15)[2:] == [("ok", 53), ("ok", 54)]


async def test_a_message_that_a_page_left_out_comes_also_to_who_falls_behind_again(room: Room) -> None:
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    await fall_behind(room, bob)
    executed = room.chat.batch(alice.says("/react 15 👍"))
    await room.quiet()
    alice.outbox.hold()
    alice.outbox.release()
    assert alice.outbox.live
    alice.outbox.pause()
    room.delivery.deliver(executed)
    alice.outbox.resume()
    await room.quiet()
    assert changes_of(alice, 15) == [("message", 51), ("ok", 51)]


@FORMATS
async def test_ones_own_change_does_not_hide_that_of_somebody_else(room: Room, format: str) -> None:
    """Of two changes to one message the store has the last state alone."""
    alice, bob, carol = [await room.connect(name, format) for name in ("alice", "bob", "carol")]
    room.deliver(bob.says("/send_all old"), bob.says("/send_all old too"))
    lines = [carol.says(f"/send_all {number} {'x' * 200}") for number in range(50)]
    room.deliver(*lines, bob.says("/edit 1 new"), bob.says("/edit 2 new too"), alice.says("/react 1 👍"))
    executed = room.chat.batch(alice.says("/react 2 👍"))
    await room.quiet()
    room.delivery.deliver(executed)
    await room.quiet()
    pushed = [line for line in alice.lines if ("(edited)" in line or '"edited":' in line) and '"ok"' not in line]
    assert len(pushed) == 2, "each was told with the text that bob gave it"
    assert alice.outbox.live


@FORMATS
async def test_ones_own_changes_to_what_one_knows_are_told_by_replies_alone(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    room.deliver(bob.says("/send_all old"))
    await fall_behind(room, bob)
    room.deliver(alice.says("/send_all mine"), alice.says("/react 1 1"), alice.says("/react 52 1"))
    room.deliver(alice.says("/react 1 2"), alice.says("/react 52 2"))
    # Each is on disk before the last one's page is read.
    executed = [room.chat.batch(alice.says(f"/react {id_} {emoji}")) for emoji in (3, 4) for id_ in (1, 52)]
    await room.quiet()
    for each in executed:
        room.delivery.deliver(each)
    await room.quiet()
    assert alice.outbox.live
    assert len(alice.lines) == 51 + 9


async def test_a_message_that_a_resume_left_out_still_comes_after_ones_own_change(room: Room) -> None:
    """It was changed by somebody else while what was missed was read, and then by the user who came back."""
    bob = await room.connect("bob")
    room.deliver(bob.says("/send_all one"), bob.says("/send_all two"))
    alice = Peer(room, "alice", "json")
    room.peers.append(alice)
    room.delivery.attach(alice, room.chat.ids["alice"], "alice", 2)
    changed = room.chat.batch(bob.says("/edit 1 not one"))
    welcome = room.chat.ask("alice", Welcome(False, 2, 0, None))
    assert [event.id for event in welcome.events if isinstance(event, Message)] == [2]
    alice.outbox.note_shown(welcome.events, 2)
    room.delivery.deliver(changed)
    alice.outbox.release()
    reacted = room.chat.batch(alice.says("/react 1 👍"))
    await room.quiet()
    room.delivery.deliver(reacted)
    await room.quiet()
    assert changes_of(alice, 1) == [("message", 4), ("ok", 4)]


# ---- whatever happens, in whatever order

steps = st.lists(
    st.tuples(st.sampled_from(("bob", "bob", "direct", "alice", "alice", "other", "stop", "take", "flow", "hold")),
              st.integers(1, 12)),
    max_size=25,
)  # fmt: skip


@FORMATS
@given(steps=steps)
def test_without_a_gap_nothing_twice_all_in_order(format: str, steps: list[tuple[str, int]]) -> None:
    async def play(path: Path) -> None:
        async with open_room(path, outbox_bytes_max=2048) as room:
            alice, bob = await room.connect("alice", format), await room.connect("bob", "json")
            other = await room.connect("alice", "json")
            for what, number in steps:
                await step(room, alice, bob, other, what, number)
            if alice.outbox.holding:
                alice.outbox.release()
            await room.flow()
            assert alice.outbox.live and alice.outbox.is_idle
            assert alice.ids == other.ids == list(range(1, room.delivery.delivered + 1))

    path = Path(tempfile.mkdtemp())
    try:
        asyncio.run(play(path))
    finally:
        shutil.rmtree(path)


async def step(room: Room, alice: Peer, bob: Peer, other: Peer, what: str, number: int) -> None:
    match what:
        case "bob":
            room.deliver(*(bob.says(f"/send_all {'x' * 100}") for _ in range(number)))
        case "direct":
            room.deliver(bob.says("/send alice hi"), bob.says("/send_all hi"))
        case "alice" if not alice.outbox.holding:
            room.deliver(alice.says("/send_all mine"), *(bob.says("/send_all yours") for _ in range(number)))
        case "other":
            room.deliver(other.says("/send bob from there"), bob.says("/send_all hi"))
        case "stop":
            stop_reading(alice)
        case "take":
            alice.transport.take(number * 200)
            await room.turn()
        case "flow":
            await room.flow()
        case "hold" if alice.outbox.live:
            alice.outbox.hold()
        case "hold" if alice.outbox.holding:
            alice.outbox.release()


# ---- commands that return lines


@FORMATS
async def test_what_is_pushed_while_a_command_returns_lines_waits(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    alice.outbox.hold()
    await fill(room, bob, 3)
    assert alice.ids == []
    alice.outbox.write(b"")
    assert alice.outbox.position == 0
    alice.outbox.release()
    await room.quiet()
    assert alice.ids == [1, 2, 3] and alice.outbox.position == 3


@FORMATS
async def test_what_is_pushed_while_a_command_is_answered_follows_the_reply_without_the_store(
    room: Room, format: str
) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    for before in range(3):
        alice.outbox.hold()
        room.deliver(bob.says("/send_all one"))
        room.deliver(bob.says("/send alice two"), bob.says("/send_all three"))
        assert alice.outbox.position == 3 * before
        alice.outbox.reply(alice.outbox.format.answer(Pong("done"), "ping", None, ""))
        assert b"done" in alice.transport.taken.splitlines()[-1] and len(alice.ids) == 3 * before
        alice.outbox.release()
        assert alice.outbox.live and not room.asked and len(alice.ids) == 3 * (before + 1)
    assert alice.ids == list(range(1, 10)) and alice.outbox.position == 9


@FORMATS
async def test_only_so_much_waits_for_a_reply_and_the_rest_is_in_the_store(room: Room, format: str) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    alice.outbox.hold()
    await fill(room, bob, 60)
    assert not alice.outbox.live and alice.outbox.position == 0
    alice.outbox.release()
    waited = len(alice.transport.taken)
    assert 0 < waited < room.feed.write_bytes_max / 2 and len(room.asked) == 1
    await room.quiet()
    assert alice.outbox.live and alice.ids == list(range(1, 61))


async def test_what_is_in_no_message_is_told_once_past_what_waits_for_a_reply(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(alice.says("/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    told = len(alice.lines)
    alice.outbox.hold()
    room.deliver(Entry(Due()))
    await fill(room, bob, 60)
    assert len(alice.lines) == told
    alice.outbox.release()
    await room.quiet()
    assert alice.lines.count("* your delayed message 1 was sent (#1)") == 1
    assert alice.ids == list(range(1, 62)) and room.told == [(room.chat.ids["alice"], [1])]


async def test_what_a_reading_logged_is_answered_before_what_came_in_its_batch(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(bob.says("/send_all one"))
    alice.outbox.hold()
    room.deliver(bob.says("/send_all two"), alice.says("/read main 1"), bob.says("/send_all three"))
    assert alice.ids == [1] and alice.lines[-1].startswith("+ ")
    alice.outbox.release()
    assert alice.ids == [1, 2, 3] and not room.asked


@pytest.mark.parametrize("end", ["closed", "signed out"])
async def test_what_waits_for_a_reply_is_written_where_none_comes(room: Room, end: str) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    alice.outbox.hold()
    room.deliver(bob.says("/send_all one"))
    if end == "closed":
        alice.outbox.write_at_end(b"* bye\n")
        alice.outbox.close()
    else:
        room.delivery.detach(alice)
        alice.outbox.write(b"* bye\n")
        alice.outbox.release()
    room.deliver(bob.says("/send_all two"))
    assert alice.ids == [1] and alice.lines[1:] == ["* bye"] and not room.asked


async def test_a_reply_that_is_not_taken_holds_back_what_was_pushed_meanwhile(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    alice.outbox.hold()
    room.deliver(bob.says("/send_all one"))
    stop_reading(alice)
    alice.outbox.reply(b"x" * 4000 + b"\n")
    assert alice.outbox.paused
    alice.outbox.release()
    assert len(alice.transport.waiting) == 4001
    room.deliver(bob.says("/send_all two"))
    await room.flow()
    assert alice.outbox.live and alice.ids == [1, 2] and alice.lines[0][0] == "x"


async def test_what_waits_behind_a_reply_that_is_not_taken_goes_before_the_end(room: Room) -> None:
    """A notice counts as told then: it is not told again."""
    alice = await room.connect("alice")
    room.deliver(alice.says("/send_delayed bob 1s tea"))
    room.chat.clock.advance(5000)
    alice.outbox.hold()
    room.deliver(Entry(Due()))
    stop_reading(alice)
    alice.outbox.reply(b"x" * 4000 + b"\n")
    alice.outbox.release()
    assert alice.outbox.paused
    alice.outbox.write_at_end(b"* bye\n")
    alice.outbox.close()
    await room.flow()
    assert alice.lines[-2:] == ["* your delayed message 1 was sent (#1)", "* bye"]


async def test_what_the_welcome_showed_in_a_newer_state_is_not_shown_again(room: Room) -> None:
    bob, other = await room.connect("bob"), await room.connect("carol")
    room.deliver(bob.says("/send_all one"), other.says("/send_all two"))
    alice = Peer(room, "alice", "json")
    room.peers.append(alice)
    room.delivery.attach(alice, room.chat.ids["alice"], "alice", 2)
    # Executed but not delivered yet: a reading sees it already.
    executed = room.chat.batch(Entry(CloseAccount(0), room.chat.ids["bob"]))
    welcome = room.chat.ask("alice", Welcome(False, 2, None, None))
    seqs = [event.seq for event in welcome.events if isinstance(event, Message)]
    assert seqs == [3, 2]
    alice.outbox.note_shown(welcome.events, 2)
    alice.outbox.release()
    await room.quiet()
    assert not alice.outbox.live, "it is ahead of what was delivered"
    room.delivery.deliver(executed)
    await room.quiet()
    assert alice.outbox.live and alice.ids == []


async def test_the_format_changes_between_two_batches(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.deliver(bob.says("/send_all one"))
    alice.outbox.set_format(JSON)
    room.deliver(bob.says("/send_all two"))
    alice.outbox.set_format(TEXT)
    room.deliver(bob.says("/send_all three"))
    assert [line[0] for line in alice.lines] == ["[", "{", "["]


# ---- the end


async def test_nothing_is_written_to_who_signed_out_while_catching_up(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 300)
    alice.transport.take()
    await room.quiet()
    room.delivery.detach(alice)
    assert not alice.outbox.user_id
    seen = alice.transport.taken + alice.transport.waiting
    await room.flow()
    assert alice.transport.taken == seen


@FORMATS
async def test_who_signs_out_while_behind_still_gets_the_reply(room: Room, format: str) -> None:
    bob, alice = await room.connect("bob"), Peer(room, "alice", format)
    room.peers.append(alice)
    room.delivery.attach(alice, room.chat.ids["alice"], "alice", room.delivery.delivered)
    alice.outbox.release()
    stop_reading(alice)
    await fill(room, bob, 60)
    assert alice.outbox.paused
    room.deliver(Entry(EndTokens(None), room.chat.ids["alice"], alice.origin))
    await room.flow()
    assert b"signed out" in alice.transport.taken or b'"closed":0' in alice.transport.taken


async def test_closing_ends_lines_that_wait_for_the_reader(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)
    written: list[bool] = []
    alice.outbox.write_paced([b"never"], written.append)
    alice.outbox.close()
    alice.outbox.resume()
    alice.outbox.write_paced([b"never"], written.append)
    assert written == [False, False] and b"never" not in alice.transport.waiting
    alice.outbox.write(b"too late")
    assert b"too late" not in alice.transport.waiting


@FORMATS
@pytest.mark.parametrize("ending", [False, True])
async def test_a_line_that_was_written_in_part_is_ended_before_anything_else(
    room: Room, format: str, ending: bool
) -> None:
    alice, bob = await room.connect("alice", format), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)
    room.feed.write_bytes_max, alice.transport.high = 50, 10
    alice.transport.take()
    await room.quiet()
    assert 0 < len(alice.transport.waiting) <= 50, "a page is being shown, and its first line is not whole"
    if ending:
        alice.outbox.detach()
    alice.outbox.write(b"[said]\n")
    alice.transport.take()
    lines = alice.transport.taken.splitlines()
    assert lines[-1] == b"[said]" and len(lines[-2]) == len(lines[-3])


async def test_a_line_that_cannot_be_made_ends_the_connection(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await room.connect("alice", "json"), await room.connect("bob")
    stop_reading(alice)
    await fill(room, bob, 60)

    def broken(event: object) -> bytes:
        raise ValueError

    monkeypatch.setattr("chat_server.protocol.formats.json._encode", broken)
    await room.flow()
    assert alice.transport.aborted and not alice.outbox.live


async def test_a_page_of_history_is_what_was_pushed(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    await fill(room, bob, 5)
    command = room.chat.parse("/history main")
    assert isinstance(command, History)
    assert shown(room.chat.ask("alice", command).events, room.delivery.now()) == alice.lines


async def test_the_reply_to_a_command_that_returns_lines_comes_before_what_was_said_meanwhile(room: Room) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    alice.outbox.hold()
    room.deliver(bob.says("/send_all meanwhile"))
    alice.outbox.reply(b"+ done\n")
    assert alice.lines == ["+ done"]
    alice.outbox.release()
    await room.quiet()
    assert alice.ids == [1]
