"""What is kept of an account between runs: drafts, pins, how much of a chat calls, and who is ignored.

    {"alice@1f3c…": {"drafts": {"#team": "half a li"}, "pins": {"#ops": 2}, "levels": {"#ops": "all"}, "ignored": []}}

An account is a user on a server's history. A file that cannot be read is as none. Bounded.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from chat_client.common.listening import Level, Listening
from chat_client.common.private_file import locked, replace

ACCOUNTS_MAX = 20
DRAFTS_MAX, DRAFT_CHARS_MAX = 100, 20_000


class Kept(Struct):
    """`pins`: chats with their numbers. The last one of each was changed last."""

    drafts: dict[str, str] = field(default_factory=dict)
    pins: dict[str, int] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def account(user: str, history: str) -> str:
    """The name under which an account is kept."""
    return f"{user.casefold()}@{history}"


class AccountFile:
    def __init__(self, path: Path, account: str) -> None:
        self._path, self._account = path, account

    def read(self) -> Kept:
        return self._read_all().get(self._account, Kept())

    def put_drafts(self, drafts: Mapping[str, str]) -> None:
        """Keep these drafts, and drop those that are empty now. Raises OSError."""
        with locked(self._path):
            accounts = self._read_all()
            kept = accounts.pop(self._account, Kept())
            for chat, text in drafts.items():
                kept.drafts.pop(chat, None)
                if text:
                    kept.drafts[chat] = text[:DRAFT_CHARS_MAX]
            kept.drafts = dict(list(kept.drafts.items())[-DRAFTS_MAX:])
            self._write(accounts, kept)

    def put_pins(self, pins: Mapping[str, int]) -> None:
        """Raises OSError."""
        with locked(self._path):
            accounts = self._read_all()
            kept = accounts.pop(self._account, Kept())
            kept.pins = dict(pins)
            self._write(accounts, kept)

    def put_listening(self, listening: Listening) -> None:
        """Raises OSError."""
        with locked(self._path):
            accounts = self._read_all()
            kept = accounts.pop(self._account, Kept())
            kept.levels, kept.ignored = dict(listening.levels), list(listening.ignored.values())
            self._write(accounts, kept)

    def restore_listening(self, listening: Listening) -> None:
        kept = self.read()
        listening.levels = dict(kept.levels)
        listening.ignored = {name.casefold(): name for name in kept.ignored}

    def _read_all(self) -> dict[str, Kept]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Kept])
        except (OSError, msgspec.DecodeError):
            return {}

    def _write(self, accounts: dict[str, Kept], kept: Kept) -> None:
        accounts[self._account] = kept
        last = dict(list(accounts.items())[-ACCOUNTS_MAX:])
        replace(self._path, msgspec.json.encode(last))
