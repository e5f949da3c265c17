"""A program that a test started: what it writes, and how it ends."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from tests.fork_server import Forked, start
from tests.harness import TIMEOUT_SECONDS


class Program:
    """Its streams are pipes of ours."""

    def __init__(
        self,
        process: Forked | subprocess.Popen[bytes],
        stdin: asyncio.WriteTransport,
        out: asyncio.StreamReader,
        reading: asyncio.ReadTransport,
        error: asyncio.StreamReader,
    ) -> None:
        self._process = process
        self._stdin, self._out, self._reading, self._error = stdin, out, reading, error
        self.write, self.close_stdin = stdin.write, stdin.close

    @classmethod
    async def start(cls, arguments: list[str], environment: Mapping[str, str], cwd: Path) -> "Program":
        pipe = subprocess.PIPE
        process = start(arguments, environment, cwd, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        loop = asyncio.get_running_loop()
        stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        out, reading = await _reader(process.stdout)
        error, _ = await _reader(process.stderr)
        return cls(process, stdin, out, reading, error)

    async def line(self) -> str:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await self._out.readline()).decode().removesuffix("\n")

    async def until(self, part: str) -> str:
        """The first line with this in it."""
        while part not in (line := await self.line()):
            assert line, f"the program ended before it said {part!r}: {await self.end()}"
        return line

    async def stop_reading(self) -> None:
        """As `head` does: what it writes from now on goes nowhere."""
        self._reading.close()
        # Its end of the pipe is closed by the loop, which may be later than the program writes its next line.
        await self._out.read()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> tuple[int, str, str]:
        """Its exit status, and what it wrote to stdout and stderr since the last line that was read."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            out, error = await asyncio.gather(self._out.read(), self._error.read())
        status = await asyncio.to_thread(self._process.wait, TIMEOUT_SECONDS)
        self._stdin.close()
        return status, out.decode(), error.decode()


async def _reader(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader, transport


def written(path: Path, is_all: Callable[[bytes], bool] = lambda data: True) -> bytes:
    """What another program, which tells nothing when it is done, writes to a file, as soon as that is all of it."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not path.exists() or not is_all(path.read_bytes()):
        assert time.monotonic() < deadline, f"{path.name} never had all in it"
        time.sleep(0.01)
    return path.read_bytes()
