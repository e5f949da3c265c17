"""The errors that a connection raises.

ChatError
    Refused         the server refused a command
    Disconnected    there is no connection; for a command under way: whether it was done is not known
    CannotConnect   the first connection of all could not be made

`done` is False where certainly nothing was done, so that it may be done again; None where that is not known.
"""

from typing import Any

# Answers after which something may have been done all the same, unless `done: false` stands with them.
UNCERTAIN = frozenset(("unavailable", "internal"))
_OVERLOAD = frozenset(("busy", "too_fast", "unavailable"))


class ChatError(Exception):
    """One line for a person."""

    done: bool | None = False


class Refused(ChatError):
    """`code` and `text` of the protocol; `fields` are further ones (`until`, `retry_at`)."""

    def __init__(self, code: str, text: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.fields = fields or {}
        self.done = None if code in UNCERTAIN and self.fields.get("done") is not False else False

    @property
    def is_passing(self) -> bool:
        """Whether the same may be taken later. With any other code it is refused for good."""
        return self.is_of_overload or self.code == "internal"

    @property
    def is_of_overload(self) -> bool:
        """Whether the server is not up to it just now, and may be asked again without anybody's doing. A fault of the
        server (`internal`) may come each time."""
        return self.code in _OVERLOAD


class Disconnected(ChatError):
    def __init__(self, words: str, done: bool | None = False) -> None:
        super().__init__(words)
        self.done = done


class CannotConnect(ChatError):
    pass
