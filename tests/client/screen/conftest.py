from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(
        tmp_path / "data", "--command-rate", "10000/1s", "--command-burst", "10000", "--main-rate-limit", "off"
    )
    server.start()
    yield server
    server.close()
