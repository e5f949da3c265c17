"""The port of a pipeline: all that it asks of its connection, the node and the chat."""

from collections.abc import Callable
from typing import Any, Protocol

from chat_server.errors import Refusal
from chat_server.log.entries import Logged, MarkSeen
from chat_server.protocol.base import Command
from chat_server.rules.outcomes import Entered, Opened


class Port(Protocol):
    """The calls of a pipeline. None is answered by an input within the call, and none raises unless it says so."""

    # ---- commands

    def submit(self, command: Logged, user_id: int, number: int, seen: MarkSeen | None = None) -> None:
        """Log a command, and before it in the same entry what was `seen`.

        `outcome` follows with this number; with 0 it does not.
        """

    def prepare(self, command: Any) -> None:
        """Prepare the command for the log. `prepared` or `refused` follows."""

    def look_at_upload(self, opened: Opened) -> None:
        """Find out how much of an upload is there. `prepared` follows with the reply, or `refused`."""

    def read(self, query: Any) -> None:
        """Begin to answer a query. `page` or `refused` follows."""

    def read_on(self) -> None:
        """Read the next page of the same query. `page` or `refused` follows."""

    def give_up(self) -> None:
        """Give up whatever is being prepared or read."""

    # ---- bytes and time

    def wake_at(self, when: float | None) -> None:
        """Call `timer` at that time instead of any time asked for before; None means never."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_all_taken(self) -> bool:
        """Tell whether the other side is known to have taken everything that was written."""

    def hang_up(self, on_taken: Callable[[], None] | None) -> None:
        """End the connection once what was written has been sent; call `on_taken` if the other side has taken it."""

    # ---- the chat around it

    def attach(self, entered: Entered, seq: int) -> None:
        """Give the session to the user as of `seq`."""

    def detach(self) -> None:
        """Take the session from its user."""

    def public_limits(self) -> dict[str, Any]:
        """Return the limits that programs are told, as they are now."""

    def is_stale(self) -> bool:
        """Tell whether the node has lost its cluster."""

    def is_log_full(self) -> bool:
        """Tell whether so much waits for the log that no further command should be taken."""

    def why_not(self, command: Command) -> Refusal | None:
        """Return why the node does not take this command now: its disk has no room, or it has too much to do."""

    def now(self) -> str:
        """Return the time in ISO 8601, against which other times are shown."""

    def log_action(self, who: str, verb: str, result: str, seconds: float, id: int, seq: int) -> None:
        """`id` is the message that it is about, `seq` that of its change; 0 where there is none."""
