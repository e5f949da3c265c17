"""The chat from a program: `connect` is all that a bot needs. docs/bots.md describes it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chat_server import __version__

if TYPE_CHECKING:
    from chat_client.sdk.chat import Chat, connect
    from chat_client.sdk.errors import CannotConnect, ChatError, Disconnected, Refused
    from chat_client.sdk.events import Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept, Unknown
    from chat_server.protocol.messages import Message

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

_MODULES = ("chat_client.sdk.chat", "chat_client.sdk.errors", "chat_client.sdk.events", "chat_server.protocol.messages")


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: before that the command, which is of this package too, has seen to Ctrl-C."""
    if name in __all__:
        for module in _MODULES:
            if hasattr(found := import_module(module), name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
