"""The protocol, pure: bytes to lines to commands, events and replies to bytes. No I/O, no clock, no state.

The only part of the server that a client may import.
"""

# So that the table of commands is full for whoever looks into it.
from chat_server.protocol import commands, operators

__all__ = ["PROTOCOL_VERSION", "commands", "operators"]

PROTOCOL_VERSION = 1
