"""What a node's side processes do, done in the test's own process."""

from pathlib import Path

from chat_server.cluster import snapshots
from chat_server.cluster.side_processes import Digests
from chat_server.log.stream import Objects
from chat_server.runtime import Runtime
from chat_server.store import digests
from chat_server.store.database import open_reader
from chat_server.store.schema import VERSION as SCHEMA
from chat_server.store.state import load


class InlineProcesses:
    def __init__(self, runtime: Runtime, objects: Objects, directory: Path) -> None:
        self._runtime = runtime
        self._objects = objects
        self._directory = directory

    async def make_snapshot(self) -> str:
        made = await snapshots.make(self._objects, self._directory, self._runtime.token_hex(4))
        return f"made the snapshot of {made.position}"

    async def begin_reading(self) -> "InlineReader":
        await self._runtime.sleep(1.0)
        return InlineReader(self._runtime, self._directory)

    def close(self) -> None:
        pass


class InlineReader:
    def __init__(self, runtime: Runtime, directory: Path) -> None:
        self._runtime = runtime
        self._db = open_reader(directory)

    async def open(self) -> None:
        await self._runtime.sleep(0.01)
        self._db.run("BEGIN")
        load(self._db)

    async def digests(self) -> Digests:
        await self._runtime.sleep(5.0)
        return Digests(load(self._db).position, digests.now_of_tables(self._db), SCHEMA)

    def close(self) -> None:
        self._db.close()
