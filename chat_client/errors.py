"""What can go wrong for who uses the connection.

ChatError
    Refused         the server refused a command: nothing was done
    Disconnected    there is no connection; for a command under way: whether it was done is not known
    CannotConnect   the first connection of all could not be made
"""

from typing import Any


class ChatError(Exception):
    """One line for a person."""


class Refused(ChatError):
    """`code` and `text` of the protocol; `fields` are further ones (`until`, `retry_at`)."""

    def __init__(self, code: str, text: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.fields = fields or {}


class Disconnected(ChatError):
    pass


class CannotConnect(ChatError):
    pass
