"""The order station: many sessions' commands become one sequence of batches.

`Log` is all that the rest of the server knows of it. On one machine it is the node's own queue (`local`); in a cluster
it is a stream that all nodes read (`replicated`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from chat_server.errors import Refusal
from chat_server.log.entries import Entry, OrderedBatch, Verdict
from chat_server.log.stream import Position
from chat_server.protocol.times import Now

Withdraw = Callable[[Sequence[Entry], Refusal], None]
"""Called with entries that the log does not wait for any longer, and what is answered to those who wait for them."""


def count_text_chars(entry: Entry) -> int:
    """Count the characters of text that an entry brings into its batch."""
    return len(getattr(entry.command, "text", None) or "")


class Log(Protocol):
    """Gives out the entries of a session in the order in which they were submitted, each exactly once.

    The batches of other nodes may come between them.
    """

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no further command should be taken."""

    @property
    def backlog_seconds(self) -> float:
        """For how long what waits has waited because there is too much of it, at least."""

    def begin(self, withdraw: Withdraw) -> None:
        """Begin to give out batches; called once, on the loop, before `next_batch`."""

    def submit(self, entry: Entry) -> None:
        """Put an entry in line, without blocking. Entries that are submitted after `close` are not ordered."""

    async def next_batch(self) -> OrderedBatch | None:
        """The batch that follows the one given out last; None once the log is closed and empty. Raises WrongBatch."""

    def note_executed(self, ordered: OrderedBatch, verdict: Verdict, position: Position, now: Now) -> int:
        """Take note that the batch given out last is in the store, which has come so far. Raises WrongBatch.

        Returns how many of its entries, from the first on, were withdrawn while it was executed: nobody waits for them.
        Nothing of the batch MUST have been delivered yet: where this raises, the replies are another process's.
        """

    def amend(self, ordered: OrderedBatch, entries: list[Entry]) -> OrderedBatch | None:
        """Replace the entries of the batch given out last; with none of them the batch is withdrawn.

        Returns None, and changes nothing, once other nodes may have the batch.
        """

    async def catch_up(self) -> None:
        """Wait until everything that is in the log now has been executed here. Raises Refusal `unavailable`."""

    def close(self, *, abandon: bool = False) -> None:
        """Take no more entries; those in line are still given out, unless they are abandoned."""
