"""The terminal goes away and no signal says so: the client ends instead of asking for keys for ever."""

import asyncio
import os
import pty
import subprocess
import tty

import pytest

from tests.client.conftest import Home
from tests.harness import TIMEOUT_SECONDS


@pytest.mark.parametrize(("options", "ready"), [(("--plain",), b"main>"), ((), b"main")], ids=["plain", "full screen"])
async def test_a_terminal_that_is_gone_ends_the_client(home: Home, options: tuple[str, ...], ready: bytes) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    # Without a session of its own the terminal does not control the client, and nobody sends a SIGHUP.
    client = await asyncio.create_subprocess_exec(
        *home.arguments(*options, user="alice"),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **home.environment, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    shown = b""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while ready not in shown:
            shown += await asyncio.to_thread(os.read, ours, 65536)
        os.close(ours)
        assert await client.wait() == 129
