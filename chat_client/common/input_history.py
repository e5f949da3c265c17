"""The lines typed in earlier runs, kept apart for each chat: a private, bounded file without secrets."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.history import History

from chat_client.common.private_file import locked, replace
from chat_client.common.typed_lines import may_be_kept
from chat_server.protocol.connection import CommandForm

ENTRIES_MAX = 1000


class _Entry(Struct, frozen=True, array_like=True):
    account: str
    chat: str
    line: str


class InputHistory:
    """A line of the file is a JSON array. `account` and `chat` say where one types now; `commands` gives the server's
    table, which says where secrets stand."""

    def __init__(
        self,
        path: Path,
        account: Callable[[], str],
        chat: Callable[[], str],
        commands: Callable[[], Sequence[CommandForm]],
    ) -> None:
        self._path, self._account, self._chat, self._commands = path, account, chat, commands
        self._chats: dict[tuple[str, str], ChatHistory] = {}

    def current(self) -> "ChatHistory":
        """The lines that were typed in the chat that is open now."""
        place = self._account(), self._chat()
        if place not in self._chats:
            lines = [entry.line for entry in self._read() if (entry.account, entry.chat) == place]
            self._chats[place] = ChatHistory(lines, lambda line: self._keep(_Entry(*place, line)))
        return self._chats[place]

    def follow(self, line: Buffer) -> None:
        """Have the keys of this line go through what was typed in the chat that is open now. What is being typed stays
        as it is."""
        history = self.current()
        if line.history is not history:
            document, line.history = line.document, history
            line.reset(document)

    def _keep(self, entry: _Entry) -> bool:
        """Whether it may be kept at all."""
        if not may_be_kept(entry.line, self._commands()):
            return False
        self._append(entry)
        return True

    def _read(self) -> list[_Entry]:
        entries = []
        with contextlib.suppress(OSError):
            for line in self._path.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    entries.append(msgspec.json.decode(line, type=_Entry))
        if len(entries) > 2 * ENTRIES_MAX:
            with contextlib.suppress(OSError), locked(self._path):
                replace(self._path, b"".join(map(_encode, entries[-ENTRIES_MAX:])))
        return entries[-ENTRIES_MAX:]

    def _append(self, entry: _Entry) -> None:
        with contextlib.suppress(OSError), locked(self._path):
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(_encode(entry))


def _encode(entry: _Entry) -> bytes:
    return msgspec.json.encode(entry) + b"\n"


class TypedBuffer(Buffer):
    """A line that has its history from the beginning.

    prompt_toolkit loads it after a frame, so ↑ right after Enter, or after a key that opens a chat, found nothing.
    """

    def reset(self, document: Document | None = None, append_to_history: bool = False) -> None:
        super().reset(document, append_to_history)
        older = list(self.history.load_history_strings())
        self._working_lines.extendleft(older)
        self._Buffer__working_index = len(older)  # its own property would tell of another text

    def load_history_if_not_yet_loaded(self) -> None:
        """It is loaded already."""


class ChatHistory(History):
    """What was typed in one chat. `keep` is called with each new line; it says whether the line may be kept."""

    def __init__(self, lines: Iterable[str], keep: Callable[[str], bool]) -> None:
        super().__init__()
        self.lines = list(lines)[::-1]  # the newest first
        self._keep = keep

    def load_history_strings(self) -> Iterable[str]:
        return self.lines

    def append_string(self, string: str) -> None:
        if self._keep(string):
            super().append_string(string)
            self.lines.insert(0, string)
            del self.lines[ENTRIES_MAX:]

    def store_string(self, string: str) -> None:
        """`keep` has done it."""
