"""The order station: many sessions' commands become one sequence of batches.

`Log` is all that the rest of the server knows of it. On one machine it is the node's own queue (`local`); in a cluster
it will be a stream that all nodes read.
"""

from typing import Protocol

from chat_server.log.entries import Batch, Entry


class Log(Protocol):
    """Gives out the entries of a session in the order in which they were submitted, each exactly once."""

    def submit(self, entry: Entry) -> None:
        """Put an entry in line, without blocking. Entries that are submitted after `close` are not ordered."""

    async def next_batch(self) -> Batch | None:
        """The batch that follows the one given out last; None once the log is closed and empty."""

    def amend(self, batch: Batch, entries: list[Entry]) -> Batch | None:
        """Replace the entries of the batch given out last; with none of them the batch is withdrawn.

        Returns None, and changes nothing, once other nodes may have the batch.
        """

    def close(self) -> None:
        """Take no more entries; those in line are still given out."""
