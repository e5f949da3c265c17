"""Uploads and downloads in pieces, which continue after a lost connection, checked by sha256.

The slower the link, the smaller the piece: it takes at most half a second, so that messages wait for one piece at most.
The name of a download is a stranger's: it is reduced to its last component, never leaves the folder, and never
overwrites a file.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from chat_client.sdk.backoff import Backoff
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.events import OtherReply, Unknown
from chat_client.sdk.partial_file import PartialFile
from chat_client.sdk.piece_size import Pace
from chat_client.sdk.runtime import Runtime
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.sanitize import clean

CHUNK_BYTES = 32_768
# One command fetches at most this much, so that pushed events do not wait for a whole file.
PART_BYTES = 262_128
FILE_BYTES_MAX = 1 << 30  # if the server does not say
NAME_BYTES_MAX = 200
TRIES_MAX = 5  # for an upload that another connection took over, or whose bytes the server cannot take now
_KNOWN_END = r"(?s)(.*?)((?:\.tar)?\.[^.]{1,16})?"


class Progress(Struct, frozen=True):
    """How far a file has come, in bytes; bytes a second just now, and the seconds that are left at that rate."""

    done: int
    size: int
    rate: float = 0.0
    left: float | None = None


OnProgress = Callable[[Progress], None]


class Commands(Protocol):
    """The part of `Chat` that transfers use."""

    runtime: Runtime

    @property
    def limits(self) -> dict[str, Any]: ...

    async def command(self, verb: str, /, **arguments: Any) -> Any: ...

    def wait_until_connected(self) -> Awaitable[None]: ...


def fields(what: Event | Reply) -> dict[str, Any]:
    """Its fields by the names of the protocol, whether or not there is a class for it."""
    return what.fields if isinstance(what, Unknown | OtherReply) else dict(msgspec.to_builtins(what))


# ---- uploads


def describe_file(path: Path, limits: dict[str, Any]) -> dict[str, Any]:
    """The name and size of the file, as `/send_file` takes them. Raises OSError; ChatError if it is no regular file (a
    device has no end), Refused if it is too large."""
    try:
        status = path.stat()
    except ValueError as error:
        raise ChatError(f"{_valid_name(path)}: {error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ChatError(f"{_valid_name(path)} is not a file")
    _check_size(path, status.st_size, _bytes_max(limits))
    return {"name": _valid_name(path), "size": status.st_size}


def _valid_name(path: Path) -> str:
    """Its name as valid text: a name on disk may be any bytes."""
    return path.name.encode(errors="replace").decode()


def _bytes_max(limits: dict[str, Any]) -> int:
    limit = limits.get("file_size_max")
    return limit if isinstance(limit, int) else FILE_BYTES_MAX


def _check_size(path: Path, size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise Refused(
            "too_large", f"{_valid_name(path)} has more than {describe_size(bytes_max)}, which is the most for a file"
        )


async def send(
    chat: Commands,
    path: Path,
    arguments: dict[str, Any],
    key: str,
    progress: OnProgress | None,
    opened: Callable[[], None],
    backoff: Backoff,
) -> Reply:
    """Upload the file over the present connection; the same key goes on where it was. Return the last reply.

    `opened` is called when the server knows of it. Raises Disconnected, Refused, OSError.
    """
    data = await chat.runtime.in_thread(_content, path, _bytes_max(chat.limits))
    digest = (await chat.runtime.in_thread(hashlib.sha256, data)).hexdigest()
    opening = arguments | {"size": len(data), "sha256": digest, "key": key}
    upload: int | None = None
    tries = 0
    try:
        while True:
            began = chat.runtime.elapsed()
            reply: Reply = (await chat.command("send_file", **opening)).reply
            pace = Pace(CHUNK_BYTES, latency=chat.runtime.elapsed() - began)
            upload = fields(reply)["upload"]
            opened()
            try:
                return await _send_from(chat, data, reply, pace, progress)
            except Refused as refused:
                tries += 1
                if refused.code not in ("unknown_upload", "unavailable") or tries >= TRIES_MAX:
                    raise
            await chat.runtime.sleep(backoff.next_pause(chat.runtime.uniform))
    except (Disconnected, Refused):
        raise
    except BaseException:  # it was cancelled, or `progress` failed: nobody goes on with this upload
        if upload is not None:
            with suppress(ChatError, TimeoutError):
                async with chat.runtime.timeout(1):
                    await chat.command("cancel_upload", upload=upload)
        raise


def _content(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    _check_size(path, len(data), bytes_max)  # it may have grown since
    return data


async def _send_from(chat: Commands, data: bytes, reply: Reply, pace: Pace, progress: OnProgress | None) -> Reply:
    """Send the rest, from where the server is. Return the reply with the message."""
    while "id" not in (state := fields(reply)):
        received = state["received"]
        _tell(progress, received, len(data), pace)
        piece = data[received : received + pace.bytes]
        began = chat.runtime.elapsed()
        reply = (await chat.command("chunk", upload=state["upload"], base64=base64.b64encode(piece).decode())).reply
        pace.took(len(piece), chat.runtime.elapsed() - began)
    _tell(progress, len(data), len(data), pace)
    return reply


def _tell(progress: OnProgress | None, done: int, size: int, pace: Pace) -> None:
    if progress:
        progress(Progress(done, size, pace.rate, (size - done) / pace.rate if pace.rate else None))


# ---- downloads


async def fetch(chat: Commands, file_id: int, folder: Path, name: str | None, progress: OnProgress | None) -> Path:
    with PartialFile(folder) as part:
        said = await _fetch_into(chat, file_id, part.file.write, progress)
        return _place(part, folder, safe_name(name or str(said["name"])) or f"file-{file_id}")


async def _fetch_into(
    chat: Commands, file_id: int, write: Callable[[bytes], Any], progress: OnProgress | None
) -> dict[str, Any]:
    """Return what the server says of the file: name, size, sha256."""
    digest, done = hashlib.sha256(), 0
    pace = Pace(PART_BYTES)
    while True:
        began = chat.runtime.elapsed()
        try:
            lines, reply = await chat.command("get_file", file_id=file_id, offset=done, length=pace.bytes)
        except Disconnected:
            await chat.wait_until_connected()
            continue
        said, before = fields(reply), done
        for line in lines:
            piece = _piece(fields(line), done)
            digest.update(piece)
            write(piece)
            done += len(piece)
        pace.took(done - before, chat.runtime.elapsed() - began)
        _tell(progress, done, said["size"], pace)
        if done >= said["size"]:
            break
        if not lines:
            raise ChatError(f"the server sent nothing more of file {file_id}")
    if digest.hexdigest() != said["sha256"]:
        raise ChatError(f"file {file_id} came damaged: its sha256 is another one; fetch it again")
    return said


def _piece(chunk: dict[str, Any], expected: int) -> bytes:
    try:
        if chunk["offset"] != expected:
            raise ValueError
        return base64.b64decode(chunk["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ChatError("the server sent something else than the next piece of the file") from None


def safe_name(name: str) -> str:
    """Of a name that a peer chose: the last component, on one line, not hidden, no option, not too long; "" if
    nothing is left."""
    last = re.split(r"[/\\]", clean(name))[-1]
    kept = "".join(char if char.isprintable() else " " for char in last).strip().lstrip(". -")
    match = re.fullmatch(_KNOWN_END, kept)
    assert match is not None
    stem, end = match[1], match[2] or ""
    return stem.encode()[: NAME_BYTES_MAX - len(end.encode())].decode(errors="ignore") + end


def _place(part: PartialFile, folder: Path, name: str) -> Path:
    """Under a name that nothing has yet: `photo (2).png`."""
    match = re.fullmatch(_KNOWN_END, name)
    assert match is not None
    for count in range(1, 10_000):
        target = folder / (name if count == 1 else f"{match[1]} ({count}){match[2] or ''}")
        if not os.path.lexists(target) and part.place(target):
            return target
    raise FileExistsError(f"{folder / name} and its likes are there already")
