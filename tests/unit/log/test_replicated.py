"""A replicated log on streams in memory: what becomes of entries, whatever the servers and the other nodes do."""

import logging

import pytest

from chat_server.errors import Refusal, StartError
from chat_server.log import replicated
from chat_server.log.codec import ENTRIES_BYTES_MAX, encode
from chat_server.log.entries import (
    Batch,
    Due,
    EndStream,
    Entry,
    NoteDeparture,
    Origin,
    UseTokens,
)
from chat_server.log.incoming import QUIET_SECONDS
from chat_server.log.outgoing import WAITING_BYTES_MAX
from chat_server.log.replicated import HOLD_SECONDS
from chat_server.log.stream import Position, StreamLost
from tests.memory_stream import Trouble
from tests.unit.log.peers import Peers, Play


def test_all_nodes_execute_what_any_of_them_says_in_one_order(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        b = await peers.start("b")
        for number in range(20):
            (a if number % 3 else b).say(number + 1)
            await peers.pass_time(0.01)
        await peers.pass_time()
        assert sorted(a.said) == list(range(1, 21)) and a.said == b.said
        assert sorted(a.answered + b.answered) == sorted(a.said), "each is answered where it was said, once"
        assert a.executor.state.nodes == b.executor.state.nodes

    play(story)


def test_two_nodes_that_begin_at_once_begin_one_chat(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a, b, c = [await peers.start(name, sets_limits=True) for name in "abc"]
        a.say(1)
        b.say(2)
        c.say(3)
        await peers.pass_time(3)
        assert sorted(a.said) == [1, 2, 3] and a.said == b.said == c.said
        assert len({peer.executor.state.history for peer in (a, b, c)}) == 1
        assert sorted(a.answered + b.answered + c.answered) == [1, 2, 3]
        assert [peer.log.strays for peer in (a, b, c)] == [0, 0, 0], "nothing of another chat is left behind"

    play(story)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(refused=0.4), Trouble(lost=0.3), Trouble(late=0.3), Trouble(forgotten=0.4), Trouble(repeated=0.5),
        Trouble(restarted=0.05), Trouble(skipped=0.1), Trouble(silent=0.05), Trouble(dropped=0.2),
    ],
    ids=str,
)  # fmt: skip
def test_what_servers_do_changes_nothing_but_how_long_it_takes(play: Play, trouble: Trouble) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        b = await peers.start("b")
        peers.servers.trouble = trouble
        for number in range(1, 31):
            (a if number % 2 else b).say(number)
            await peers.pass_time(0.3)
        peers.servers.trouble = Trouble()
        await peers.pass_time(30)
        assert not a.failure and not b.failure
        done = [number for number, refusal in a.refused + b.refused if refusal.fields.get("done") is False]
        assert sorted(a.said + done) == list(range(1, 31)), "each is executed once, or certainly not"
        assert a.said == b.said
        for each in (a, b):
            own = [number for number in a.said if number % 2 == (each is a)]
            assert own == sorted(own), "in the order in which they were said"
            assert sorted(each.answered + [number for number, _ in each.refused]) == list(
                range(1 if each is a else 2, 31, 2)
            ), "and each is answered once"

    play(story)


def test_an_election_is_waited_for(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.elect(6.0)
        a.say(1, 2)
        await peers.pass_time(0.5)
        a.say(3)
        await peers.pass_time(14)
        assert a.answered == [1, 2, 3] and not a.refused

    play(story)


def test_strays_are_passed_over_by_all_and_counted(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        history = a.executor.state.history
        assert history is not None
        said = encode(Batch(history, "b", 1, b"", 1, 0, [Entry(NoteDeparture(), 9)]))
        foreign = encode(Batch("another", "a", 9, b"", 1, 0, [Entry(NoteDeparture(), 9)]))
        for node, data in (("x", b"hello"), ("a", said), ("a", foreign)):
            peers.servers.put(1, node, data)
        a.say(1)
        await peers.pass_time()
        b = await peers.start("b")
        await peers.pass_time()
        assert a.said == b.said == [1] and a.log.strays == b.log.strays == 3
        assert not a.failure and a.executor.state.position == b.executor.state.position
        peers.servers.put(1, "x", b"the last one")
        await b.log.catch_up()
        assert b.log.position.sequence == len(peers.servers.streams[1]), "nobody waits for a stray to be executed"

    with caplog.at_level(logging.WARNING):
        play(story)
    assert "message 1/2 of the log is passed over: it was not written by chat-server (1 so far)" in caplog.text


def test_a_newer_start_of_the_same_node_ends_the_older_one(play: Play) -> None:
    async def story(peers: Peers) -> None:
        old = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        old.say(1)
        await peers.pass_time()
        new = await peers.start("a", incarnation=2, store="a2")
        new.say(2)
        await peers.pass_time()
        assert old.failure == "another process has begun as node a (start 2), so this one ends"
        assert new.said == b.said == [1, 2] and not new.failure

    play(story)


def test_of_two_processes_that_are_the_same_start_the_first_that_writes_goes_on(play: Play) -> None:
    async def story(peers: Peers) -> None:
        b = await peers.start("b", sets_limits=True)
        await peers.pass_time()
        one = await peers.start("a")
        two = await peers.start("a", store="a2")
        two.say(2)
        await peers.pass_time()
        one.say(1)
        await peers.pass_time()
        assert one.failure.startswith("another process has begun as node a") and not two.failure
        assert b.said == two.said == [2] and one.answered == []
        # What the loser has sent meanwhile is passed over by the other, which goes on.
        history = two.executor.state.history or ""
        peers.servers.put(1, "a", encode(Batch(history, *one.identity, one.nonce, 1, 0, [Entry(NoteDeparture(), 9)])))
        two.say(3)
        await peers.pass_time()
        assert not two.failure and two.answered == [2, 3] and b.said == [2, 3]

    play(story)


def test_the_log_goes_on_in_the_next_stream(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        for round in range(5):
            await a.log.begin_next_stream()
            for number in range(10):
                (a if number % 2 else b).say(round * 10 + number + 1)
                await peers.pass_time(0.01)
        await peers.pass_time(5)
        assert sorted(a.said) == list(range(1, 51)) and a.said == b.said
        assert a.log.position.stream == b.log.position.stream == 6
        assert sorted(a.answered + b.answered) == sorted(a.said)
        await b.log.delete_streams(5)
        assert sorted(peers.servers.streams) == [5, 6]
        await a.streams.begin(7)
        await b.log.delete_streams(8)
        assert sorted(peers.servers.streams) == [6, 7], "never the one that it reads, nor one made ahead"
        a.say(51)
        await peers.pass_time()
        assert b.said[-1] == 51
        a.close()
        again = await peers.start("a", incarnation=2)
        again.say(52)
        await peers.pass_time()
        assert b.said[-1] == 52

    play(story)


def test_what_lands_behind_the_end_of_a_stream_is_sent_again_in_the_next(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        await b.streams.begin(2)
        history = a.executor.state.history or ""
        end = encode(Batch(history, "z", 1, b"", 1, 0, [Entry(EndStream(2))]))
        a.say(1)
        peers.servers.put(1, "z", end)
        await peers.pass_time(3)
        assert a.answered == [1] and b.said == [1]
        *_, before, behind = peers.servers.streams[1]
        assert before.data == end and [behind.data] == [record.data for record in peers.servers.streams[2]]

    play(story)


def test_a_stream_that_was_put_back_is_not_gone_on_with(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        a.say(1)
        await peers.pass_time()
        a.close()
        history = a.executor.state.history or ""
        peers.servers.streams[1].pop()
        peers.servers.put(1, "b", encode(Batch(history, "b", 1, b"", 1, 0, [Entry(NoteDeparture(), 9)])))
        again = await peers.start("a", incarnation=2)
        await peers.pass_time(QUIET_SECONDS)
        assert "is not the one that this node has executed" in again.failure

    play(story)


def test_a_connection_that_comes_back_is_checked_too(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        a.say(1)
        await peers.pass_time()
        peers.servers.cut_off("a")
        await peers.pass_time()
        history = a.executor.state.history or ""
        peers.servers.streams[1].pop()
        peers.servers.put(1, "b", encode(Batch(history, "b", 1, b"", 1, 0, [Entry(NoteDeparture(), 9)])))
        peers.servers.join_again("a")
        await peers.pass_time(2 * QUIET_SECONDS)
        assert "is not the one that this node has executed" in a.failure

    play(story)


def test_a_node_that_is_behind_what_is_kept_says_what_to_do(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        b.close()
        for _ in range(2):
            await a.log.begin_next_stream()
            await peers.pass_time()
        await a.log.delete_streams(3)
        late = peers.make("b", 2)
        with pytest.raises(StartError, match=r"stream 1 of the log.*start it from a snapshot"):
            await late.start()
        new = peers.make("c")
        with pytest.raises(StartError, match="start it from a snapshot"):
            await new.start()

    play(story)


def test_catching_up_ends_with_what_was_there(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        for number in range(1, 6):
            a.say(number)
            await peers.pass_time(0.2)
            if number == 3:
                await a.log.begin_next_stream()
                await peers.pass_time(0.2)
            await b.log.catch_up()
            assert b.said[-1] == number
        peers.servers.cut_off("b")
        a.say(6)
        with pytest.raises(Refusal) as refused:
            await b.log.catch_up()
        assert (refused.value.code, refused.value.fields) == ("unavailable", {"done": False})

    play(story)


def test_catching_up_waits_for_what_is_not_executed_yet_through_the_next_stream(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        b.execution_seconds = 1.0
        a.say(1)
        await peers.pass_time(0.1)
        a.say(2)
        await peers.pass_time(0.1)
        await b.log.catch_up()
        assert b.said == [1, 2]
        a.say(3)
        await peers.pass_time(0.1)
        await a.log.begin_next_stream()
        await peers.pass_time(0.1)
        a.say(4)
        await peers.pass_time(0.1)
        assert (a.log.position.stream, b.log.position.stream) == (2, 1)
        await b.log.catch_up()
        assert b.said == [1, 2, 3, 4]

    play(story)


def test_catching_up_goes_on_where_a_stream_is_deleted_meanwhile(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        ask = a.streams.last

        async def last(stream: int) -> int:
            if stream > 1:
                return await ask(stream)
            await a.log.begin_next_stream()
            while a.log.position.stream == 1:
                await peers.pass_time(0.1)
            raise StreamLost("it was deleted")

        monkeypatch.setattr(a.streams, "last", last)
        await a.log.catch_up()
        assert a.log.position.stream == 2

    play(story)


def test_past_its_bound_the_log_is_full_until_something_has_gone(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.elect(3.0)
        tokens = UseTokens([bytes(32)] * 500)
        count = 0
        while not a.log.is_full:
            a.log.submit(Entry(tokens, 1))
            count += 1
        assert WAITING_BYTES_MAX <= count * 17_100 < WAITING_BYTES_MAX + 100_000
        await peers.pass_time(60)
        assert not a.log.is_full and len(a.said) == count
        sizes = [len(record.data) for record in peers.servers.streams[1]]
        assert max(sizes) <= 512 << 10 and len(sizes) < count // 20

    play(story)


def test_what_no_batch_can_hold_is_refused(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        tokens = UseTokens([bytes(32)] * (ENTRIES_BYTES_MAX // 32))
        a.log.submit(Entry(tokens, 1, Origin("a", 1, 1, 1)))
        assert a.refused == [], "nobody is answered within the call"
        a.say(2)
        await peers.pass_time()
        ((number, refusal),) = a.refused
        assert (number, refusal.code, a.said) == (1, "too_large", [2])

    play(story)


def test_what_is_due_waits_once(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.elect(3.0)
        a.say(1)
        await peers.pass_time(0.1)
        for _ in range(5):
            a.log.submit(Entry(Due()))
        a.log.submit(Entry(EndStream(1)))
        await peers.pass_time(20)
        # The limits, what was said, the Due, and the end of a stream apart.
        assert len(peers.servers.streams[1]) == 4

    play(story)


def test_a_log_that_is_closed_gives_out_what_waits(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        a.say(1)
        a.log.close()
        a.say(2)
        await a.running
        assert a.said == a.answered == [1]

    play(story)


def test_the_time_is_that_of_the_log_and_goes_on_between_batches(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(peers: Peers) -> None:
        peers.servers.clock_ms = 3_600_000
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        last = peers.servers.streams[1][-1]
        begun = a.time.now()
        assert 0 <= begun.at_ms - last.at_ms <= 1000
        await peers.pass_time(7)
        assert a.time.now() == (begun.at_ms + 7000, begun.elapsed_ms + 7000)
        peers.servers.put(1, "a", last.data)
        await peers.pass_time(1)
        assert a.time.now() == (begun.at_ms + 8000, begun.elapsed_ms + 8000), "a repetition tells no time"

    with caplog.at_level(logging.WARNING):
        play(story)
    assert "clock and that of the log's leader differ by 3600.0 s" in caplog.text


def test_positions_are_written_as_people_read_them() -> None:
    assert f"{Position(2, 17)}" == "2/17" and replicated.HOLD_SECONDS > 9


def test_a_log_of_which_nothing_is_left_is_not_begun_anew(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        a.close()
        peers.servers.streams.clear()
        with pytest.raises(StartError, match=r"stream 1 of the log.*start it from a snapshot"):
            await peers.start("a", incarnation=2)
        assert peers.servers.streams == {}

    play(story)


def test_a_log_that_is_closed_ends_once_what_waits_was_withdrawn(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.trouble = Trouble(refused=1.0)
        a.say(1)
        a.log.close()
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: False} and a.running.done()

    play(story)


def test_a_log_that_is_abandoned_sends_nothing_any_more(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.trouble = Trouble(seconds_max=3.0)
        a.say(1)
        await peers.pass_time(0.01)
        tasks = list(a.log._tasks)
        a.log.close(abandon=True)
        await peers.pass_time(0.01)
        assert len(tasks) == 3 and all(task.cancelled() for task in tasks) and a.running.done()
        await peers.pass_time(10)
        assert len(peers.servers.streams[1]) == 1

    play(story)
