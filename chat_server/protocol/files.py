"""Files: uploading, fetching and listing them."""

from typing import ClassVar

from msgspec import Struct, field

from chat_server.protocol.arguments import Data, FileName, Id, Key, Sha256, Size, Target
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.messages import File
from chat_server.protocol.table import command


class FileChunk(Event, frozen=True, tag="file_chunk"):
    """Bytes of a file that is fetched, in base64. With the first ones, `file` says which file it is."""

    id: int
    offset: int
    data: str
    file: File | None = None


class Upload(Reply, frozen=True, omit_defaults=True):
    """How much of an upload has been received; once it is complete, also the message (`id`, `at`) and its file."""

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
    """A file in a chat, and the message that has it."""

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


# ---- commands


@command(
    "send_file",
    group="Write",
    reply=Upload,
    runs="prepared",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    fills="target",
    help="opens an upload; its bytes follow with /chunk. The same again goes on after a lost connection",
    example='/send_file bob "my photo.png" 1234',
    costly=True,
)
class SendFile(Command, frozen=True, tag="send_file"):
    announces: ClassVar[bool] = True
    target: Target
    name: FileName
    size: Size
    sha256: Sha256 | None = None
    key: Key | None = None

    @property
    def announced_bytes(self) -> int:
        return self.size


@command(
    "chunk",
    group="Write",
    reply=Upload,
    runs="prepared",
    seen_by_others=True,
    adds=True,
    help="the next bytes of an upload, at most 32 KiB; the last ones send the file",
    example="/chunk 7 aGVsbG8K",
)
class Chunk(Command, frozen=True, tag="chunk"):
    upload: Id
    base64: Data

    @property
    def carried_bytes(self) -> int:
        return len(self.base64)


@command(
    "cancel_upload",
    group="Write",
    reply=UploadCancelled,
    runs="logged",
    help="ends an upload of one's own",
    example="/cancel_upload 7",
)
class CancelUpload(Command, frozen=True, tag="cancel_upload"):
    upload: Id


@command(
    "get_file",
    group="Read",
    reply=FileSent,
    runs="reading",
    help="the bytes of a file, as lines = <base64>",
    example="/get_file 7",
    costly=True,
)
class GetFile(Command, frozen=True, tag="get_file"):
    file_id: Id
    offset: Size | None = None
    length: Size | None = None


@command(
    "files",
    group="Read",
    reply=FileList,
    runs="reading",
    usage={"before": "[before <id>]"},
    pairs=("before",),
    fills="chat",
    help="the files in a chat, the newest last; before a message",
    example="/files main",
)
class Files(Command, frozen=True, tag="files"):
    chat: Target
    before: Id | None = None
