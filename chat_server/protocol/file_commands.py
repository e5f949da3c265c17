"""The commands of files; `commands` says how commands are made."""

from chat_server.protocol.arguments import Data, FileName, Id, Key, Sha256, Size, Target
from chat_server.protocol.table import Command, command

__all__ = ["CancelUpload", "Chunk", "Files", "GetFile", "SendFile"]


@command(
    "send_file",
    group="Write",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    help="opens an upload; its bytes follow with /chunk. The same again goes on after a lost connection",
    example='/send_file bob "my photo.png" 1234',
)
class SendFile(Command, frozen=True, tag="send_file"):
    target: Target
    name: FileName
    size: Size
    sha256: Sha256 | None = None
    key: Key | None = None


@command(
    "chunk",
    group="Write",
    seen_by_others=True,
    adds=True,
    help="the next bytes of an upload, at most 32 KiB; the last ones send the file",
    example="/chunk 7 aGVsbG8K",
)
class Chunk(Command, frozen=True, tag="chunk"):
    upload: Id
    base64: Data


@command("cancel_upload", group="Write", help="ends an upload of one's own", example="/cancel_upload 7")
class CancelUpload(Command, frozen=True, tag="cancel_upload"):
    upload: Id


@command(
    "get_file",
    group="Read",
    help="the bytes of a file, as lines = <base64>",
    example="/get_file 7",
)
class GetFile(Command, frozen=True, tag="get_file"):
    file_id: Id
    offset: Size | None = None
    length: Size | None = None


@command(
    "files",
    group="Read",
    usage={"before": "[before <id>]"},
    pairs=("before",),
    help="the files in a chat, the newest last; before a message",
    example="/files main",
)
class Files(Command, frozen=True, tag="files"):
    chat: Target
    before: Id | None = None
