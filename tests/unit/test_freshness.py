"""Freshness: who waits for the end of the log, and who looks again."""

import asyncio

import pytest

from chat_server.errors import Refusal
from chat_server.freshness import Freshness
from tests.fake_runtime import FakeRuntime


class Log:
    """Catching up takes a second. What is in the log when it begins is executed then."""

    def __init__(self, *, is_alone: bool = False) -> None:
        self.runtime = FakeRuntime()
        self.in_log = self.executed = self.catch_ups = 0
        self.is_away = False
        self.freshness = Freshness(self.runtime, self.catch_up, lambda: self.executed, is_alone=is_alone)

    async def catch_up(self) -> None:
        self.catch_ups += 1
        end = self.in_log
        await self.runtime.sleep(1)
        if self.is_away:
            raise Refusal("unavailable", "")
        self.executed = max(self.executed, end)


def test_a_lone_node_is_fresh_and_asks_nobody() -> None:
    log = Log(is_alone=True)

    async def ask() -> None:
        since = log.freshness.mark()
        log.executed += 1
        assert not await log.freshness.has_changed(since)

    log.runtime.run(ask())
    assert log.catch_ups == 0 and log.runtime.monotonic() == 0


def test_what_was_executed_since_the_mark_may_have_changed_something() -> None:
    log = Log()

    async def ask() -> None:
        assert not await log.freshness.has_changed(log.freshness.mark())
        since = log.freshness.mark()
        log.in_log = 1
        assert await log.freshness.has_changed(since), "by catching up"
        since = log.freshness.mark()
        log.executed += 1
        assert await log.freshness.has_changed(since), "before it"

    log.runtime.run(ask())


def test_who_asks_while_one_is_under_way_shares_the_next_one() -> None:
    log = Log()

    async def ask() -> None:
        since = log.freshness.mark()
        first = log.runtime.spawn(log.freshness.has_changed(since))
        await log.runtime.sleep(0.5)
        # Another node shows something now: the catch-up that is under way may have begun too early for it.
        log.in_log = 1
        later = [log.runtime.spawn(log.freshness.has_changed(since)) for _ in range(300)]
        assert not await first
        assert await asyncio.gather(*later) == [True] * 300

    log.runtime.run(ask())
    assert (log.catch_ups, log.runtime.monotonic()) == (2, 2)


def test_who_leaves_takes_nothing_from_the_others() -> None:
    log = Log()

    async def ask() -> None:
        leaving, staying = (log.runtime.spawn(log.freshness.has_changed(0)) for _ in range(2))
        await log.runtime.sleep(0.5)
        log.executed = 1
        leaving.cancel()
        assert await staying

    log.runtime.run(ask())
    assert log.catch_ups == 1


def test_a_log_that_is_away_refuses_all_who_wait_for_it_and_no_others() -> None:
    log = Log()
    log.is_away = True

    async def ask() -> None:
        asked = [log.runtime.spawn(log.freshness.has_changed(0)) for _ in range(2)]
        for each in asked:
            with pytest.raises(Refusal):
                await each
        log.is_away = False
        assert not await log.freshness.has_changed(0)

    log.runtime.run(ask())
