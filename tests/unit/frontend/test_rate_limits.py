from chat_server.frontend.rate_limits import KEPT_MAX, USER_FACTOR, Allowance, Allowances
from chat_server.setting_kinds import Rate


def test_a_burst_goes_at_once_and_then_one_after_the_other() -> None:
    bucket = Allowance(10.0, 3.0, now=5.0)
    waits = [round(bucket.reserve(5.0), 6) for _ in range(6)]
    assert waits == [0, 0, 0, 0.1, 0.2, 0.3], "each reservation has its own place in line"
    assert round(bucket.reserve(5.25), 6) == 0.15


def test_it_fills_up_to_the_burst_and_no_further() -> None:
    bucket = Allowance(10.0, 2.0, now=0.0)
    for _ in range(2):
        bucket.reserve(0.0)
    assert not bucket.is_full(0.1)
    assert bucket.is_full(1000.0)
    assert [bucket.reserve(1000.0) > 0 for _ in range(3)] == [False, False, True]


def test_what_is_given_back_is_there_for_the_next() -> None:
    bucket = Allowance(10.0, 1.0, now=0.0)
    bucket.reserve(0.0)
    bucket.give_back()
    assert bucket.reserve(0.0) == 0
    bucket.give_back(0.5)
    assert round(bucket.reserve(0.0), 6) == 0.05
    for _ in range(9):
        bucket.give_back()
    assert [bucket.reserve(0.0) > 0 for _ in range(2)] == [False, True], "never more than the burst"


def test_a_shared_bucket_is_larger_and_outlives_its_connections() -> None:
    allowances = Allowances(Rate(10, 1000), 5)
    (bucket,) = allowances.of_user(1, 0.0)
    assert [bucket.reserve(0.0) > 0 for _ in range(5 * USER_FACTOR + 1)] == [False] * 5 * USER_FACTOR + [True]
    assert allowances.of_user(1, 0.0) == [bucket] != allowances.of_user(2, 0.0)
    assert allowances.of_network("1", 0.0) != [bucket], "an address is no user"


def test_only_those_that_are_full_are_forgotten() -> None:
    allowances = Allowances(Rate(10, 1000), 5)
    (used,) = allowances.of_user(0, 0.0)
    for _ in range(20):
        used.reserve(0.0)
    (full,) = allowances.of_user(1, 0.0)
    for user_id in range(2, KEPT_MAX + 1):
        allowances.of_user(user_id, 0.0)
    assert allowances.of_user(0, 0.0) == [used]
    assert allowances.of_user(1, 0.0) != [full]


def test_without_a_rate_there_is_nothing_to_wait_for() -> None:
    allowances = Allowances(None, 5)
    assert allowances.of_connection(0.0) == allowances.of_user(1, 0.0) == allowances.of_network("x", 0.0) == []
