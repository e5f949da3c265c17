"""Refusals, their codes, and the error that ends a start.

    Refusal             a command that is not executed; becomes the one `- code: …` reply
    StartError          the server cannot start; becomes one line on stderr and an exit status

A refusal is a value with a code from `CODES`: rules and the parser raise it, one place turns it into a reply.
Everything else that is raised is a bug and answers `internal`.
"""

from typing import Any

from msgspec import DecodeError

CODES = frozenset((
    "not_a_command", "unknown_command", "bad_argument", "bad_encoding", "line_too_long",
    "not_signed_in", "already_signed_in", "wrong_password", "password_required", "bad_token", "bad_name",
    "unknown_user", "unknown_chat", "unknown_message", "unknown_delayed", "unknown_upload", "unknown_file",
    "forbidden", "banned", "rate_limited", "too_fast", "too_many", "too_large", "already_reported", "not_yourself",
    "blocked", "exists", "busy", "unavailable", "internal",
))  # fmt: skip


# What a decoder of msgspec may raise for bytes that somebody else has written.
UNDECODABLE = (DecodeError, UnicodeDecodeError, RecursionError)


class Refusal(Exception):
    """A command that is refused: `code` of the protocol, `text` for a person, `fields` for a program.

    `text` says what happened and what to do; `fields` are further JSON fields (`until`, `retry_at`, `done`).
    """

    def __init__(self, code: str, text: str, **fields: Any) -> None:
        assert code in CODES, code
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.fields = fields


# An error while something was only read: whoever asked may ask again, and the server goes on.
UNREADABLE = Refusal("unavailable", "the server's disk could not be read, so nothing was done; try again", done=False)


def not_done_refusal(text: str) -> Refusal:
    """Certainly nothing was done, so that the same command may be said again; `text` says why."""
    return Refusal("unavailable", f"nothing was done: {text}", done=False)


def no_room_refusal() -> Refusal:
    return not_done_refusal(
        "the server's disk is nearly full and takes nothing new; reading and deleting go on, try later"
    )


class StartError(Exception):
    """The server cannot start (or go on). `status` is the exit status; the message is one line for the operator."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status
