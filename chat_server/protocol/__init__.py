"""The protocol, pure: bytes to lines to commands, events and replies to bytes. No I/O, no clock, no state.

The only part of the server that a client may import.
"""

PROTOCOL_VERSION = 1
