"""Snapshots of the chat's database in the object store, from which a node without a state starts.

A snapshot is a bucket of its own, since only a bucket that is deleted whole leaves no bytes behind. It has the copied
database, compressed, and a description that is put last, so that a bucket without one is not whole. Everything here
runs in a process of its own, at a low priority, so that it costs the node only what copying the file costs the disk.
"""

import hashlib
import logging
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from chat_server import __version__
from chat_server.errors import UNDECODABLE, StartError
from chat_server.log.stream import FateUnknown, NotAppended, ObjectMissing, Objects, Position
from chat_server.log.versions import VERSION
from chat_server.store import backup, digests
from chat_server.store.blobs import sha256_of, sync
from chat_server.store.data_directory import DATABASE, LOCAL_FILES
from chat_server.store.database import open_unchanged
from chat_server.store.schema import VERSION as SCHEMA
from chat_server.store.state import load
from chat_server.store.work_folder import remove_leftovers, work_folder

log = logging.getLogger("chat.cluster")

# Older ones are deleted once a newer one has been checked. A stream is deleted when these cover it.
KEPT = 2
CHUNK_BYTES = 1 << 17
# A fast level: a database of 100 MiB takes 2 s.
_LEVEL = 1
_PREFIX = "snapshot-"
_DATABASE, _DESCRIPTION = "database", "description"
# While this file exists, the state in the directory is wrong: the next start replaces it by a snapshot.
MISTAKEN = "mistaken"


class Description(Struct, frozen=True):
    """What is in a snapshot: how far its database is in the log, the digests, and the programs that can read it.

    `schema` is the version of the tables, and `version` that of the log. `digests` are those of all tables, `outcomes`
    is the running digest, `sha256` that of the database's bytes, and `elapsed_ms` how long the chat had lived.
    """

    position: Position
    history: str
    digests: dict[str, str]
    outcomes: bytes
    sha256: str
    size: int
    schema: int
    version: int
    program: str
    at_ms: int
    elapsed_ms: int


class SnapshotError(Exception):
    """Raised when a snapshot could not be made or used; the message says why."""


class NotTaken(SnapshotError):
    """Raised for a snapshot that NATS did not take, as during an election; another try may succeed."""


class _NewerTables(SnapshotError):
    """Raised for a snapshot that a newer program made, of a log whose version this one knows: an older one will do."""


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is to do."""


def _silent(what: str, done: int, total: int) -> None:
    pass


# ---- making one


async def make(objects: Objects, data: Path, nonce: str, progress: Progress = _silent) -> Description:
    """Make a snapshot of the database in `data`, check it, and delete those that it makes superfluous.

    The caller decides which node makes one. `nonce` makes the name of the bucket unique. Raises SnapshotError.
    """
    remove_leftovers(data)
    try:
        with work_folder(data) as work:
            for done, size in backup.copy(data, work / DATABASE):
                progress("copying the database", done, size)
            backup.check(work / DATABASE)
            description, _ = await store(objects, work, nonce, progress)
        await _delete_old(objects)
    except backup.Unusable as error:
        raise SnapshotError(str(error)) from None
    except OSError as error:
        raise SnapshotError(f"the database cannot be copied: {error.strerror or error}") from None
    except (NotAppended, FateUnknown, ObjectMissing) as error:
        raise NotTaken(f"the object store did not take it: {error}") from None
    return description


async def store(objects: Objects, work: Path, nonce: str, progress: Progress) -> tuple[Description, str]:
    """Store the database in the folder `work`, and read it back. Return its description and bucket.

    Raises NotAppended, FateUnknown, ObjectMissing and OSError.
    """
    description = describe(work)
    bucket = bucket_of(description.position, nonce)
    await objects.begin(bucket)
    try:
        await objects.put(bucket, _DATABASE, _compressed(work / DATABASE, description.size, progress))
        await objects.put(bucket, _DESCRIPTION, _one(msgspec.json.encode(description)))
        await _check(objects, bucket, description, progress)
    except BaseException:
        await delete(objects, bucket)
        raise
    return description, bucket


def describe(directory: Path) -> Description:
    """Describe the database in this directory, which nobody else has open."""
    path = directory / DATABASE
    with closing(open_unchanged(directory)) as db:
        db.run("BEGIN")
        state = load(db)
        tables = digests.now_of_tables(db)
    assert state.history is not None, "it has executed a batch"
    return Description(
        state.position, state.history, tables, state.outcomes, sha256_of(path), path.stat().st_size, SCHEMA,
        state.version, __version__, state.at_ms, state.elapsed_ms,
    )  # fmt: skip


async def _check(objects: Objects, bucket: str, wanted: Description, progress: Progress) -> None:
    """Read a snapshot back, as a node that starts would. Raises ObjectMissing."""
    if await _description(objects, bucket) != wanted:
        raise ObjectMissing("its description reads differently from what was written")
    digest, size = hashlib.sha256(), 0
    async for data in _plain(objects, bucket):
        digest.update(data)
        size += len(data)
        progress("checking the snapshot", size, wanted.size)
    if digest.hexdigest() != wanted.sha256:
        raise ObjectMissing("its bytes read differently from what was written")


async def _delete_old(objects: Objects) -> None:
    """Delete all but the last whole ones, and what older unfinished ones have left."""
    kept = 0
    for bucket in await _buckets(objects):
        if kept >= KEPT:
            await delete(objects, bucket)
        elif await _description_if_whole(objects, bucket) is not None:
            kept += 1
        elif kept:
            await delete(objects, bucket)


async def delete(objects: Objects, bucket: str) -> None:
    try:
        await objects.delete_bucket(bucket)
    except NotAppended as error:
        log.warning("the snapshot %s cannot be deleted for now: %s", bucket, error)


async def list_whole(objects: Objects) -> list[Description]:
    """Return what is in the snapshots that are whole, the newest first. Raises NotAppended."""
    found = [await _description_if_whole(objects, bucket) for bucket in await _buckets(objects)]
    return [each for each in found if each is not None]


def covered(kept: Sequence[Description]) -> Position | None:
    """Return the position that all kept snapshots have reached; None while there are fewer than KEPT.

    `kept` are the whole ones, the newest first. All streams before that position may be deleted.
    """
    return kept[KEPT - 1].position if len(kept) >= KEPT else None


# ---- starting from one


async def load_newest(
    objects: Objects,
    data: Path,
    progress: Progress = _silent,
    prepare: Callable[[Path], Awaitable[None]] | None = None,
) -> Description | None:
    """Put the newest sound snapshot in the place of the state in `data`; None if there is no snapshot at all.

    A damaged one is logged and the one before is taken, as for one that a newer program made during an upgrade. The
    directory MUST be locked with no server running on it; it may be empty. `prepare` may change the database before it
    is put there. Raises SnapshotError, and NotAppended while the object store cannot be read; then nothing is changed.
    """
    tried: set[str] = set()
    is_any = False
    newer: _NewerTables | None = None
    try:
        # They are listed anew for each: while one is loaded, two newer ones may replace all that were there.
        while (bucket := await _newest_but(tried, objects)) is not None:
            tried.add(bucket)
            # Asked before it is read: it may be finished meanwhile, and what was not there yet would pass for damage.
            if not await _has_description(objects, bucket):
                log.info("the snapshot %s was not finished (yet); the one before is taken", bucket)
                continue
            with work_folder(data) as work:
                try:
                    description = await _fetch(objects, bucket, work, progress)
                except (ObjectMissing, backup.Unusable) as error:
                    if await _has_description(objects, bucket):
                        is_any = True
                        log.error("the snapshot %s is damaged (%s); the one before is taken", bucket, error)
                    else:
                        log.info("the snapshot %s was deleted while it was loaded; another one is taken", bucket)
                    continue
                except _NewerTables as error:
                    newer = newer or error
                    continue
                if prepare is not None:
                    await prepare(work / DATABASE)
                _put_in_place(work / DATABASE, data)
                log.info("started from the snapshot %s, which chat-server %s made", bucket, description.program)
                return description
    except OSError as error:
        raise SnapshotError(f"the snapshot cannot be written into {data}: {error.strerror or error}") from None
    if newer is not None:
        raise newer
    if is_any:
        raise SnapshotError("all snapshots are damaged: restore a backup")
    return None


async def _fetch(objects: Objects, bucket: str, work: Path, progress: Progress) -> Description:
    """Write the database of a snapshot into a folder and check it. Raises ObjectMissing, Unusable, SnapshotError."""
    description = await _description(objects, bucket)
    if description.schema > SCHEMA or description.version > VERSION:
        refused = SnapshotError if description.version > VERSION else _NewerTables
        raise refused(
            f"the newest snapshot has version {description.schema} of the database and {description.version} of the"
            f" log, and this program knows up to {SCHEMA} and {VERSION}: use chat-server {description.program} or a"
            " newer one"
        )
    path, digest = work / DATABASE, hashlib.sha256()
    with path.open("xb") as file:
        path.chmod(0o600)
        async for data in _plain(objects, bucket):
            digest.update(data)
            file.write(data)
            progress("loading the snapshot", file.tell(), description.size)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != description.sha256:
        raise ObjectMissing("its bytes have another sha256 than it says")
    backup.check(path)
    if description.schema == SCHEMA and describe(work).digests != description.digests:
        raise ObjectMissing("its tables have other digests than it says")
    return description


def _put_in_place(database: Path, data: Path) -> None:
    """Replace the state in `data`. A kill at any moment leaves the old state, a wrong one with its mark, or the new."""
    if (data / DATABASE).exists():
        mark_mistaken(data)
    for name in (*LOCAL_FILES, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (data / name).unlink(missing_ok=True)
    sync(database)
    database.replace(data / DATABASE)
    sync(data)
    (data / MISTAKEN).unlink(missing_ok=True)
    sync(data)


def mark_mistaken(data: Path) -> None:
    """Note durably that the state in `data` is wrong, so that the next start replaces it."""
    (data / MISTAKEN).touch(mode=0o600)
    sync(data)


def is_mistaken(data: Path) -> bool:
    """Tell whether the state in `data` MUST be replaced before a start."""
    return (data / MISTAKEN).exists()


# ---- buckets and bytes


def bucket_of(position: Position, nonce: str) -> str:
    """Return the bucket's name. Names are in the order of the positions."""
    return f"{_PREFIX}{position.stream:08}-{position.sequence:016}-{nonce}"


async def _buckets(objects: Objects) -> list[str]:
    """Return the buckets of snapshots, the newest first."""
    return sorted((name for name in await objects.buckets() if name.startswith(_PREFIX)), reverse=True)


async def _newest_but(tried: set[str], objects: Objects) -> str | None:
    return next((bucket for bucket in await _buckets(objects) if bucket not in tried), None)


async def _description(objects: Objects, bucket: str) -> Description:
    """Raises ObjectMissing, NotAppended."""
    data = b"".join([chunk async for chunk in objects.get(bucket, _DESCRIPTION)])
    try:
        return msgspec.json.decode(data, type=Description)
    except UNDECODABLE as error:
        raise ObjectMissing(f"its description cannot be read: {error}") from None


async def _has_description(objects: Objects, bucket: str) -> bool:
    return _DESCRIPTION in await objects.names(bucket)


async def _description_if_whole(objects: Objects, bucket: str) -> Description | None:
    try:
        return await _description(objects, bucket)
    except ObjectMissing:
        return None


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _compressed(path: Path, size: int, progress: Progress) -> AsyncIterator[bytes]:
    done, press = 0, zlib.compressobj(_LEVEL)
    for chunk in _chunks(path):
        done += len(chunk)
        if data := press.compress(chunk):
            yield data
        progress("storing the snapshot", done, size)
    yield press.flush()


async def _plain(objects: Objects, bucket: str) -> AsyncIterator[bytes]:
    """Yield the bytes of the database. Raises ObjectMissing where they are not what was compressed."""
    press = zlib.decompressobj()
    try:
        async for chunk in objects.get(bucket, _DATABASE):
            data = press.decompress(chunk, CHUNK_BYTES)
            while data:
                yield data
                data = press.decompress(press.unconsumed_tail, CHUNK_BYTES)
        yield press.flush()
    except zlib.error as error:
        raise ObjectMissing(f"its bytes are no compressed database: {error}") from None
    if not press.eof:
        raise ObjectMissing("its bytes are cut short")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def refuse_mistaken(data: Path) -> None:
    """Raise StartError where the state in `data` is wrong and no snapshot has replaced it."""
    if is_mistaken(data):
        raise StartError(
            f"the state in {data} differs from that of the other nodes, and there is no snapshot to start from: once"
            " they have made one, start again, or empty the directory"
        )
