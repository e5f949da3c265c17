"""The order station: many sessions' commands become one sequence of batches.

`Log` is all that the rest of the server knows of it. On one machine it is the node's own queue (`local`); in a cluster
it will be a stream that all nodes read.
"""

from typing import Protocol

from chat_server.log.entries import Batch, Entry


class Log(Protocol):
    """MUST give a session's entries back in the order in which they were submitted, each exactly once."""

    def submit(self, entry: Entry) -> None:
        """Put an entry in line. MUST NOT block. What is submitted after `close` is not ordered any more."""

    async def next_batch(self) -> Batch | None:
        """The next batch to execute, after the last one was; None once the log is closed and empty."""

    def amend(self, batch: Batch, entries: list[Entry]) -> Batch | None:
        """The batch with these entries instead, or ordered no more if there are none; None where it stands.

        It stands as soon as others may have it. MUST be asked about the newest batch alone.
        """

    def close(self) -> None:
        """Take no more entries; those that are in line are still given out."""
