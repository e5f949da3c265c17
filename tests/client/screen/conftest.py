from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.ports import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """It comes back on the same port."""
    options = ("--command-rate", "10000/1s", "--command-burst", "10000", "--main-rate-limit", "off")
    server = Server(tmp_path / "data", *options, "--port", str(free_port()))
    server.start()
    yield server
    server.close()
