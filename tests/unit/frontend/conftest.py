import pytest

from tests.unit.frontend.bench import Bench


@pytest.fixture
def bench() -> Bench:
    """A user is signed in."""
    bench = Bench()
    bench.sign_in()
    return bench
