"""The history of typed lines between runs: a private, bounded file without secrets."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from prompt_toolkit.history import History

from chat_client.common.typed_lines import may_be_kept
from chat_server.protocol.connection import CommandForm

ENTRIES_MAX = 1000


class InputHistory(History):
    """A line of the file is a JSON string. `commands` gives the server's table, which says where secrets stand."""

    def __init__(self, path: Path, commands: Callable[[], Sequence[CommandForm]]) -> None:
        super().__init__()
        self._path, self._commands = path, commands

    def load_history_strings(self) -> Iterable[str]:
        """The newest first."""
        entries = self._read()
        if len(entries) > 2 * ENTRIES_MAX:
            entries = entries[-ENTRIES_MAX:]
            self._write(entries, os.O_TRUNC)
        return reversed(entries[-ENTRIES_MAX:])

    def append_string(self, string: str) -> None:
        if may_be_kept(string, self._commands()):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        self._write([string], os.O_APPEND)

    def _read(self) -> list[str]:
        entries = []
        with contextlib.suppress(OSError):
            for line in self._path.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    entries.append(msgspec.json.decode(line, type=str))
        return entries

    def _write(self, entries: list[str], how: int) -> None:
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | how, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
