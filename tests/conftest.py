"""What holds for all tests: the profile of hypothesis, the garbage that nobody looks for, signals and terminal.

`unit` tries the same few examples every time, so that a run that was green is green again. `thorough` (`make test-all`)
and `deep` look further, at random. `make test-all` alone also runs what is marked as thorough: what is slow, and
variations of a test of which `make test` runs one.
"""

import gc
import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)

settings.register_profile(
    "unit", deadline=None, max_examples=15, derandomize=True, database=None, suppress_health_check=_CHECKS
)
settings.register_profile("thorough", deadline=None, max_examples=200, database=None, suppress_health_check=_CHECKS)
settings.register_profile("deep", deadline=None, max_examples=2000, database=None, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Six thousand tests stay until the end: to look for garbage among them takes a sixth of the time."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("TESTS") != "all":
        items[:] = [item for item in items if item.get_closest_marker("thorough") is None]


# Under nohup, or in the background of a script, the tests ignore these, and what they start would do so too: no program
# is handed a handler.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda number, frame: None)

# In a dumb terminal, like that of cron, prompt_toolkit asks in another way.
os.environ["TERM"] = "xterm-256color"
