"""Subcommands of `chat-server` that a node runs beside itself, in processes at a low priority."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from chat_server.cluster.snapshots import SnapshotError
from chat_server.errors import StartError
from chat_server.settings import Settings, options_of

# What such a process needs of the node's settings: the way to NATS.
_FIELDS = (
    "cluster", "node", "cluster_user", "cluster_password_file", "cluster_ca", "cluster_cert", "cluster_key",
)  # fmt: skip


class NodeProcesses:
    """See `cluster.side_processes.SideProcesses`."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._options = ["--data", str(directory), *options_of(settings, _FIELDS)]
        self._running: set[Process] = set()

    async def make_snapshot(self) -> str:
        process = await self._begin("cluster", "snapshot")
        try:
            told, why = await process.communicate()
        finally:
            self._end(process)
        if process.returncode:
            raise SnapshotError(
                why.decode(errors="replace").strip().removeprefix("chat-server: no snapshot was made: ")
            )
        return told.decode().strip()

    async def _begin(self, *words: str) -> Process:
        """Raises SnapshotError."""
        # Only what this node was told counts, whatever the environment and the working directory hold.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        arguments = ["-P", "-m", "chat_server", *words, "--beside", str(os.getpid()), *self._options]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
                # A Ctrl-C on the terminal is the node's, which ends it then.
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SnapshotError(f"no process could be started: {error.strerror or error}") from None
        self._running.add(process)
        return process

    def _end(self, process: Process) -> None:
        self._running.discard(process)
        if process.returncode is None:
            process.kill()

    def close(self) -> None:
        for process in list(self._running):
            self._end(process)


def end_without(node: int) -> None:
    """End this process unless it runs beside the node with this process id: the node may have been killed."""
    if os.getppid() != node:
        raise StartError("the node that this process ran for has ended")
