from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.frontend.intake import STRANGER_LINE_BYTES_MAX, WAITING_BYTES_MAX, Intake
from chat_server.frontend.rate_limits import Allowances, CommandRate
from chat_server.setting_kinds import Rate

LINE_BYTES_MAX = 20_000


def make(rate: Rate | None = None, burst: int = 1) -> Intake:
    return Intake(LINE_BYTES_MAX, CommandRate(Allowances(rate, burst), None, 0.0))


def test_lines_are_taken_in_their_order() -> None:
    intake = make()
    assert not intake.feed(b"a", stranger=False) and not intake.has_line()
    assert intake.feed(b"b\r\nc\n\nd", stranger=False) and intake.has_line()
    assert [intake.take(1, 0.0) for _ in range(3)] == [b"ab", b"c", None]


@given(cuts=st.lists(st.integers(0, 40), max_size=8))
def test_they_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    data, intake = b"one\ntwo \xc3\xb6\r\n\r\n\nthree\nfour", make()
    places = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    for start, end in pairwise(places):
        intake.feed(data[start:end], stranger=False)
    assert [intake.take(1, 0.0) for _ in range(4)] == [b"one", b"two \xc3\xb6", b"three", None]


def test_a_line_has_the_limit_of_whoever_says_it() -> None:
    for user_id, limit in (0, STRANGER_LINE_BYTES_MAX), (1, LINE_BYTES_MAX):
        intake = make()
        intake.feed(b"x" * (limit - 1) + b"\n" + b"x" * limit + b"\nnext\n", stranger=False)
        assert intake.take(user_id, 0.0) == b"x" * (limit - 1)
        with pytest.raises(Refusal, match=f"{limit} bytes"):
            intake.take(user_id, 0.0)
        assert intake.take(user_id, 0.0) == b"next"


def test_of_a_strangers_line_no_more_is_kept_than_it_may_have() -> None:
    intake = make()
    intake.feed(b"x" * LINE_BYTES_MAX, stranger=True)
    assert intake.lines.pending_bytes == STRANGER_LINE_BYTES_MAX


def test_a_line_over_the_rate_waits_for_its_turn_alone() -> None:
    intake = make(Rate(10, 1000), 2)
    intake.feed(b"a\nb\nc\nd\n", stranger=False)
    assert [intake.take(1, 5.0) for _ in range(3)] == [b"a", b"b", None]
    assert intake.turn_at == pytest.approx(5.1)
    assert intake.take(1, 5.05) is None and intake.turn_at == pytest.approx(5.1), "no turn is taken twice"
    assert intake.take(1, 5.11) == b"c" and intake.turn_at is None
    assert intake.take(1, 5.11) is None and intake.turn_at == pytest.approx(5.2)


def test_no_turn_is_asked_for_without_a_line() -> None:
    intake = make(Rate(10, 1000), 1)
    assert [intake.take(1, 0.0) for _ in range(5)] == [None] * 5 and intake.turn_at is None
    intake.feed(b"a\n", stranger=False)
    assert intake.take(1, 0.0) == b"a"


def test_a_turn_that_nobody_needs_is_given_back() -> None:
    intake = make(Rate(10, 1000), 1)
    intake.feed(b"a\nb\n", stranger=False)
    intake.take(1, 0.0)
    intake.take(1, 0.0)
    intake.close(1, 0.0)
    assert intake.turn_at is None
    intake.take(1, 0.0)
    assert intake.turn_at == pytest.approx(0.1), "as if none had been asked for before"


def test_what_cost_more_is_waited_for_longer() -> None:
    intake = make(Rate(10, 1000), 1)
    intake.charge(1, 2.0, 0.0)
    intake.feed(b"a\n", stranger=False)
    assert intake.take(1, 0.0) is None and intake.turn_at == pytest.approx(0.2)


def test_enough_waits_behind_a_line_not_in_one() -> None:
    intake = make()
    intake.feed(b"x" * (LINE_BYTES_MAX - 1), stranger=False)
    assert not intake.is_full(stranger=False, busy=True), "an unfinished line has its own bound"
    intake.feed(b"\n" + (b"y" * 999 + b"\n") * 600, stranger=False)
    assert intake.is_full(stranger=False, busy=False)
    while intake.is_full(stranger=False, busy=False):
        assert intake.take(1, 0.0)
    assert intake.lines.pending_bytes < WAITING_BYTES_MAX


def test_behind_a_sign_in_an_unfinished_line_is_enough() -> None:
    intake = make()
    intake.feed(b"x" * STRANGER_LINE_BYTES_MAX, stranger=False)
    assert intake.is_full(stranger=True, busy=True)
    assert not intake.is_full(stranger=True, busy=False)
    assert not intake.is_full(stranger=False, busy=True)
