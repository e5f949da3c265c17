"""Uploads and files in the model (see `model`)."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chat_server.protocol.messages import File
from tests.unit.rules.model_people import Refused

if TYPE_CHECKING:
    from tests.unit.rules.model import Message, User

FILE_BYTES_MAX, QUOTA_BYTES = 8, 14
UPLOAD_LIFE_MS = 600_000


@dataclass
class Upload:
    id: int
    author: str
    target: str
    name: str
    data: bytes
    ends_ms: int | None = None  # once its connection is away


class Files:
    """A mixin of `Model`. The name of a file stands for its bytes."""

    if TYPE_CHECKING:
        now_ms: int
        messages: list[Message]

        def _alive(self, name: str) -> User: ...
        def _refuse_banned(self, name: str) -> None: ...
        def _refuse_sending(self, author: str, target: str) -> None: ...
        def _sees(self, name: str, chat: str | frozenset[str]) -> bool: ...
        def _post(self, author: str, target: str, text: str, *, file: File) -> int: ...
        def history(self, name: str, target: str) -> list[Message]: ...
        def stored(self) -> list[Message]: ...

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[Upload] = []
        self.uploads_opened = 0
        self.bytes_of: dict[str, bytes] = {}  # by sha256

    # ---- commands

    def open_upload(self, author: str, target: str, name: str, data: bytes) -> int:
        self._refuse_sending(author, target)
        for each in self.uploads:
            if (each.author, each.target, each.name) == (author, target, name):
                each.ends_ms = None
                return each.id
        if len(data) > FILE_BYTES_MAX or self.bytes_used(author) + len(data) > QUOTA_BYTES:
            raise Refused("too_large")
        self.uploads_opened += 1
        self.uploads.append(Upload(self.uploads_opened, author, target, name, data))
        return self.uploads_opened

    def send_rest(self, author: str, id_: int) -> int:
        """Send all bytes. Return the message, unless they are refused before they are taken."""
        self._refuse_banned(author)
        upload = self._upload(author, id_)
        if upload.ends_ms is not None:
            raise Refused("unknown_upload")
        self._refuse_sending(author, upload.target)
        return self.complete(author, id_)

    def complete(self, author: str, id_: int) -> int:
        """Complete an upload with all its bytes. Return the message, or refuse and delete the upload."""
        upload = self._upload(author, id_)
        self.uploads.remove(upload)
        self._refuse_sending(author, upload.target)
        sha256 = hashlib.sha256(upload.data).hexdigest()
        self.bytes_of[sha256] = upload.data
        return self._post(author, upload.target, upload.name, file=File(id_, upload.name, len(upload.data), sha256))

    def cancel_upload(self, author: str, id_: int) -> int:
        self._alive(author)
        self.uploads.remove(self._upload(author, id_))
        return id_

    def leave_uploads(self) -> None:
        for each in self.uploads:
            if each.ends_ms is None:
                each.ends_ms = self.now_ms + UPLOAD_LIFE_MS

    def end_uploads(self) -> None:
        self.uploads = [each for each in self.uploads if each.ends_ms is None or each.ends_ms > self.now_ms]

    # ---- what a user can see

    def fetch(self, name: str, id_: int) -> bytes:
        for message in self.messages:
            if message.file and message.file.id == id_ and self._sees(name, message.chat):
                return self.bytes_of[message.file.sha256]
        raise Refused("unknown_file")

    def files_in(self, name: str, target: str) -> list[tuple[File, int, str]]:
        """Return the files of a chat with their messages and authors."""
        return [(each.file, each.id, each.author) for each in self.history(name, target) if each.file]

    def bytes_used(self, name: str) -> int:
        stored = sum(each.file.size for each in self.stored() if each.file and each.author == name)
        return stored + sum(len(each.data) for each in self.uploads if each.author == name)

    def blobs(self) -> set[str]:
        """Return the blobs that are on the disk."""
        return {each.file.sha256 for each in self.stored() if each.file}

    # ---- parts

    def _upload(self, author: str, id_: int) -> Upload:
        for each in self.uploads:
            if (each.id, each.author) == (id_, author):
                return each
        raise Refused("unknown_upload")
