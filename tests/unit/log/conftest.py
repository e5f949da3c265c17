from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.log.peers import Peers, Play


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def play(story: Callable[[Peers], Awaitable[None]]) -> None:
        peers = Peers(tmp_path)

        async def main() -> None:
            try:
                await story(peers)
            finally:
                for peer in peers.all:
                    peer.close()

        peers.machine.run(main())

    return play
