"""Files over a slow link: a proxy passes so many bytes a second, and counts them.

What one's own message waits for is counted in bytes, not in seconds, so that a busy machine changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from chat_client.connection import connect
from chat_client.files import CHUNK_BYTES, Progress
from chat_client.pace import BYTES_MIN
from tests.client.conftest import Home

BYTES_A_SECOND = 40_000
SLICE_SECONDS = 0.02
# Of the wire: what goes in half a second, and what the proxy has read of what follows.
HELD_UP_BYTES_MAX = BYTES_A_SECOND * 0.6


class SlowLink:
    """Both directions have the rate; `passed` counts each."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.passed = {"up": 0, "down": 0}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass("up", reader, far_writer), self._pass("down", far_reader, writer))

    async def _pass(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(int(BYTES_A_SECOND * SLICE_SECONDS)):
            await asyncio.sleep(len(data) / BYTES_A_SECOND)  # the link itself, no wait for anything
            self.passed[way] += len(data)
            writer.write(data)
        writer.close()


@asynccontextmanager
async def slow_link(port: int) -> AsyncIterator[tuple[SlowLink, str]]:
    link = SlowLink(port)
    # Small buffers: what a slow link holds itself.
    server = await asyncio.start_server(link.accept, "127.0.0.1", 0, limit=4096)
    yield link, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("way", ["up", "down"])
async def test_messages_go_before_the_parts_of_a_file(home: Home, tmp_path: Path, way: str, cancelled: bool) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 400)
    async with connect(home.address, user="carol") as fast:
        file_id = (await fast.send_file("main", path)).file.id  # type: ignore[attr-defined]
    told: list[Progress] = []
    under_way = asyncio.Event()

    def come(progress: Progress) -> None:
        told.append(progress)
        if progress.done >= 8 * BYTES_MIN:
            under_way.set()

    async with slow_link(home.server.port) as (link, address), connect(address, user="bob") as chat:
        transfer = asyncio.create_task(
            chat.send_file("main", path, progress=come)
            if way == "up"
            else chat.get_file(file_id, tmp_path / "down", progress=come)
        )
        await under_way.wait()
        parts = [after.done - before.done for before, after in pairwise(told)]
        assert len(parts) > 2 and max(parts) < CHUNK_BYTES, "progress comes with each small part"
        assert told[-1].rate > 0 and told[-1].left is not None
        if cancelled:
            transfer.cancel()
        before = dict(link.passed)
        await chat.send("main", "at once")
        assert link.passed[way] - before[way] < HELD_UP_BYTES_MAX
        if not cancelled:
            transfer.cancel()
        await asyncio.wait({transfer})
        assert transfer.cancelled()
