"""The line of entries that wait for a replicated log, and the batch in flight: what becomes of it while it is tried."""

import pytest

from chat_server.log.codec import encode
from chat_server.log.entries import TEXT_CHARS_MAX, Batch, Due, EndStream, Entry, NoteDeparture, Origin, RaiseVersion
from chat_server.log.outgoing import Flight, Line, Waiting
from chat_server.log.replicated import ACKED_AGAIN_SECONDS, HOLD_SECONDS
from chat_server.log.stream import FateUnknown, NotAppended
from chat_server.protocol.arguments import Text
from chat_server.protocol.messages import SendAll
from tests.memory_stream import Trouble
from tests.unit.log.peers import Peers, Play

ORIGIN = Origin("a", 1, 1, 1)


def waiting(number: int, origin: Origin | None = ORIGIN) -> Waiting:
    return Waiting(Entry(NoteDeparture(), number, origin), bytes(number), float(number))


def numbers(taken: list[Waiting]) -> list[int]:
    return [each.entry.user_id for each in taken]


def test_what_is_given_back_goes_before_all_that_waits() -> None:
    line = Line()
    for number in (1, 2):
        line.add(waiting(number))
    taken = line.take()
    line.add(waiting(3))
    assert (numbers(taken), line.bytes) == ([1, 2], 3)
    line.give_back(taken)
    assert line.bytes == 6 and numbers(line.take()) == [1, 2, 3] and line.bytes == 0


def test_what_nobody_waits_for_is_not_withdrawn_and_keeps_its_place() -> None:
    line = Line()
    for each in (waiting(1, None), waiting(2), waiting(3, None), waiting(4)):
        line.add(each)
    withdrawn = line.withdraw(lambda since: since < 4)
    assert [entry.user_id for entry in withdrawn] == [2]
    assert line.bytes == 8 and numbers(line.take()) == [1, 3, 4]


def test_the_end_of_a_stream_is_alone_in_its_batch() -> None:
    line = Line()
    for command in (NoteDeparture(), EndStream(2), EndStream(3), NoteDeparture(), NoteDeparture()):
        line.add(Waiting(Entry(command), b"-", 0.0))
    batches = [[type(each.entry.command) for each in line.take()] for _ in range(4)]
    assert batches == [[NoteDeparture], [EndStream], [EndStream], [NoteDeparture, NoteDeparture]] and not line


def test_a_batch_takes_no_more_text_than_a_turn_may_take() -> None:
    line = Line()
    for _ in range(3):
        line.add(Waiting(Entry(SendAll(Text("x" * (TEXT_CHARS_MAX // 2 + 1)))), b"-", 0.0))
    assert [len(line.take()), len(line.take())] == [2, 1]


def test_one_due_waits_however_often_it_is_logged() -> None:
    line = Line()
    for command in (Due(), NoteDeparture(), Due(), Due()):
        line.add(Waiting(Entry(command), b"-", 0.0))
    assert [type(each.entry.command) for each in line.take()] == [Due, NoteDeparture]
    line.add(Waiting(Entry(Due()), b"-", 0.0))
    assert len(line.take()) == 1, "the one before is on its way, and may be over before this one has come"


def test_what_the_node_logs_until_it_is_done_waits_once() -> None:
    line = Line()
    for command in (EndStream(2), EndStream(2), RaiseVersion(6), RaiseVersion(6), EndStream(3), NoteDeparture()) * 2:
        line.add(Waiting(Entry(command), b"-", 0.0))
    batches = [[each.entry.command for each in line.take()] for _ in range(4)]
    assert batches == [[EndStream(2)], [RaiseVersion(6)], [EndStream(3)], [NoteDeparture(), NoteDeparture()]]


def test_those_who_are_told_are_told_once_and_nobody_else() -> None:
    entries = [waiting(1, None), waiting(2), waiting(3)]
    flight = Flight(Batch("h", "a", 1, b"", 1, 0, [each.entry for each in entries]), b"", entries)
    assert [entry.user_id for entry in flight.tell(lambda since: since < 3)] == [2]
    assert flight.told == 2
    assert [entry.user_id for entry in flight.tell(lambda since: True)] == [3]
    assert flight.tell(lambda since: True) == []


def test_what_was_acknowledged_and_is_never_read_is_not_said_to_be_undone(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        # Each subscription gives one record, the one that is looked at for a check.
        peers.servers.trouble = Trouble(silent=1.0)
        a.log._incoming.read_again()
        await peers.pass_time()
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: "unknown"} and not a.said
        peers.servers.trouble = Trouble()
        await peers.pass_time(HOLD_SECONDS)
        assert a.said == [1] and not a.answered

    play(story)


def test_one_try_is_under_way_at_a_time_and_who_was_told_is_told_nothing_else(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        append, tries = a.streams.append, 0

        async def refuse_late(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            nonlocal tries
            tries += 1
            await peers.pass_time(HOLD_SECONDS + 2)
            raise NotAppended("no")

        with monkeypatch.context() as patch:
            patch.setattr(a.streams, "append", refuse_late)
            a.say(1)
            for _ in range(5):
                await peers.pass_time(0.1)
                a.log.submit(Entry(NoteDeparture(), 7))
            await peers.pass_time(HOLD_SECONDS + 3)
            assert tries == 2 and a.refused_codes() == {1: "unknown"} and len(a.refused) == 1
        a.streams.append = append  # type: ignore[method-assign]
        await peers.pass_time(20)
        assert a.said[0] == 1 and not a.answered and len(a.refused) == 1

    play(story)


def test_who_was_told_is_not_answered_by_a_batch_that_was_made_anew(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try that was refused, as the server said, is in the log after all with the number of the next batch."""

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        append = a.streams.append
        refused: list[bytes] = []

        async def lie(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            refused.append(data)
            raise NotAppended("no")

        async def forget(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            raise FateUnknown("nobody answers")

        monkeypatch.setattr(a.streams, "append", lie)
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 1)
        a.streams.append = forget  # type: ignore[method-assign]
        a.say(2)
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: False, 2: "unknown"}
        a.streams.append = append  # type: ignore[method-assign]
        peers.servers.put(1, "a", refused[0])
        await peers.pass_time(5)
        assert (a.said, a.answered) == ([1, 2], [])

    play(story)


def test_behind_the_end_of_a_stream_nobody_waits_for_the_next_try(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        await a.streams.begin(2)
        a.execution_seconds = 0.5
        history = a.executor.state.history or ""
        peers.servers.put(1, "z", encode(Batch(history, "z", 1, b"", 1, 0, [Entry(EndStream(2))])))
        await peers.pass_time(0.1)
        a.say(1)
        await peers.pass_time(0.1)
        flight = a.log._flight
        assert flight is not None and flight.acks == 1 and a.log.position.stream == 1
        await peers.pass_time(ACKED_AGAIN_SECONDS - 2)
        assert a.answered == [1]

    play(story)


def test_a_copy_of_a_batch_under_another_s_name_is_a_stray(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        append, tries = a.streams.append, 0

        async def copy_first(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            nonlocal tries
            tries += 1
            if tries == 1:
                peers.servers.put(stream, "b", data)
                raise FateUnknown("nobody answers")
            return await append(stream, node, data, unique)

        monkeypatch.setattr(a.streams, "append", copy_first)
        a.say(1)
        await peers.pass_time(3)
        assert (a.log.strays, b.log.strays, a.answered, b.said) == (1, 1, [1], [1])
        assert tries == 2 and a.executor.state.nodes == b.executor.state.nodes

    play(story)
