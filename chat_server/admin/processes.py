"""Subcommands of `chat-server` that a node runs beside itself, in processes at a low priority."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from chat_server.cluster.side_processes import Digests, ReadingFailed
from chat_server.cluster.snapshots import SnapshotError
from chat_server.errors import StartError
from chat_server.settings import Settings, options_of

# What such a process needs of the node's settings: the way to NATS.
_FIELDS = (
    "cluster", "node", "cluster_user", "cluster_password_file", "cluster_ca", "cluster_cert", "cluster_key",
)  # fmt: skip
# What a process that reads digests says when it waits to be told, and when it has opened the database.
READY, OPENED = b"ready\n", b"opened\n"


class NodeProcesses:
    """See `cluster.side_processes.SideProcesses`."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._options = ["--data", str(directory), *options_of(settings, _FIELDS)]
        self._running: set[Process] = set()

    async def make_snapshot(self) -> str:
        try:
            process = await self._begin("cluster", "snapshot")
        except OSError as error:
            raise SnapshotError(f"no process could be started: {error.strerror or error}") from None
        try:
            told, why = await process.communicate()
        finally:
            self.end(process)
        if process.returncode:
            words = words_of(why).removeprefix("no snapshot was made: ")
            raise SnapshotError(words or f"its process ended with status {process.returncode}")
        return words_of(told)

    async def begin_reading(self) -> "ReadingProcess":
        try:
            process = await self._begin("verify")
        except OSError as error:
            raise ReadingFailed(f"no process could be started: {error.strerror or error}") from None
        reading = ReadingProcess(self, process)
        try:
            await reading.expect(READY)
        except BaseException:
            reading.close()
            raise
        return reading

    async def _begin(self, *words: str) -> Process:
        """Raises OSError."""
        # Only what this node was told counts, whatever the environment and the working directory hold.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        arguments = ["-P", "-m", "chat_server", *words, "--beside", str(os.getpid()), *self._options]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE,
            # A Ctrl-C on the terminal is meant for the node, which then ends this process.
            start_new_session=True,
        )  # fmt: skip
        self._running.add(process)
        return process

    def end(self, process: Process) -> None:
        self._running.discard(process)
        if process.returncode is None:
            process.kill()

    def close(self) -> None:
        for process in list(self._running):
            self.end(process)


class ReadingProcess:
    """See `cluster.side_processes.DigestReader`."""

    def __init__(self, processes: NodeProcesses, process: Process) -> None:
        self._processes = processes
        self._process = process

    async def expect(self, word: bytes) -> None:
        """Wait for the line. Raises ReadingFailed."""
        await self._line(lambda line: line == word)

    async def open(self) -> None:
        assert self._process.stdin is not None
        # uvloop raises it for a process that has ended, and asyncio does not. Reading tells why it has.
        with suppress(RuntimeError):
            self._process.stdin.write(b"open\n")
        await self.expect(OPENED)

    async def digests(self) -> Digests:
        # A process that is killed may leave a part of its line.
        line = await self._line(lambda line: line.startswith(b"{") and line.endswith(b"\n"))
        return msgspec.json.decode(line, type=Digests)

    async def _line(self, is_right: Callable[[bytes], bool]) -> bytes:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = await self._process.stdout.readline()
        if not is_right(line):
            why = words_of(await self._process.stderr.read())
            raise ReadingFailed(why or f"its process ended with status {await self._process.wait()}")
        return line

    def close(self) -> None:
        self._processes.end(self._process)


def words_of(printed: bytes) -> str:
    """What a subcommand has printed, without the program's name."""
    return printed.decode(errors="replace").strip().removeprefix("chat-server: ")


def end_without(node: int) -> None:
    """End this process unless it runs beside the node with this process id: the node may have been killed."""
    if os.getppid() != node:
        raise StartError("the node that this process ran for has ended")
