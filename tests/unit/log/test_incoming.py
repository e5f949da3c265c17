"""The reading of a replicated log where its subscriptions leave something out, or the stream itself does."""

import pytest

from chat_server.log import incoming
from chat_server.log.incoming import GAP_SECONDS, GAP_TRIES_MAX, QUIET_SECONDS
from chat_server.log.stream import Position, StreamLost
from tests.unit.log.peers import Peers, Play


def test_gaps_of_subscriptions_are_read_again_however_many_there_are(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "GAP_TRIES_MAX", 2)

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        for number in range(1, 9, 2):
            (records,) = (each for each in peers.servers._readers if each._node == "b")
            records._given += 1
            a.say(number)
            await peers.pass_time(0.1)
            a.say(number + 1)
            await peers.pass_time(2 * GAP_SECONDS)
        assert b.said == a.said == [1, 2, 3, 4, 5, 6, 7, 8] and not b.failure

    play(story)


def test_a_gap_of_the_stream_itself_ends_the_node(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        peers.servers.cut_off("b")
        for number in (1, 2, 3):
            a.say(number)
            await peers.pass_time(0.5)
        del peers.servers.streams[1][-2]
        peers.servers.join_again("b")
        await peers.pass_time((GAP_TRIES_MAX + 2) * (GAP_SECONDS + 1))
        assert b.said == [1]
        assert "1/2 is followed by 1/4" in b.failure and "start this node from a snapshot" in b.failure

    play(story)


def test_a_stream_that_is_gone_is_noticed_where_its_subscription_says_nothing(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()

        async def last(stream: int) -> int:
            raise StreamLost("the stream is not there")

        monkeypatch.setattr(a.streams, "last", last)
        await peers.pass_time(QUIET_SECONDS + 1)
        assert "the stream is not there" in a.failure

    play(story)


def test_what_a_subscription_gives_again_is_not_given_out_again(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        executed: list[Position] = []
        a.log._on_executed = lambda position, now: executed.append(position)
        for number in range(1, 6):
            a.say(number)
            await peers.pass_time(0.5)
            (records,) = peers.servers._readers
            records._given = 0
        assert a.said == [1, 2, 3, 4, 5] and executed == sorted(set(executed))

    play(story)


def test_a_subscription_that_is_given_up_leaves_no_task_behind(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        waiting = a.log._incoming._next
        assert waiting is not None
        a.log._incoming.read_again()
        await peers.pass_time()
        assert waiting.cancelled()
        a.say(1)
        await peers.pass_time()
        assert a.said == [1]

    play(story)


def test_what_comes_while_the_stream_is_asked_for_more_is_nothing_to_warn_of(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        ask = a.streams.last

        async def last(stream: int) -> int:
            a.say(1)
            await peers.pass_time()
            return await ask(stream)

        monkeypatch.setattr(a.streams, "last", last)
        await peers.pass_time(QUIET_SECONDS + 3)
        assert a.said and len(set(a.said)) == 1

    play(story)
    assert "nothing has come" not in caplog.text
