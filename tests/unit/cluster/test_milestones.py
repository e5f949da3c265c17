"""Milestones: the same for all nodes, and the odd one of them is found."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_server.cluster.milestones import (
    APART_MS,
    Milestone,
    Milestones,
    StateComparison,
    are_different,
    count_odd,
    odd_ones_out,
)
from chat_server.log.stream import Position
from tests.unit.cluster.nodes import Cluster, play

A, B, C = b"a", b"b", b"c"


def at(sequence: int, digest: bytes) -> Milestone:
    return Milestone(Position(1, sequence), digest)


def test_the_odd_one_of_three_is_named() -> None:
    said = {"n1": at(5, A), "n2": at(5, B), "n3": at(5, A)}
    assert odd_ones_out(said) == ["n2"] and are_different(said)
    assert odd_ones_out({**said, "n2": at(5, A)}) == [] and not are_different({**said, "n2": at(5, A)})


@pytest.mark.parametrize(("digests", "count"), [("aaa", 0), ("aab", 1), ("ab", 2), ("abc", 3), ("a", 0), ("", 0)])
def test_odd_nodes_are_counted(digests: str, count: int) -> None:
    said = {str(number): Milestone(Position(1, 5), digest.encode()) for number, digest in enumerate(digests)}
    assert count_odd(said) == count


def test_nobody_is_named_without_a_majority() -> None:
    for said in (
        {},
        {"n1": at(5, A)},
        {"n1": at(5, A), "n2": at(5, B)},
        {"n1": at(5, A), "n2": at(5, B), "n3": at(5, C)},
        {"n1": at(5, A), "n2": at(5, A), "n3": at(5, B), "n4": at(5, B)},
    ):
        assert odd_ones_out(said) == []


def test_a_node_that_is_at_another_batch_is_not_odd() -> None:
    said = {"n1": at(5, A), "n2": at(4, B), "n3": at(5, A), "n4": at(5, A)}
    assert odd_ones_out(said) == [] and not are_different(said)


@given(digests=st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=7))
def test_those_who_are_named_are_always_a_minority(digests: list[bytes]) -> None:
    said = {f"n{number}": at(5, digest) for number, digest in enumerate(digests)}
    named = odd_ones_out(said)
    assert len(named) * 2 < len(said)
    left = {each for node, each in said.items() if node not in named}
    assert not named or len(left) == 1


@example(seed=0, steps=[APART_MS, -1000, 2000], starts=2)
@given(seed=st.integers(), steps=st.lists(st.integers(-3000, 7000), max_size=50), starts=st.integers(0, 20))
def test_a_node_that_starts_later_has_the_same_milestones(seed: int, steps: list[int], starts: int) -> None:
    """The log's clock may go back."""
    generator, times = random.Random(seed), [1_000_000]
    for step in steps:
        times.append(times[-1] + step)
    batches = [(Position(1, number), time, generator.randbytes(4)) for number, time in enumerate(times)]
    one, other = Milestones(0), Milestones(times[min(starts, len(times) - 1)])
    for number, batch in enumerate(batches):
        one.note_batch(*batch)
        if number > starts:
            other.note_batch(*batch)
        assert other.last in (None, one.last)


def test_a_start_is_no_milestone() -> None:
    milestones = Milestones(100 * APART_MS)
    milestones.note_batch(Position(1, 7), 100 * APART_MS + 1, A)
    assert milestones.last is None


def test_a_milestone_is_the_first_batch_of_ten_seconds() -> None:
    milestones = Milestones(0)
    for sequence, at_ms in enumerate([1, APART_MS - 1, APART_MS, APART_MS + 1, 3 * APART_MS], 1):
        milestones.note_batch(Position(1, sequence), at_ms, bytes([sequence]))
        expected = {1: None, 2: None, 3: 3, 4: 3, 5: 5}[sequence]
        assert milestones.last == (None if expected is None else at(expected, bytes([expected])))


def test_who_is_odd_stops_with_a_word_and_others_are_warned(caplog: pytest.LogCaptureFixture) -> None:
    stopped: list[str] = []
    odd, other, lost = (StateComparison(node, stopped.append) for node in ("n2", "n1", "n4"))
    said = {"n1": at(5, A), "n2": at(5, B), "n3": at(5, A)}
    odd.compare({**said, "n2": at(4, B)})
    assert stopped == [] and not caplog.records, "it may lag behind"
    odd.compare(said)
    assert len(stopped) == 1 and "differed from that of the others since batch 1/5" in stopped[0]
    for _ in range(3):
        other.compare(said)
        lost.compare(said)
    assert len(stopped) == 1
    assert [record.message[:85] for record in caplog.records] == [
        "nodes of the cluster have come to different states, node n2 differs from most; chat-s"
    ] * 2


def test_a_node_that_came_to_another_state_stops_and_the_others_go_on(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b, c = await cluster.start("a", "b", "c")
        alice = await a.connect("alice")
        await cluster.pass_time(30)
        assert not any(place.node.failure for place in (a, b, c))
        b.may_fail = True
        b.node._writer.state.outcomes = bytes(len(b.node._writer.state.outcomes))
        for _ in range(30):
            await alice.say("/send_all hi")
            await cluster.pass_time(1)
        assert (a.node.failure, c.node.failure) == (None, None) and "of this node has differed" in (
            b.node.failure or ""
        )

    play(tmp_path, story)
