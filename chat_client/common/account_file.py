"""What is kept of an account between runs on this machine: drafts and pins.

    {"alice@1f3c…": {"drafts": {"#team": "half a li"}, "pins": {"#ops": 2}}}

An account is a user on a server's history. Damaged entries count as missing, and those of other accounts are left
alone. Bounded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from chat_client.common import wording
from chat_client.common.private_file import locked, read, replace
from chat_server.protocol.names import fold

ACCOUNTS_MAX = 20
DRAFTS_MAX, DRAFT_CHARS_MAX = 100, 20_000
PINS_MAX = 100
_V = TypeVar("_V")


class Kept(Struct, frozen=True):
    """`pins`: chats with their numbers. The last one of each was changed last."""

    drafts: dict[str, str] = field(default_factory=dict)
    pins: dict[str, int] = field(default_factory=dict)


def account(user: str, history: str) -> str:
    """The name under which an account is kept."""
    return f"{fold(user)}@{history}"


class AccountFile:
    """The file as one client sees it. Another one may write it meanwhile, so only what this one has changed is put."""

    def __init__(self, path: Path, account: str) -> None:
        self._path, self._account = path, account
        self._last = Kept()  # as this client has read or put it last
        self._has_failed = False

    def read(self) -> Kept:
        try:
            self._last = self._own(self._read_all())
        except OSError:
            self._last = Kept()
        return self._last

    def put(self, kept: Kept) -> str | None:
        """Keep what has changed since the last time. Returns what to tell the user if that fails for the first time."""
        if kept == self._last:
            return None
        try:
            self._change(self._last, kept)
        except OSError as error:
            has_failed, self._has_failed = self._has_failed, True
            return None if has_failed else f"what you set is not kept for the next start: {wording.reason(error)}"
        self._last = kept
        return None

    def _change(self, last: Kept, kept: Kept) -> None:
        """Raises OSError."""
        with locked(self._path):
            accounts = self._read_all()
            there = self._own(accounts)
            drafts = _merged(last.drafts, kept.drafts, there.drafts, DRAFTS_MAX)
            merged = Kept(
                {chat: text[:DRAFT_CHARS_MAX] for chat, text in drafts.items()},
                _merged(last.pins, kept.pins, there.pins, PINS_MAX),
            )
            accounts.pop(self._account, None)
            accounts[self._account] = Raw(msgspec.json.encode(merged))
            replace(self._path, msgspec.json.encode(_last_of(accounts, ACCOUNTS_MAX)))

    def _read_all(self) -> dict[str, Raw]:
        """Raises OSError."""
        try:
            return msgspec.json.decode(read(self._path), type=dict[str, Raw])
        except msgspec.DecodeError:
            return {}

    def _own(self, accounts: Mapping[str, Raw]) -> Kept:
        try:
            return msgspec.json.decode(accounts.get(self._account, b"{}"), type=Kept)
        except msgspec.DecodeError:
            return Kept()


def _merged(last: Mapping[str, _V], now: Mapping[str, _V], there: Mapping[str, _V], most: int) -> dict[str, _V]:
    """What is there, with the changes that have led from `last` to `now`."""
    changed = {name: value for name, value in now.items() if last.get(name) != value}
    stays = {name: value for name, value in there.items() if name not in changed and (name in now or name not in last)}
    return _last_of(stays | changed, most)


def _last_of(entries: Mapping[str, _V], most: int) -> dict[str, _V]:
    return dict(list(entries.items())[-most:])
