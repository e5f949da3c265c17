"""Milestones: the same for all nodes, and the odd one of them is found."""

import random

from hypothesis import given
from hypothesis import strategies as st

from chat_server.cluster.milestones import APART_MS, Milestone, Milestones, are_different, odd_ones_out
from chat_server.log.stream import Position

A, B, C = b"a", b"b", b"c"


def at(sequence: int, digest: bytes) -> Milestone:
    return Milestone(Position(1, sequence), digest)


def test_the_odd_one_of_three_is_named() -> None:
    said = {"n1": at(5, A), "n2": at(5, B), "n3": at(5, A)}
    assert odd_ones_out(said) == ["n2"] and are_different(said)
    assert odd_ones_out({**said, "n2": at(5, A)}) == [] and not are_different({**said, "n2": at(5, A)})


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
    said = {"n1": at(5, A), "n2": at(4, B), "n3": at(5, A), "n4": at(6, C)}
    assert odd_ones_out(said) == [] and not are_different(said)


@given(digests=st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=7))
def test_those_who_are_named_are_always_a_minority(digests: list[bytes]) -> None:
    said = {f"n{number}": at(5, digest) for number, digest in enumerate(digests)}
    named = odd_ones_out(said)
    assert len(named) * 2 < len(said)
    left = {each for node, each in said.items() if node not in named}
    assert not named or len(left) == 1


@given(seed=st.integers(), steps=st.lists(st.integers(-3000, 7000), max_size=50), starts=st.integers(0, 20))
def test_a_node_that_starts_later_has_the_same_milestones(seed: int, steps: list[int], starts: int) -> None:
    """The log's clock may go back."""
    generator, times = random.Random(seed), [1_000_000]
    for step in steps:
        times.append(times[-1] + step)
    batches = [(Position(1, number), time, generator.randbytes(4)) for number, time in enumerate(times)]
    one, other = Milestones(0), Milestones(times[min(starts, len(times) - 1)])
    for number, batch in enumerate(batches):
        one.passed(*batch)
        if number > starts:
            other.passed(*batch)
        assert other.last in (None, one.last)


def test_a_milestone_is_the_first_batch_of_ten_seconds() -> None:
    milestones = Milestones(0)
    for sequence, at_ms in enumerate([1, APART_MS - 1, APART_MS, APART_MS + 1, 3 * APART_MS], 1):
        milestones.passed(Position(1, sequence), at_ms, bytes([sequence]))
        expected = {1: None, 2: None, 3: 3, 4: 3, 5: 5}[sequence]
        assert milestones.last == (None if expected is None else at(expected, bytes([expected])))
