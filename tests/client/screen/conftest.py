from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.screen.tmux import Tmux
from tests.harness import Server


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(
        tmp_path / "data", "--command-rate", "10000/1s", "--command-burst", "10000", "--main-rate-limit", "off"
    )
    server.start()
    yield server
    server.close()
