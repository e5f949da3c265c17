"""What a connection that is behind is shown, driven without a loop, a store or a socket, in every order."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chat_server.delivery.catch_up import HELD_EVENTS_MAX, CatchUp
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.delivery.outbox import Outbox
from chat_server.delivery.shown_states import OwnState, ShownStates
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import FORMATS
from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired, Message, ReadMarker
from chat_server.protocol.people import PreferenceChanged, PresenceChanged
from chat_server.protocol.rooms import Left, TopicChanged
from chat_server.store.stretches import Part, Stretch
from tests.unit.delivery.messages import AT, message
from tests.unit.fakes import FakeTransport

ALICE = 7
PAGE = 3


def behind(position: int) -> CatchUp:
    return CatchUp(position, ShownStates(position))


def reading(catch_up: CatchUp, delivered: int, *, by_id: bool = True) -> MissedMessages:
    missed = catch_up.read_next(ALICE, delivered, by_id=by_id)
    assert missed is not None
    return missed


def stretches(messages: Sequence[Message], length: int = 2) -> list[Part]:
    parts = [list(messages[at : at + length]) for at in range(0, len(messages), length)]
    return [Stretch(part, [each.id for each in part], [ALICE + 1] * len(part)).whole() for part in parts]


def shown_one_by_one(catch_up: CatchUp, page: Sequence[Message]) -> Iterator[Message]:
    for part in catch_up.to_show(stretches(page)):
        yield from part


def shown(catch_up: CatchUp, page: Sequence[Message]) -> list[Message]:
    return list(shown_one_by_one(catch_up, page))


# ---- what is shown


def test_everything_up_to_the_first_late_reply_is_read_before_it() -> None:
    catch_up = behind(10)
    catch_up.add_late_reply(15, b"+ sent\n", [OwnState(15, 15, 0)])
    missed = reading(catch_up, 20)
    assert (missed.start, missed.stop) == (10, 15)
    assert not catch_up.is_complete(15)
    catch_up.finish_reading()
    assert catch_up.position == 15 and catch_up.read_next(ALICE, 20, by_id=True) is None
    catch_up.late_replies.popleft()
    assert reading(catch_up, 20).stop == 20


def test_each_late_reply_has_its_own_place() -> None:
    catch_up = behind(10)
    for seq in (12, 15):
        catch_up.add_late_reply(seq, b"+ sent\n", [OwnState(seq, seq, 0)])
    for seq in (12, 15):
        assert reading(catch_up, 20).stop == seq
        catch_up.finish_reading()
        catch_up.late_replies.popleft()
    assert reading(catch_up, 20).stop == 20


@pytest.mark.parametrize("by_id", [True, False])
def test_a_state_from_after_the_stop_is_shown_once_and_waited_for(by_id: bool) -> None:
    catch_up = behind(10)
    reading(catch_up, 12, by_id=by_id)
    assert len(shown(catch_up, [message(11, 14), message(12)])) == 2
    catch_up.finish_reading()
    assert not catch_up.is_complete(12), "one message is newer than what was delivered"
    reading(catch_up, 14, by_id=by_id)
    assert shown(catch_up, [message(13), message(11, 14)]) == [message(13)]
    catch_up.finish_reading()
    assert catch_up.is_complete(14)


def test_a_still_newer_state_is_shown_again() -> None:
    catch_up = behind(10)
    catch_up.note_shown([message(11, 14), message(9)], 10)
    reading(catch_up, 15)
    assert shown(catch_up, [message(11, 15)]) == [message(11, 15)]


def test_the_reply_alone_tells_of_ones_own_change_to_what_was_shown() -> None:
    catch_up = behind(10)
    own = [OwnState(12, 12, 0), OwnState(5, 13, 5), OwnState(11, 14, 11), OwnState(6, 16, 15)]
    catch_up.add_late_reply(16, b"+ changed\n", own)
    reading(catch_up, 16)
    page = [message(12), message(5, 13), message(11, 14), message(6, 16)]
    assert shown(catch_up, page) == [message(11, 14), message(6, 16)], "11 is new, and 6 was changed before"


def test_what_a_page_by_seq_showed_is_not_what_was_shown_before() -> None:
    """Programs are shown a message in its place by seq, so its change after the first reading is not yet known."""
    by_seq, by_id = behind(10), behind(10)
    for catch_up, order in ((by_seq, False), (by_id, True)):
        missed = reading(catch_up, 12, by_id=order)
        missed.store_seq = 14
        catch_up.finish_reading()
        catch_up.add_late_reply(14, b"+ changed\n", [OwnState(12, 14, 12)])
        reading(catch_up, 14, by_id=order)
    assert shown(by_seq, [message(12, 14)]) == [message(12, 14)]
    assert shown(by_id, [message(12, 14)]) == []


def test_all_is_shown_once_the_store_had_nothing_newer() -> None:
    catch_up = behind(10)
    reading(catch_up, 12, by_id=False)
    catch_up.finish_reading()
    catch_up.add_late_reply(14, b"+ changed\n", [OwnState(12, 14, 12)])
    reading(catch_up, 14, by_id=False)
    assert shown(catch_up, [message(12, 14)]) == []


def test_nothing_of_a_chat_is_shown_after_leaving_it_whenever_it_was_read() -> None:
    catch_up = behind(10)
    reading(catch_up, 20)
    ids = (
        each.id
        for each in shown_one_by_one(catch_up, [message(11, chat="#team"), message(12, chat="#team"), message(13)])
    )
    assert next(ids) == 11
    catch_up.go("#team")
    assert next(ids) == 13
    assert catch_up.may_show(Left("#team", "alice", "bob")), "that one was removed is shown"
    catch_up.come("#team")
    assert catch_up.may_show(message(14, chat="#team"))


# ---- events that are held


def test_of_what_tells_the_present_only_the_last_is_held() -> None:
    catch_up = behind(0)
    bob, carol, away = PresenceChanged("bob", True), PresenceChanged("carol", True), PresenceChanged("bob", False)
    first, second, notice = ReadMarker("main", 1), ReadMarker("main", 2), Notice("one")
    for event in (bob, carol, first, away, second, notice, notice):
        catch_up.hold(event)
    assert [event for event, _ in catch_up.held()] == [away, carol, second, notice, notice]


def test_of_each_preference_only_the_last_is_held() -> None:
    catch_up = behind(0)
    gone, set_again, other = PreferenceChanged("a"), PreferenceChanged("a", "2"), PreferenceChanged("b", "1")
    for event in (PreferenceChanged("a", "1"), other, gone, set_again):
        catch_up.hold(event)
    assert [event for event, _ in catch_up.held()] == [set_again, other]


def test_expired_ids_are_joined_by_chat_and_bounded() -> None:
    catch_up = behind(0)
    for number in range(0, 3000, 100):
        catch_up.hold(Expired("main", list(range(number, number + 100))))
    catch_up.hold(Expired("@bob", [5000]))
    assert [event for event, _ in catch_up.held()] == [
        Expired("main", list(range(3000 - EXPIRED_IDS_MAX, 3000))), Expired("@bob", [5000])
    ]  # fmt: skip


def test_held_events_are_bounded_and_the_first_ones_stay() -> None:
    catch_up = behind(0)
    for number in range(HELD_EVENTS_MAX + 10):
        catch_up.hold(Notice(str(number)))
    assert [event for event, _ in catch_up.held()] == [Notice(str(number)) for number in range(HELD_EVENTS_MAX)]


def test_what_is_held_is_brought_up_to_date_past_the_bound_too() -> None:
    catch_up = behind(0)
    for number in range(HELD_EVENTS_MAX):
        catch_up.hold(ReadMarker("main", 1) if not number else Notice(str(number)))
    catch_up.hold(ReadMarker("main", 2))
    assert catch_up.held()[0] == (ReadMarker("main", 2), 0)


def test_a_notice_is_told_once_whether_by_a_command_or_by_a_push() -> None:
    catch_up = behind(0)
    catch_up.hold(Notice("one"), 1)
    catch_up.hold(Notice("one"), 1)
    catch_up.note_told([2])
    catch_up.hold(Notice("two"), 2)
    assert catch_up.held() == [(Notice("one"), 1)]
    catch_up.note_told([1])
    assert catch_up.held() == []


def test_leaving_a_chat_drops_its_held_events_but_no_notice() -> None:
    catch_up = behind(0)
    catch_up.hold(TopicChanged("#team", "plans", "bob"))
    catch_up.hold(TopicChanged("#other", "plans", "bob"))
    catch_up.hold(Left("#team", "alice", "bob"), 3)
    catch_up.go("#team")
    assert [notice for _, notice in catch_up.held()] == [0, 3]


# ---- whatever happens, in whatever order


class FakeFeed:
    """The batches as they are delivered."""

    def __init__(self) -> None:
        self.delivered = 0
        self.write_bytes_max = 200

    def now(self) -> str:
        return AT

    def joined(self, outbox: Outbox) -> None: ...

    def left(self, outbox: Outbox) -> None: ...

    def queue(self, outbox: Outbox) -> None: ...

    def told(self, user_id: int, notices: list[int]) -> None: ...


class Change(msgspec.Struct):
    """A message that is sent (`id` is `seq`), or changed (`before` was its seq), and whether the reader did that."""

    id: int
    seq: int
    before: int
    own: bool


class Reader(RuleBasedStateMachine):
    """One connection with a reader of any pace; batches are stored before they are delivered."""

    format = "text"
    # The reply to a change has the whole message.
    replies_have_messages = False

    @initialize()
    def connect(self) -> None:
        self.feed = FakeFeed()
        self.transport = FakeTransport(high=200)
        self.outbox = Outbox(self.feed, self.transport.write, self)
        self.outbox.format = FORMATS[self.format]
        self.transport.on_pause = self.outbox.pause
        self.transport.on_resume = self.outbox.resume
        self.stored: dict[int, int] = {}  # the seq of each message's newest state
        self.others: dict[int, int] = {}  # and of the newest one that is not the reader's own doing
        self.seq = 0
        self.undelivered: deque[list[Change]] = deque()
        self.asked: deque[MissedMessages] = deque()
        self.read: dict[MissedMessages, tuple[int, int]] = {}
        self.replies = 0
        self.finished = 0
        self.commands = 0
        self.outbox.attach(ALICE, 0)
        self.outbox.release()

    # What the outbox asks for.

    def find_descriptor(self) -> int:
        raise AssertionError

    def read_page(self, missed: MissedMessages) -> None:
        self.asked.append(missed)

    def went_live(self) -> None:
        assert not self.transport.paused

    def abort(self) -> None:
        raise AssertionError

    # ---- what happens

    @rule(changes=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=5))
    def store(self, changes: list[tuple[int, bool]]) -> None:
        """Each is a new message, or (above 0) a change to the one so many before."""
        batch = []
        for back, own in changes:
            self.seq += 1
            ids = sorted(self.stored)
            id_ = self.seq if not back or back > len(ids) else ids[-back]
            # A session executes nothing else while a command returns lines.
            change = Change(id_, self.seq, self.stored.get(id_, 0), own and not self.outbox.holding)
            self.stored[id_] = self.seq
            if not change.own:
                self.others[id_] = self.seq
            batch.append(change)
        self.undelivered.append(batch)

    @precondition(lambda self: self.undelivered)
    @rule(too_much=st.booleans())
    def deliver(self, too_much: bool) -> None:
        """As `Delivery` does it: a live connection is written to, every other is left to the store."""
        batch = self.undelivered.popleft()
        before, self.feed.delivered = self.feed.delivered, batch[-1].seq
        own = [OwnState(each.id, each.seq, each.before) for each in batch if each.own]
        if too_much or (self.outbox.live and own and self.outbox.may_lack(own, before)):
            self.outbox.lag(before)
        if self.outbox.live:
            lines = [self.reply_to(each) if each.own else self.line(each) for each in batch]
            self.outbox.send(b"".join(lines))
        else:
            for each in batch:
                if each.own:
                    own = [OwnState(each.id, each.seq, each.before)]
                    self.outbox.reply_as_of(each.seq, self.reply_to(each), own)
        self.outbox.catch_up()

    def line(self, change: Change) -> bytes:
        return f"[{change.id} as of {change.seq}]\n".encode()

    def reply_to(self, change: Change) -> bytes:
        self.replies += 1
        return f"+ {self.replies} {change.id} is {change.seq}\n".encode()

    @precondition(lambda self: self.asked)
    @rule()
    def read_next_page(self) -> None:
        missed = self.asked.popleft()
        phase, after = self.read.get(missed, (0, missed.start))
        page = self.page(missed, phase, after)
        if not page and phase == 0 and missed.by_id:
            phase, after = 1, missed.start
            page = self.page(missed, phase, after)
        if page:
            self.read[missed] = phase, page[-1].id if missed.by_id and phase == 0 else page[-1].seq
            phase, after = self.read[missed]
        shown = [each for each in page if phase == 0 or each.id <= missed.start]
        missed.is_read = not self.page(missed, phase, after) and (phase == 1 or not missed.by_id)
        if missed.is_read:
            missed.store_seq = self.seq
        self.outbox.take_page(missed, stretches(shown) if shown else [])

    def page(self, missed: MissedMessages, phase: int, after: int) -> list[Message]:
        newest = [message(*state) for state in self.stored.items()]
        key: Callable[[Message], int] = (lambda m: m.id) if missed.by_id and phase == 0 else (lambda m: m.seq)
        return sorted((each for each in newest if after < key(each) <= missed.stop), key=key)[:PAGE]

    @rule()
    def stop_reading(self) -> None:
        self.transport.stuck = True

    @rule(size=st.integers(1, 300))
    def take(self, size: int) -> None:
        self.transport.take(size)

    @rule()
    def take_all(self) -> None:
        self.transport.stuck = False
        self.transport.take()

    @precondition(lambda self: self.outbox.live and not any(each.own for batch in self.undelivered for each in batch))
    @rule()
    def run_a_command(self) -> None:
        self.outbox.hold()
        self.commands += 1
        self.outbox.write_paced((b"%d %s\n" % (self.commands, b"x" * 60) for _ in range(7)), self.finish)

    def finish(self, written: bool) -> None:
        assert written
        self.finished += 1

    @precondition(lambda self: self.outbox.holding and self.finished == self.commands)
    @rule()
    def release(self) -> None:
        self.outbox.release()

    # ---- what must hold

    @invariant()
    def nothing_waits_past_the_bound(self) -> None:
        if hasattr(self, "transport"):
            assert self.transport.most_waiting <= 200 + 200 + 5 * 60

    def teardown(self) -> None:
        if not hasattr(self, "feed"):
            return
        self.take_all()
        while self.undelivered or self.asked or self.outbox.holding:
            if self.outbox.holding:
                self.outbox.release()
            if self.asked:
                self.read_next_page()
            elif self.undelivered:
                self.deliver(False)
        assert self.outbox.live and self.outbox.is_idle and self.outbox.position == self.seq
        assert self.finished == self.commands
        self.check(self.transport.lines)

    def check(self, lines: list[str]) -> None:
        states: list[tuple[int, int]] = []
        known: dict[int, int] = {}
        replies = []
        answers = [number for number, line in enumerate(lines) if line.endswith("xxx")]
        for first in answers[::7]:
            assert set(range(first, first + 7)) <= set(answers), "nothing comes between the lines of an answer"
        for line in lines:
            if found := re.search(r"(\d+) as of (\d+)", line):
                id_, seq = int(found[1]), int(found[2])
                states.append((id_, seq))
                assert seq > known.get(id_, 0), "no state twice, and none older than what was shown"
                known[id_] = seq
            elif found := re.search(r"^\+ (\d+) (\d+) is (\d+)", line):
                replies.append(int(found[1]))
                if not self.replies_have_messages:
                    assert found[2] == found[3] or int(found[2]) in known, "the message is known before its change"
                known[int(found[2])] = max(int(found[3]), known.get(int(found[2]), 0))
        assert replies == list(range(1, self.replies + 1))
        assert known == self.stored, "every message in its newest state"
        shown = dict(states)
        for id_, seq in self.others.items():
            assert shown.get(id_, 0) >= seq, "a reply stands for one's own change, and for nothing that others did"
        self.check_order(states)

    def check_order(self, states: list[tuple[int, int]]) -> None:
        first = list(dict.fromkeys(id_ for id_, _ in states if id_ not in self.own_ids()))
        assert first == sorted(first), "people are shown new messages by id"

    def own_ids(self) -> set[int]:
        return {
            int(found[1])
            for line in self.transport.lines
            if (found := re.search(r"^\+ \d+ (\d+) is \1$", line))
        }  # fmt: skip


class Program(Reader):
    format = "json"
    replies_have_messages = True

    def line(self, change: Change) -> bytes:
        return f'{{"text":"{change.id} as of {change.seq}"}}\n'.encode()

    def check_order(self, states: list[tuple[int, int]]) -> None:
        seqs = [seq for _, seq in states]
        assert seqs == sorted(seqs), "programs are shown states by seq"


TestPeople = Reader.TestCase
TestPrograms = Program.TestCase
TestPeople.settings = TestPrograms.settings = settings(max_examples=4 * settings().max_examples, stateful_step_count=40)


def test_a_page_that_comes_after_signing_out_is_nobodys() -> None:
    machine = Reader()
    machine.connect()
    machine.store([(0, False)])
    machine.deliver(True)
    machine.outbox.detach()
    machine.outbox.attach(ALICE, 0)
    machine.outbox.release()
    first, second = machine.asked
    machine.outbox.take_page(first, stretches([message(1)]))
    assert machine.transport.lines == []
    second.is_read = True
    machine.outbox.take_page(second, stretches([message(1)]))
    assert len(machine.transport.lines) == 1 and machine.outbox.live
