"""A program that a test started: what it writes, and how it ends."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS


class Program:
    """`stdin` is all that it gets; None leaves its stdin open, for `write`."""

    def __init__(self, process: asyncio.subprocess.Process, stdin: bytes | None) -> None:
        self._process = process
        if stdin is not None:
            self.write(stdin)
            self.close_stdin()

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await self._process.stdout.readline()).decode().removesuffix("\n")

    async def until(self, part: str) -> str:
        """The first line with this in it."""
        while part not in (line := await self.line()):
            assert line, f"the program ended before it said {part!r}: {await self.end()}"
        return line

    def stop_reading(self) -> None:
        """As `head` does: what it writes from now on goes nowhere."""
        transport = self._process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> tuple[int, str, str]:
        """Its exit status, and what it wrote to stdout and stderr since the last line that was read."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert self._process.stdout is not None and self._process.stderr is not None
            out, error = await asyncio.gather(self._process.stdout.read(), self._process.stderr.read())
            return await self._process.wait(), out.decode(), error.decode()


def written(path: Path, is_all: Callable[[bytes], bool] = lambda data: True) -> bytes:
    """What another program, which tells nothing when it is done, writes to a file, as soon as that is all of it."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not path.exists() or not is_all(path.read_bytes()):
        assert time.monotonic() < deadline, f"{path.name} never had all in it"
        time.sleep(0.01)
    return path.read_bytes()
