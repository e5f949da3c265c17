"""The port to processes of a node's own, at a low priority, for what would hold up people."""

from typing import Protocol


class SideProcesses(Protocol):
    """Each reads the node's database by itself, and ends with the node."""

    async def make_snapshot(self) -> str:
        """Make a snapshot (see `snapshots`); what to tell of it. Raises SnapshotError."""

    def close(self) -> None:
        """End those that run."""
