"""The replies to the commands of files."""

from msgspec import Struct, field

from chat_server.protocol.events import File, Reply


class Upload(Reply, frozen=True, omit_defaults=True):
    """How far an upload has come; once it is complete, the message (`id`, `at`) and its file."""

    upload: int
    received: int
    id: int | None = None
    at: str | None = None
    file: File | None = None


class UploadCancelled(Reply, frozen=True, omit_defaults=True):
    upload: int


class FileSent(Reply, frozen=True, omit_defaults=True):
    """The end of a file that was fetched."""

    id: int
    name: str
    size: int
    sha256: str


class FileInChat(Struct, frozen=True):
    """A file of a chat, and the message that has it."""

    id: int
    name: str
    size: int
    sha256: str
    message_id: int
    from_: str = field(name="from")
    at: str


class FileList(Reply, frozen=True, omit_defaults=True):
    chat: str
    files: list[FileInChat]
    more: str | None = None
