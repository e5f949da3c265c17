"""A snapshot rests after each step, so that people's messages come between, and is tried again over an election."""

import pytest

from chat_server.admin.cluster import (
    AGAIN_SECONDS,
    ELECTION_SECONDS,
    REST_FACTOR,
    REST_SECONDS_MAX,
    RESTED_SECONDS_MAX,
    _patiently,
    paced,
)
from chat_server.cluster.snapshots import NotTaken, SnapshotError
from chat_server.log.stream import NotAppended
from tests.fake_runtime import FakeRuntime


def test_each_step_is_followed_by_a_rest_but_not_for_ever() -> None:
    runtime, told = FakeRuntime(), 0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal told
        told += 1

    step = paced(runtime, progress)

    def rest_after(seconds: float) -> float:
        runtime.advance(seconds * 1000)
        before = runtime.monotonic()
        step("storing", 1, 2)
        return round(runtime.monotonic() - before, 6)

    assert rest_after(0.01) == rest_after(0.01) == 0.01 * REST_FACTOR
    assert rest_after(10) == REST_SECONDS_MAX
    assert rest_after(RESTED_SECONDS_MAX) == 0, "what was erased has to go in time"
    assert told == 4


@pytest.mark.parametrize("error", [NotAppended("no quorum"), NotTaken("no quorum")])
def test_what_an_election_prevents_is_tried_again_for_a_while(error: Exception) -> None:
    runtime, tries = FakeRuntime(), 0

    async def make() -> str:
        nonlocal tries
        tries += 1
        if runtime.monotonic() - begun < 9.0:
            raise error
        return "made"

    begun = runtime.monotonic()
    assert runtime.run(_patiently(runtime, make)) == "made" and tries == 10
    begun = float("inf")
    with pytest.raises(type(error)):
        runtime.run(_patiently(runtime, make))
    assert tries == 10 + ELECTION_SECONDS / AGAIN_SECONDS + 2


def test_what_an_election_does_not_prevent_fails_at_once() -> None:
    runtime, tries = FakeRuntime(), 0

    async def make() -> None:
        nonlocal tries
        tries += 1
        raise SnapshotError("the database is damaged")

    with pytest.raises(SnapshotError):
        runtime.run(_patiently(runtime, make))
    assert tries == 1
