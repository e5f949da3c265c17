"""Batches that are written past the transports: in order, each byte once, and to no socket but the receiver's own."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery import live_outboxes
from chat_server.delivery.live_outboxes import LiveOutboxes
from chat_server.delivery.outbox import Outbox
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import JSON
from chat_server.protocol.people import PresenceChanged
from chat_server.rules.typing_signals import TypingSignal
from chat_server.send_ring import WriteAll, write_one_by_one
from tests.unit.delivery.room import Peer, Room
from tests.unit.fakes import FakeTransport


async def connect(room: Room, name: str, format: str = "text") -> Peer:
    """A peer with a socket; the lowest free descriptor, as the kernel gives them."""
    peer = await room.connect(name, format)
    peer.descriptor = next(number for number in range(99) if number not in room.open_sockets)
    room.open_sockets[peer.descriptor] = peer.transport
    return peer


def noted(calls: list[set[int]], write_all: WriteAll, due: dict[int, bytes]) -> dict[int, int]:
    """Write, and note to which descriptors."""
    calls.append(set(due))
    return write_all(due)


def say(room: Room, sender: Peer, *texts: str) -> None:
    room.deliver(*(sender.says(f"/send_all {text}") for text in texts))


def texts_of(peer: Peer) -> list[str]:
    return [line.split(": ", 1)[1].partition(" (#")[0] for line in peer.lines if line.startswith("[")]


async def test_a_batch_goes_past_the_transports_to_all_and_to_whom_it_answers(room: Room) -> None:
    alice, bob, carol = [await connect(room, name) for name in ("alice", "bob", "carol")]
    say(room, alice, "one", "two")
    room.deliver(bob.says("/send carol three"))
    assert [peer.transport.writes_now for peer in (alice, bob, carol)] == [1, 2, 2]
    assert [peer.transport.writes for peer in (alice, bob, carol)] == [0, 0, 0]
    assert texts_of(bob) == ["one", "two"] and texts_of(carol) == ["one", "two", "three"]


@pytest.mark.parametrize("fits", [0, 1, 20])
async def test_what_the_kernel_does_not_take_follows_through_the_transport(room: Room, fits: int) -> None:
    alice, bob, carol = [await connect(room, name) for name in ("alice", "bob", "carol")]
    say(room, alice, "one")
    bob.transport.fits, bob.transport.stuck_after = fits, True
    say(room, alice, "two")
    assert bob.transport.waiting and bob.outbox.live
    # While something waits, nothing is written past it, whatever the kernel would take.
    bob.transport.fits = None
    say(room, alice, "three")
    room.deliver(bob.says("/send_all four"))
    bob.transport.take()
    assert texts_of(bob) == ["one", "two", "three"] and bob.lines[-1].startswith("+ sent")
    assert texts_of(carol) == ["one", "two", "three", "four"]
    before = bob.transport.writes
    say(room, alice, "five")
    assert texts_of(bob)[-1] == "five" and bob.transport.writes == before


async def test_what_is_written_through_the_transport_is_not_overtaken(room: Room) -> None:
    alice, bob = [await connect(room, name) for name in ("alice", "bob")]
    say(room, alice, "one")
    bob.transport.stuck_after = True
    bob.outbox.write(b"* soon\n")
    say(room, alice, "two")
    assert bob.transport.waiting.decode().count("\n") == 2
    bob.transport.take()
    assert [line[:6] for line in bob.lines[-2:]] == ["* soon", bob.lines[-1][:6]] and texts_of(bob) == ["one", "two"]


async def test_while_a_command_is_answered_nothing_goes_past_the_transport(room: Room) -> None:
    alice, bob = [await connect(room, name) for name in ("alice", "bob")]
    say(room, alice, "one")
    bob.outbox.hold()
    say(room, alice, "two")
    room.deliver(alice.says("/send bob three"))
    bob.outbox.write(b"+ reply\n")
    assert texts_of(bob) == ["one"] and bob.lines[1:] == ["+ reply"]
    bob.outbox.release()
    written = bob.transport.writes
    say(room, alice, "four")
    assert texts_of(bob) == ["one", "two", "three", "four"] and bob.lines[1] == "+ reply"
    assert bob.transport.writes == written and bob.outbox.descriptor == bob.descriptor


async def test_a_reset_in_the_middle_of_a_batch_concerns_its_connection_alone(room: Room) -> None:
    alice, bob, carol = [await connect(room, name) for name in ("alice", "bob", "carol")]
    bob.transport.is_reset = True
    say(room, alice, "one")
    assert texts_of(carol) == ["one"]
    # Its transport is asked to write it, finds out, and says so.
    assert bob.transport.writes == 1


async def test_a_pause_within_a_batch_leaves_the_rest_to_the_store(room: Room) -> None:
    alice, bob, carol = [await connect(room, name) for name in ("alice", "bob", "carol")]
    bob.transport.fits, bob.transport.stuck_after, bob.transport.high = 10, True, 0
    say(room, alice, "one", "two")
    assert bob.outbox.paused and not bob.outbox.live and bob.outbox.descriptor == -1
    say(room, alice, "three")
    assert texts_of(carol) == ["one", "two", "three"]
    bob.transport.fits, bob.transport.stuck_after = None, False
    await room.flow()
    assert texts_of(bob) == ["one", "two", "three"]


async def test_the_descriptor_of_a_lost_connection_is_written_to_no_more(room: Room) -> None:
    alice, bob = [await connect(room, name) for name in ("alice", "bob")]
    say(room, alice, "one")
    bob.outbox.close()
    room.delivery.remove(bob)
    # The kernel gives the number to a file of somebody else.
    del room.open_sockets[bob.descriptor]
    other = room.open_sockets[bob.descriptor] = FakeTransport()
    carol = await connect(room, "carol")
    say(room, alice, "two")
    assert texts_of(carol) == ["two"] and texts_of(bob) == ["one"] and not other.taken


async def test_all_of_a_batch_is_written_by_one_call_a_format(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    alice, bob, carol = [await connect(room, name) for name in ("alice", "bob", "carol")]
    say(room, alice, "one")
    calls = list[set[int]]()
    for live in room.feed._live.values():
        monkeypatch.setattr(live, "_write_all", partial(noted, calls, live._write_all))
    room.deliver(alice.says("/send bob two"), bob.says("/send_all three"), carol.says("/send bob four"))
    assert calls == [{peer.descriptor for peer in (alice, bob, carol)}]
    assert texts_of(bob) == ["one", "two", "four"] and texts_of(carol) == ["one", "three"]


def tell_presence(room: Room, ids: list[int]) -> None:
    room.feed.tell_presence({ids[0]: PresenceChanged("alice", True, "lunch")})


async def test_nobody_is_told_of_oneself_whatever_others_say_of_being_away(room: Room) -> None:
    bob = await connect(room, "bob")
    bob.outbox.presence = True
    changes = {
        "alice": PresenceChanged("alice", True, "* bob is online"),
        "carol": PresenceChanged("carol", True),
        "bob": PresenceChanged("bob", True),
    }
    room.feed.tell_presence({room.chat.ids[name]: change for name, change in changes.items()})
    assert bob.lines == ["* alice is away: * bob is online", "* carol is online"]


def tell_typing(room: Room, ids: list[int]) -> None:
    room.delivery.typing.tell(ids[0], TypingSignal("alice", "@alice", 0, tuple(ids[1:]), True))


@pytest.mark.parametrize(
    ("tell", "are_told"),
    [
        (lambda room, _: room.feed.tell_all(Notice("soon")), {"alice", "bob", "carol"}),
        (lambda room, ids: room.feed.tell_users(ids[:2], Notice("full")), {"alice", "bob"}),
        (tell_presence, {"bob", "carol"}),
        (tell_typing, {"bob", "carol"}),
    ],
    ids=["all", "users", "presence", "typing"],
)
async def test_what_is_in_no_batch_goes_to_all_it_concerns_by_one_call_too(
    monkeypatch: pytest.MonkeyPatch,
    room: Room,
    tell: Callable[[Room, list[int]], None],
    are_told: set[str],
) -> None:
    """Written through the transports, the next batch would find none of them clear."""
    peers = {name: await connect(room, name, "json") for name in ("alice", "bob", "carol")}
    for peer in peers.values():
        peer.outbox.watches_typing = peer.outbox.presence = True
    say(room, peers["alice"], "one")
    calls = list[set[int]]()
    live = room.feed._live[JSON]
    monkeypatch.setattr(live, "_write_all", partial(noted, calls, live._write_all))
    before = {name: len(peer.objects) for name, peer in peers.items()}
    tell(room, [room.chat.ids[name] for name in peers])
    assert {name for name, peer in peers.items() if len(peer.objects) > before[name]} == are_told
    assert calls == [{peers[name].descriptor for name in are_told}]
    assert all(peer.transport.writes == 0 for peer in peers.values())


async def test_what_is_due_is_written_before_it_is_too_much(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    """Each of those who write has lines of its own: with 1,000 they would be 78 MB at the end of the batch."""
    peers = [await connect(room, name) for name in ("alice", "bob", "carol") * 4]
    say(room, peers[0], "one")
    most = 0

    def note(write_all: WriteAll, due: dict[int, bytes]) -> dict[int, int]:
        nonlocal most
        most = max(most, sum(map(len, due.values())))
        return write_all(due)

    monkeypatch.setattr(live_outboxes, "DUE_BYTES_MAX", 1000)
    for live in room.feed._live.values():
        monkeypatch.setattr(live, "_write_all", partial(note, live._write_all))
    room.deliver(*(peer.says(f"/send_all {number}") for number, peer in enumerate(peers)))
    size = len(peers[0].transport.taken)
    assert 1000 < most < 1000 + size < size * len(peers)
    assert all(peer.ids == list(range(1, 14)) and peer.transport.writes_now == 2 for peer in peers)


class _Receiver:
    """An outbox of nobody, with a kernel that has room for so many bytes."""

    def __init__(self, feed: "_Feed") -> None:
        self.transport = FakeTransport()
        self.transport.stuck_after = True
        self.outbox = Outbox(feed, self.transport.write, self)
        self.outbox.live = True
        self.written = b""

    def find_descriptor(self) -> int:
        return -1 if self.transport.waiting else id(self) % (1 << 31)

    def read_page(self, missed: object) -> None: ...

    def went_live(self) -> None: ...

    def abort(self) -> None: ...


class _Feed:
    delivered, write_bytes_max = 0, 1 << 20

    def __init__(self, count: int) -> None:
        self.receivers = [_Receiver(self) for _ in range(count)]
        by_descriptor = {each.find_descriptor(): each.transport for each in self.receivers}

        def write_now(descriptor: int, data: bytes) -> int:
            return by_descriptor[descriptor].write_now(data)

        self.live = LiveOutboxes(partial(write_one_by_one, write_now))
        for each in self.receivers:
            self.live.add(each.outbox)

    def queue(self, outbox: Outbox) -> None:
        self.live.queue(outbox)

    def now(self) -> str:
        return ""

    def joined(self, outbox: Outbox) -> None: ...

    def left(self, outbox: Outbox) -> None: ...

    def told(self, user_id: int, notices: list[int]) -> None: ...


_steps = st.one_of(
    st.tuples(st.just("all"), st.sets(st.integers(0, 2)), st.integers(1, 9)),
    st.tuples(st.sampled_from(["own", "besides", "room", "take", "come again"]), st.integers(0, 2), st.integers(1, 9)),
)


@given(st.lists(_steps, max_size=30), st.sampled_from([0, 3, live_outboxes.DUE_BYTES_MAX]))
def test_everybody_gets_each_byte_once_and_in_order(steps: list[tuple[str, object, int]], due_bytes_max: int) -> None:
    """`done` get of a batch for all what is theirs; `room` is what the kernel has, `take` what the transport sends on.

    What is between two batches comes before the first is flushed, which is the worst that it may do.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_outboxes, "DUE_BYTES_MAX", due_bytes_max)
        _do(steps)


def _do(steps: list[tuple[str, object, int]]) -> None:
    feed = _Feed(3)
    for number, (step, whom, size) in enumerate(steps):
        data = bytes([number]) * size
        if step in ("all", "own"):
            feed.live.flush()
        if isinstance(whom, set):
            for each in whom:
                feed.live.write(feed.receivers[each].outbox, data[:1])
            feed.live.write_to_others(data, {feed.receivers[each].outbox: None for each in whom})
            for place, receiver in enumerate(feed.receivers):
                receiver.written += data[:1] if place in whom else data
            continue
        assert isinstance(whom, int)
        receiver = feed.receivers[whom]
        if step == "own":
            feed.live.write(receiver.outbox, data)
            receiver.written += data
        elif step == "besides":
            receiver.outbox.write(data)
            receiver.written += data
        elif step == "room":
            receiver.transport.fits = size - 1
        elif step == "take":
            receiver.transport.take(size)
        else:
            feed.live.remove(receiver.outbox)
            assert receiver.outbox not in list(feed.live)
            feed.live.add(receiver.outbox)
        assert len(feed.live) == 3
    feed.live.flush()
    for receiver in feed.receivers:
        receiver.transport.take()
        assert receiver.transport.taken == receiver.written
