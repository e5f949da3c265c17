"""When the log goes on in another stream."""

from typing import cast

import pytest

from chat_server.cluster import chain as chains
from chat_server.cluster.chain import Chain
from chat_server.errors import StartError
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import NotAppended, Position
from chat_server.rules.executor import Executed
from tests.fake_runtime import FakeRuntime


class FakeLog:
    def __init__(self) -> None:
        self.position = Position(1, 0)
        self.is_closed = False
        self.begun = 0
        self.trouble: Exception | None = None

    async def begin_next_stream(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.begun += 1


class Stage:
    def __init__(self, rank: int = 0) -> None:
        self.machine = FakeRuntime()
        self.log = FakeLog()
        self.chain = Chain(self.machine, cast(ReplicatedLog, self.log), lambda: rank)

    def execute(self, stream: int, sequence: int = 1, *, has_erased: bool = False) -> None:
        self.log.position = Position(stream, sequence)
        self.chain.follow(Executed([], 0, None, None, position=self.log.position, has_erased=has_erased))

    async def wait(self, seconds: float) -> int:
        """How many streams were begun in this time."""
        before = self.log.begun
        await self.machine.sleep(seconds)
        return self.log.begun - before


def test_a_stream_ends_within_ten_minutes_after_something_was_erased_and_not_before() -> None:
    stage = Stage()

    async def story() -> None:
        stage.chain.start()
        assert await stage.wait(600) > 0, "what was erased before the start is not known"
        stage.execute(2)
        assert await stage.wait(3600) == 0, "nothing was erased"
        stage.execute(2, has_erased=True)
        assert await stage.wait(10) > 0, "it is old enough"
        stage.execute(3)
        stage.execute(3, has_erased=True)
        stage.execute(3)
        assert await stage.wait(chains.ERASED_SECONDS - 10) == 0, "many erasures together cost one stream"
        assert await stage.wait(20) > 0
        stage.log.is_closed = True
        assert await stage.wait(3600) == 0

    stage.machine.run(story())


def test_a_stream_ends_when_it_has_become_large() -> None:
    stage = Stage()

    async def story() -> None:
        stage.execute(2)
        stage.chain.start()
        stage.execute(2, chains.STREAM_MESSAGES_MAX - 1)
        assert await stage.wait(100) == 0
        stage.execute(2, chains.STREAM_MESSAGES_MAX)
        assert await stage.wait(10) > 0

    stage.machine.run(story())


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (NotAppended("nobody answers"), "the stream after 1 cannot be made yet: nobody answers"),
        (
            StartError("it has another configuration"),
            "the stream after 1 cannot be made: it has another configuration",
        ),
        (AssertionError("a mistake"), "this is a bug"),
    ],
)
def test_one_that_cannot_be_made_is_tried_again(
    caplog: pytest.LogCaptureFixture, trouble: Exception, told: str
) -> None:
    stage = Stage()

    async def story() -> None:
        stage.chain.start()
        stage.log.trouble = trouble
        await stage.wait(chains.ERASED_SECONDS + 20)
        stage.log.trouble = None
        assert await stage.wait(70) > 0

    stage.machine.run(story())
    assert told in caplog.text


def test_the_node_before_in_rank_ends_it_first() -> None:
    first, third = Stage(0), Stage(2)

    async def story(stage: Stage, seconds: float) -> None:
        stage.chain.start()
        assert await stage.wait(chains.ERASED_SECONDS + seconds) == 0
        assert await stage.wait(10) > 0

    first.machine.run(story(first, -1))
    third.machine.run(story(third, 2 * chains.RANK_SECONDS - 1))
