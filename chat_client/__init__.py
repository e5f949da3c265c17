"""The chat from a program: `connect` is all that a bot needs. docs/client.md describes it."""

from chat_client.connection import Chat, connect
from chat_client.errors import CannotConnect, ChatError, Disconnected, Refused
from chat_client.states import Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept, Unknown
from chat_client.version import VERSION as __version__
from chat_server.protocol.events import Message

__all__ = [
    "CannotConnect",
    "Chat",
    "ChatError",
    "Connected",
    "Connecting",
    "Disconnected",
    "Ended",
    "Forgotten",
    "Lost",
    "Message",
    "Outgoing",
    "Refused",
    "TokenNotKept",
    "Unknown",
    "__version__",
    "connect",
]
