"""The port of a pipeline: all that it asks of its connection, the node and the chat."""

from collections.abc import Callable
from typing import Any, Protocol

from chat_server.log.entries import EndTokens, Logged
from chat_server.protocol.accounts import SignOut
from chat_server.protocol.connection import SessionInfo
from chat_server.rules.outcomes import Entered, Opened


class Port(Protocol):
    """What the pipeline asks for. No call is answered by an input within the call, nor raises unless it says so."""

    # ---- commands

    def submit(self, command: Logged, user_id: int, number: int) -> None:
        """Log a command; `outcome` brings what became of it, under this number. 0: nobody is told."""

    def prepare(self, command: Any) -> None:
        """Decide what has to be decided before the command is logged. `prepared` or `refused` follows."""

    def look_at_upload(self, opened: Opened) -> None:
        """Look how much of an upload is there. `prepared` brings the reply, or `refused` follows."""

    def read(self, query: Any) -> None:
        """Begin to answer a query. `page` or `refused` follows."""

    def read_on(self) -> None:
        """The next page of the same query. `page` or `refused` follows."""

    def give_up(self) -> None:
        """Whatever is being prepared or read is not wanted any more."""

    # ---- bytes and time

    def wake_at(self, when: float | None) -> None:
        """Call `timer` at that time, and not at any that was asked for before. None: do not."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_all_taken(self) -> bool:
        """Whether the other side is known to have taken everything that was written."""

    def hang_up(self, on_taken: Callable[[], None] | None) -> None:
        """End the connection once what was written has been sent; call `on_taken` if the other side has taken it."""

    # ---- the chat around it

    def attach(self, entered: Entered, seq: int) -> None:
        """The session is this user's as of `seq`."""

    def detach(self) -> None:
        """The session is nobody's."""

    def sessions(self) -> list[SessionInfo]:
        """Those of the session's user."""

    def tokens_to_end(self, command: SignOut) -> EndTokens:
        """Raises Refusal."""

    def count_closed(self) -> int:
        """How many other sessions of the user end with the batch that is being delivered."""

    def has_room(self, wanted_bytes: int) -> bool:
        """Whether the disk has room for something new of that size."""

    def now(self) -> str:
        """The time in ISO 8601, from which people's times are shown."""

    def log_action(self, who: str, verb: str, result: str, seconds: float) -> None: ...
