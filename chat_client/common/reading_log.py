"""The log of what was read (`--log DIR`): a file for each chat, since the server removes messages."""

import os
import re
from pathlib import Path

from chat_client.common import wording
from chat_client.sdk import clock
from chat_client.sdk.local_time import local
from chat_server.protocol.messages import Message

_TAIL_BYTES = 1 << 16  # in which the id of the last message is found: the longest text has 16 KiB
_ID = re.compile(rb"^(?!    \| ).* \(#(\d+)\)$", re.MULTILINE)


class ReadingLog:
    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._last: dict[str, int] = {}  # the newest message of each chat in it
        self._has_failed = False

    def note(self, message: Message, me: str) -> str | None:
        """Write a message that was read, unless it is there already. Returns what is to be said if that fails, once."""
        if self._has_failed or message.deleted:
            return None
        try:
            if message.id > self._last_id(message.chat):
                self._write(message, me)
        except OSError as error:
            self._has_failed = True
            return f"what you read is logged no more: {wording.reason(error)}"
        return None

    def forget(self) -> None:
        """The ids begin anew: the server was restored from an older copy."""
        self._last = dict.fromkeys(self._last, 0)

    def _write(self, message: Message, me: str) -> None:
        words = wording.event(message, me, clock.now()).partition("] ")[2].replace("\n", "\n    | ")
        line = f"{local(message.at)[:19].replace('T', ' ')} {words}\n"
        number = os.open(self._path(message.chat), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(line.encode())
        self._last[message.chat] = message.id

    def _last_id(self, chat: str) -> int:
        if chat not in self._last:
            try:
                with self._path(chat).open("rb") as file:
                    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                    found = _ID.findall(file.read())
            except FileNotFoundError:
                found = []
            self._last[chat] = int(found[-1]) if found else 0
        return self._last[chat]

    def _path(self, chat: str) -> Path:
        return self._folder / f"{chat.replace('/', '_')}.log"
