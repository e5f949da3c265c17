"""A snapshot rests after each step, so that people's messages come between."""

from chat_server.admin.cluster import REST_FACTOR, REST_SECONDS_MAX, RESTED_SECONDS_MAX, paced
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
