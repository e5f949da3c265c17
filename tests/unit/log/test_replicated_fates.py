"""What a replicated log says of entries whose fate it does not know, and of those that were certainly not appended."""

from collections.abc import Coroutine
from typing import Any

import pytest

from chat_server.log.entries import (
    Entry,
    NoteDeparture,
)
from chat_server.log.replicated import ACKED_AGAIN_SECONDS, HOLD_SECONDS, HOLD_UNCONNECTED_SECONDS
from chat_server.log.stream import FateUnknown, NotAppended
from tests.memory_stream import Trouble
from tests.unit.log.peers import Peers, Play


def test_without_a_quorum_what_was_not_sent_is_withdrawn_and_what_was_is_not_known(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        peers.servers.trouble = Trouble(lost=1.0)
        a.say(1)
        await peers.pass_time(0.5)
        a.say(2, 3)
        await peers.pass_time(HOLD_SECONDS - 2)
        assert not a.refused
        await peers.pass_time(3)
        assert a.refused_codes() == {1: "unknown", 2: False, 3: False}
        assert "cannot reach the others" in a.refused[1][1].text
        assert "look with /history, or send it again with the same key" in a.refused[0][1].text
        peers.servers.trouble = Trouble()
        a.say(4)
        await peers.pass_time(12)
        assert b.said == a.said == [1, 4], "the number is sent until it is there"
        assert a.answered == [4], "and whoever was answered is not answered again"

    play(story)


def test_what_takes_long_to_be_executed_is_answered_before_what_was_said_later(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        a.execution_seconds = HOLD_SECONDS + 5
        a.say(1, 2)
        await peers.pass_time(1)
        a.say(3)
        await peers.pass_time(HOLD_SECONDS - 0.5)
        assert list(a.refused_codes().items()) == [(1, "unknown"), (2, "unknown")]
        await peers.pass_time(1)
        assert list(a.refused_codes().items()) == [(1, "unknown"), (2, "unknown"), (3, False)]
        assert "held up by its own disk" in a.refused[2][1].text
        a.execution_seconds = 0.001
        await peers.pass_time(10)
        a.say(4)
        await peers.pass_time(1)
        assert (a.said, a.answered) == ([1, 2, 4], [4])

    play(story)


def test_without_a_connection_nobody_waits_long(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.cut_off("a")
        await peers.pass_time(20)
        a.say(1)
        a.log.submit(Entry(NoteDeparture(), 2))
        await peers.pass_time(HOLD_UNCONNECTED_SECONDS - 0.5)
        assert not a.refused
        await peers.pass_time(1)
        assert a.refused_codes() == {1: False}
        peers.servers.join_again("a")
        await peers.pass_time(8)
        assert a.said == [2], "what nobody waits for goes on waiting"

    play(story)


def test_a_connection_that_was_lost_shortens_no_wait_before_it_or_after_it(play: Play) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        peers.servers.trouble = Trouble(refused=1.0)
        a.say(1)
        await peers.pass_time(HOLD_UNCONNECTED_SECONDS + 1)
        peers.servers.cut_off("a")
        await peers.pass_time(HOLD_UNCONNECTED_SECONDS - 1)
        assert not a.refused, "it may come back at once"
        await peers.pass_time(1.5)
        assert a.refused_codes() == {1: False}
        peers.servers.join_again("a")
        await peers.pass_time(1)
        a.say(2)
        await peers.pass_time(HOLD_SECONDS - 1)
        assert 2 not in a.refused_codes(), "this is an election again"
        await peers.pass_time(2)
        assert a.refused_codes()[2] is False

    play(story)


def test_a_lie_of_the_server_about_what_it_did_not_take_loses_nothing(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken, and this number is used up: what is sent with it next has to get another."""

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        b = await peers.start("b")
        await peers.pass_time()
        append = a.streams.append

        async def lie(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            peers.machine.call_later(13, peers.servers.put, stream, node, data)
            raise NotAppended("no")

        with monkeypatch.context() as patch:
            patch.setattr(a.streams, "append", lie)
            a.say(1)
            await peers.pass_time(HOLD_SECONDS + 0.5)
            assert a.refused_codes() == {1: False}
        a.streams.append = append  # type: ignore[method-assign]
        peers.servers.elect(1.0)
        a.say(2)
        await peers.pass_time(30)
        assert set(a.said) == {1, 2} and len(a.said) == 2 and b.said == a.said
        assert a.answered == [2]

    play(story)


def test_what_may_be_there_once_is_never_said_to_be_undone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try was taken, and its ack lost. All others are refused at once."""

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        tries: list[int] = []

        async def append(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            tries.append(stream)
            if len(tries) == 1:
                peers.machine.call_later(20, peers.servers.put, stream, node, data)
                raise FateUnknown("the ack is lost")
            raise NotAppended("no")

        monkeypatch.setattr(a.streams, "append", append)
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: "unknown"} and len(tries) > 10
        await peers.pass_time(10)
        assert a.said == [1] and a.answered == [] and len(a.refused) == 1

    play(story)


def test_what_is_on_its_way_is_not_known_either(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()

        async def append(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            await peers.pass_time(20)
            return peers.servers.put(stream, node, data)

        monkeypatch.setattr(a.streams, "append", append)
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: "unknown"}
        await peers.pass_time(10)
        assert a.said == [1] and a.answered == []

    play(story)


def test_a_try_that_begins_at_the_end_of_the_wait_is_on_its_way(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries are refused at once, and the one that begins in the moment of the withdrawal is taken."""

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        withdrawn_at: list[float] = []

        async def append(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            if withdrawn_at:
                return peers.servers.put(stream, node, data)
            raise NotAppended("no")

        spawn = a.log._spawn

        def spawn_late(work: Coroutine[Any, Any, None]) -> None:
            """Have the time be up before the try has begun to run."""
            spawn(work)
            if peers.machine.monotonic() - said_at > HOLD_SECONDS - 0.3:
                withdrawn_at.append(peers.machine.monotonic())
                a.log._withdraw_late(said_at + HOLD_SECONDS)

        monkeypatch.setattr(a.streams, "append", append)
        monkeypatch.setattr(a.log, "_spawn", spawn_late)
        said_at = peers.machine.monotonic()
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 5)
        assert withdrawn_at and a.said == [1] and a.refused_codes() == {1: "unknown"}

    play(story)


def test_what_was_acknowledged_is_not_sent_again_for_a_while_and_counts_as_waiting(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        assert (a.log.waiting_bytes, a.log.waiting_seconds) == (0, 0)
        tried_at: list[float] = []

        async def lose(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            tried_at.append(peers.machine.monotonic())
            return 2

        monkeypatch.setattr(a.streams, "append", lose)
        a.say(1)
        await peers.pass_time(ACKED_AGAIN_SECONDS - 1)
        assert len(tried_at) == 1
        assert a.log.waiting_bytes > 0 and 3.9 < a.log.waiting_seconds < 4.1
        await peers.pass_time(2)
        assert len(tried_at) == 2

    play(story)


def test_what_is_being_executed_is_not_said_to_be_undone_whatever_the_server_said(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()
        a.execution_seconds = HOLD_SECONDS + 5

        async def lie(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            peers.servers.put(stream, node, data)
            raise NotAppended("no")

        monkeypatch.setattr(a.streams, "append", lie)
        a.say(1)
        await peers.pass_time(HOLD_SECONDS + 1)
        assert a.refused_codes() == {1: "unknown"}
        await peers.pass_time(10)
        assert (a.said, a.answered) == ([1], [])

    play(story)


@pytest.mark.parametrize("part", ["_make_flight", "_withdraw_late"])
def test_a_mistake_in_the_sending_ends_the_node(play: Play, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A node that can write nothing more would go on, and refuse all that people say."""

    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()

        def fail(*arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(a.log, part, fail)
        a.say(1)
        await peers.pass_time()
        assert a.running.done() and isinstance(a.running.exception(), ZeroDivisionError)

    play(story)


def test_a_mistake_in_one_try_is_logged_and_the_batch_may_be_there(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(peers: Peers) -> None:
        a = await peers.start("a", sets_limits=True)
        await peers.pass_time()

        async def fail(stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(a.streams, "append", fail)
            a.say(1)
            await peers.pass_time(HOLD_SECONDS + 1)
            assert a.refused_codes() == {1: "unknown"} and "a bug in the sending" in caplog.text
        await peers.pass_time(ACKED_AGAIN_SECONDS + 1)
        assert a.said == [1] and a.answered == []

    play(story)
