"""Files there and back: in pieces, going on where they were after a lost connection, checked by their sha256.

A received name is a peer's: it is reduced to its last component, never leaves the folder, and never overwrites.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from chat_client.errors import ChatError, Disconnected, Refused
from chat_client.states import OtherReply, Unknown
from chat_server.protocol.clean import clean
from chat_server.protocol.events import Event, Reply
from chat_server.protocol.files import size_told

CHUNK_BYTES = 32_768
# Fetched with one command, so that what is pushed meanwhile need not wait for all of the file.
PART_BYTES = 262_128
FILE_BYTES_MAX = 1 << 30  # where the server does not tell
NAME_BYTES_MAX = 200
TRIES_MAX = 5  # for an upload that another connection took over
_KNOWN_END = re.compile(r"(?s)(.*?)((?:\.tar)?\.[^.]{1,16})?")


class Progress(Struct, frozen=True):
    """How far a file has come, in bytes."""

    done: int
    size: int


OnProgress = Callable[[Progress], None]


class Commands(Protocol):
    """What is needed of a `Chat`."""

    @property
    def limits(self) -> dict[str, Any]: ...

    async def command(self, verb: str, /, **arguments: Any) -> Any: ...

    def connected(self) -> Awaitable[None]: ...


def fields(what: Event | Reply) -> dict[str, Any]:
    """By the names of the protocol, whether there is a class for it or not."""
    return what.fields if isinstance(what, Unknown | OtherReply) else dict(msgspec.to_builtins(what))


async def send(chat: Commands, target: str, path: Path, progress: OnProgress | None) -> Reply:
    limit = chat.limits.get("file_size_max")
    data = await asyncio.to_thread(_content, path, limit if isinstance(limit, int) else FILE_BYTES_MAX)
    digest = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
    opening = {
        "target": target,
        "name": _told(path),
        "size": len(data),
        "sha256": digest,
        "key": secrets.token_urlsafe(12),
    }
    upload: int | None = None
    tries = 0
    try:
        while True:
            try:
                reply: Reply = (await chat.command("send_file", **opening)).reply
                upload = fields(reply)["upload"]
                return await _send_from(chat, data, reply, progress)
            except Disconnected:
                await chat.connected()
            except Refused as refused:
                tries += 1
                if refused.code not in ("unknown_upload", "unavailable") or tries >= TRIES_MAX:
                    raise
    except asyncio.CancelledError:
        if upload is not None:
            with suppress(ChatError, TimeoutError):
                async with asyncio.timeout(1):
                    await chat.command("cancel_upload", upload=upload)
        raise


def _content(path: Path, bytes_max: int) -> bytes:
    """All of it. Raises OSError; ChatError for what is no file (a device has no end), Refused for too much."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ChatError(f"{_told(path)} is not a file")
    except ValueError as error:
        raise ChatError(f"{_told(path)}: {error}") from None
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise Refused("too_large", f"{_told(path)} has more than {size_told(bytes_max)}, which is the most for a file")
    return data


def _told(path: Path) -> str:
    """Its name, whatever bytes it is made of."""
    return path.name.encode(errors="replace").decode()


async def _send_from(chat: Commands, data: bytes, reply: Reply, progress: OnProgress | None) -> Reply:
    """From where the server is; the reply that has the message."""
    while "id" not in (state := fields(reply)):
        received = state["received"]
        if progress:
            progress(Progress(received, len(data)))
        piece = base64.b64encode(data[received : received + CHUNK_BYTES]).decode()
        reply = (await chat.command("chunk", upload=state["upload"], base64=piece)).reply
    if progress:
        progress(Progress(len(data), len(data)))
    return reply


async def fetch(chat: Commands, file_id: int, folder: Path, name: str | None, progress: OnProgress | None) -> Path:
    number, part = _part(folder)
    try:
        with os.fdopen(number, "wb") as file:
            said = await _fetch_into(chat, file_id, file.write, progress)
        return _place(part, folder, safe_name(name or str(said["name"])) or f"file-{file_id}")
    finally:
        _remove(part)


async def _fetch_into(
    chat: Commands, file_id: int, write: Callable[[bytes], Any], progress: OnProgress | None
) -> dict[str, Any]:
    """What the server says of the file: name, size, sha256."""
    digest, done = hashlib.sha256(), 0
    while True:
        try:
            lines, reply = await chat.command("get_file", file_id=file_id, offset=done, length=PART_BYTES)
        except Disconnected:
            await chat.connected()
            continue
        said = fields(reply)
        for line in lines:
            piece = _piece(fields(line), done)
            digest.update(piece)
            write(piece)
            done += len(piece)
        if progress:
            progress(Progress(done, said["size"]))
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
    match = _KNOWN_END.fullmatch(kept)
    assert match is not None
    stem, end = match[1], match[2] or ""
    return stem.encode()[: NAME_BYTES_MAX - len(end.encode())].decode(errors="ignore") + end


def _part(folder: Path) -> tuple[int, Path]:
    """An open file for what comes, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    return number, Path(name)


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)


def _place(part: Path, folder: Path, name: str) -> Path:
    """Under a name that nothing has yet: `photo (2).png`."""
    match = _KNOWN_END.fullmatch(name)
    assert match is not None
    for count in range(1, 10_000):
        target = folder / (name if count == 1 else f"{match[1]} ({count}){match[2] or ''}")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        return part.replace(target)
    raise FileExistsError(f"{folder / name} and its likes are there already")
