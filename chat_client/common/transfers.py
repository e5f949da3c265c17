"""The files that are being sent or fetched, and how far each of them is.

The SDK moves the bytes, goes on after a lost connection and checks them (`sdk.transfers`). Here they have names and
numbers, and what comes of them is told in words.
"""

import asyncio
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from msgspec import Struct

from chat_client.common import wording
from chat_client.common.desktop import open_file
from chat_client.common.file_paths import typed_path
from chat_client.common.wording import Kind
from chat_client.sdk.chat import Chat, OnProgress
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Outgoing
from chat_client.sdk.transfers import Progress

Tell = Callable[[Kind, str], None]


class Transfer(Struct):
    """A file on its way. `shown_at`: when a line last told how far it is, or it began, where that is told by lines."""

    name: str
    is_upload: bool
    progress: Progress = Progress(0, 0)
    shown_at: float | None = None


class Transfers:
    """`under_way` has the files whose bytes move; `changed` is called as they do."""

    def __init__(self, chat: Chat, downloads: Path, changed: Callable[[Transfer], None]) -> None:
        self.under_way: dict[int, Transfer] = {}
        self._chat, self._downloads, self._changed = chat, downloads, changed
        self._numbers = count(1)
        self._uploads: dict[str, int] = {}  # the numbers of the uploads, by the keys of their commands
        self._fetching: dict[int, asyncio.Task[None]] = {}
        self._pasted: list[tempfile.TemporaryDirectory[str]] = []  # texts that go as files; each ends with the client

    # ---- out

    def send(self, target: str, typed: str) -> Outgoing:
        """Put the file of this typed path in line with the messages. Raises ChatError, OSError."""
        path, number = typed_path(typed), next(self._numbers)
        command = self._chat.post_file(target, path, progress=self._follow(number, path.name, is_upload=True))
        self._uploads[command.key] = number
        return command

    def send_text(self, target: str, text: str) -> Outgoing:
        """A text that no message can hold, as a file. Raises ChatError, OSError."""
        folder = tempfile.TemporaryDirectory(prefix="chat-client-")  # of mode 0700
        self._pasted.append(folder)
        path = Path(folder.name) / "pasted.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        return self.send(target, str(path))

    def settle(self, command: Outgoing) -> None:
        """What became of something that was sent: an upload that has ended is no longer under way."""
        if command.state not in ("waiting", "held") and (number := self._uploads.pop(command.key, None)) is not None:
            self.under_way.pop(number, None)

    # ---- in

    async def fetch(self, file_id: int, name: str | None, opens: bool, tell: Tell) -> None:
        """Fetch a file into the downloads folder, and have the desktop open it. Raises ChatError, OSError."""
        number, shown = next(self._numbers), f"file {file_id}"
        task = asyncio.current_task()
        assert task is not None
        self._fetching[number], self.under_way[number] = task, Transfer(shown, is_upload=False)
        progress = self._follow(number, shown, is_upload=False)
        try:
            path = await self._chat.get_file(file_id, self._downloads, name=name, progress=progress)
        except asyncio.CancelledError:
            tell("info", wording.cancelled(shown))
            raise
        finally:
            del self._fetching[number], self.under_way[number]
        tell("done", wording.saved(file_id, path))
        if opens:
            open_file(path)

    # ---- both

    def cancel(self) -> None:
        """Cancel all of them, also those that only wait. Raises Refused if there are none."""
        uploads = [command.key for command in self._chat.outgoing if command.verb == "send_file"]
        if not uploads and not self._fetching:
            raise Refused("bad_argument", "no file is on its way")
        for key in uploads:
            self._chat.discard(key)
        self.stop()

    def stop(self) -> None:
        """End what is being fetched. Uploads end with the chat."""
        for task in self._fetching.values():
            task.cancel()

    def _follow(self, number: int, name: str, is_upload: bool) -> OnProgress:
        def come(progress: Progress) -> None:
            transfer = self.under_way.setdefault(number, Transfer(name, is_upload))
            transfer.progress = progress
            self._changed(transfer)

        return come
