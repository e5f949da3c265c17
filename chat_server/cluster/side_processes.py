"""The port to processes of a node's own, at a low priority, for what would hold up people."""

from typing import Protocol

from msgspec import Struct

from chat_server.log.stream import Position


class Digests(Struct, frozen=True):
    """The digests of all tables (see `store.digests`) as of a batch; `schema` is the version of the tables."""

    position: Position
    tables: dict[str, str]
    schema: int


class ReadingFailed(Exception):
    """Raised when the digests could not be computed; the message says why."""


class DigestReader(Protocol):
    """A process that computes digests of the database as it is when it is told to open it."""

    async def open(self) -> None:
        """Open a read transaction. Raises ReadingFailed."""

    async def digests(self) -> Digests:
        """Compute them as of then, after checking the database. Raises ReadingFailed."""

    def close(self) -> None:
        """End the process."""


class SideProcesses(Protocol):
    """Each reads the node's database by itself, and ends with the node."""

    async def make_snapshot(self) -> str:
        """Make a snapshot (see `snapshots`); what to log of it. Raises SnapshotError."""

    async def begin_reading(self) -> DigestReader:
        """Begin a process that waits to be told to open the database. Raises ReadingFailed."""

    def close(self) -> None:
        """End those that run."""
