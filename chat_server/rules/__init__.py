"""The rules of the chat, one module a topic. Importing this package enters them all.

`execute` runs a batch of the log against the store; `read` answers a query from a snapshot.
"""

from chat_server.rules import accounts, control, delayed, messages, moderation, operators, retention, rooms, threads
from chat_server.rules.execute import Executed, Executor, Outcome, read

__all__ = [
    "Executed", "Executor", "Outcome", "accounts", "control", "delayed", "messages", "moderation", "operators", "read",
    "retention", "rooms", "threads",
]  # fmt: skip
