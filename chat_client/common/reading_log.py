"""The log of what was read (`--log DIR`): a file for each chat, since the server removes messages."""

import fcntl
import os
import re
from pathlib import Path

from msgspec import Struct

from chat_client.common import wording
from chat_client.sdk import clock
from chat_client.sdk.local_time import local
from chat_server.protocol.messages import Message

_TAIL_BYTES = 1 << 16  # in which the last message is found: the longest text has 16 KiB
_MESSAGE = re.compile(rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) .* \(#(\d+)\)$", re.MULTILINE)


class _Last(Struct, frozen=True):
    """The last message in a file, and how long the file was then."""

    size: int = 0
    at: str = ""
    id: int = 0

    def is_before(self, at: str, id: int) -> bool:
        """Whether such a message comes after it. Ids begin anew where the server was restored from an older copy."""
        return id > self.id or at > self.at


class ReadingLog:
    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._last: dict[str, _Last] = {}  # by chat
        self._has_failed = False

    def note(self, message: Message, me: str) -> str | None:
        """Write a message that was read, unless it is there already. Returns what to tell the user if
        that fails for the first time."""
        if self._has_failed or message.deleted:
            return None
        try:
            self._write(message, me)
        except OSError as error:
            self._has_failed = True
            return f"what you read is no longer logged: {wording.reason(error)}"
        return None

    def _write(self, message: Message, me: str) -> None:
        at = wording.one_line(local(message.at)[:19].replace("T", " "))
        words = wording.event(message, me, clock.now()).partition("] ")[2].replace("\n", "\n    | ")
        path = self._folder / f"{wording.one_line(message.chat).replace('/', '_')}.log"
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: another client may read the same chat
            size = file.seek(0, os.SEEK_END)
            last = self._last.get(message.chat)
            if last is None or last.size != size:
                file.seek(max(0, size - _TAIL_BYTES))
                found = _MESSAGE.findall(file.readall())
                last = _Last(size, found[-1][0].decode(), int(found[-1][1])) if found else _Last(size)
            if last.is_before(at, message.id):
                last = _Last(size + _append(file.fileno(), size, f"{at} {words}\n".encode()), at, message.id)
            self._last[message.chat] = last


def _append(number: int, size: int, line: bytes) -> int:
    """Write the line whole or not at all: on a full disk a part of it would stand before the next one."""
    try:
        written = 0
        while written < len(line):
            written += os.write(number, line[written:])
    except OSError:
        os.ftruncate(number, size)
        raise
    return written
