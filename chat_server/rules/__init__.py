"""The rules of the chat, one module a topic. Importing this package registers them all.

`Executor.execute` runs a batch of the log against the store; `read` answers a query from a snapshot.
"""

from chat_server.rules import (
    accounts,
    address_bans,
    attention,
    blocks,
    control,
    delayed,
    erasure,
    files,
    messages,
    moderation,
    operators,
    retention,
    rooms,
    search,
    slow_mode,
    threads,
)  # fmt: skip
from chat_server.rules.executor import Executed, Executor, Outcome, read

__all__ = [
    "Executed", "Executor", "Outcome", "accounts", "address_bans", "attention", "blocks", "control", "delayed",
    "erasure", "files", "messages", "moderation", "operators", "read", "retention", "rooms", "search", "slow_mode",
    "threads",
]  # fmt: skip
