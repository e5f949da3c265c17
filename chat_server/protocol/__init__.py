"""The protocol, pure: bytes to lines to commands, events and replies to bytes. No I/O, no clock, no state.

It is the only part of the server that a client may import. Each topic is a file with its commands, replies and events.
Those of the administrator, `control`, are loaded by the server alone: they would take 1 ms of each start of a client.
"""

from collections.abc import Callable  # noqa: I001 (in this order the commands stand in the table, and so in the help)
from typing import Any, Union

from msgspec.json import Decoder

from chat_server.protocol import (
    rooms,
    accounts,
    messages,
    people,
    connection,
    files,
    operators,
)

from chat_server.protocol.base import Event

PROTOCOL_VERSION = 1
# Every event that the server sends but over the control socket. A client adds events of its own, which no server sends.
EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
_any_event: Any = Union[EVENTS]  # noqa: UP007 (there is no other way to write it)
# From JSON. Raises msgspec.DecodeError.
decode_event: Callable[[bytes], Event] = Decoder(_any_event).decode

__all__ = [
    "EVENTS", "PROTOCOL_VERSION",
    "accounts", "connection", "decode_event", "files", "messages", "operators", "people",
    "rooms",
]  # fmt: skip
