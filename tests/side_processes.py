"""What a node's side processes do, done in the test's own process."""

from pathlib import Path

from chat_server.cluster import snapshots
from chat_server.log.stream import Objects
from chat_server.runtime import Runtime


class InlineProcesses:
    def __init__(self, runtime: Runtime, objects: Objects, directory: Path) -> None:
        self._runtime = runtime
        self._objects = objects
        self._directory = directory

    async def make_snapshot(self) -> str:
        made = await snapshots.make(self._objects, self._directory, self._runtime.token_hex(4))
        return f"made the snapshot of {made.position}"

    def close(self) -> None:
        pass
