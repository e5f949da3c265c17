"""The protocol, pure: bytes to lines to commands, events and replies to bytes. No I/O, no clock, no state.

The only part of the server that a client may import.
"""

# The order is that of the table of commands, and so of the help.
from chat_server.protocol import (  # noqa: I001
    rooms,
    accounts,
    messages,
    people,
    connection,
    files,
    operators,
    control,
)

from chat_server.protocol.base import Event

PROTOCOL_VERSION = 1
# Every event that the server sends. A client adds events of its own, which no server sends.
EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())

__all__ = [
    "EVENTS", "PROTOCOL_VERSION",
    "accounts", "connection", "control", "files", "messages", "operators", "people",
    "rooms",
]  # fmt: skip
