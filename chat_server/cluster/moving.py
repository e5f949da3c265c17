"""Moving a chat from a single server into a cluster, and from a snapshot to a single server."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chat_server.cluster import moving_files, snapshots
from chat_server.cluster.snapshots import Description, Progress, SnapshotError
from chat_server.errors import StartError
from chat_server.log.stream import FateUnknown, NotAppended, ObjectMissing, Objects, StreamLost, Streams
from chat_server.store import backup
from chat_server.store.backup import StoredFile
from chat_server.store.blobs import sync
from chat_server.store.data_directory import DATABASE, FILES, LOCK, MOVED, DataDirectory
from chat_server.store.database import open_writer
from chat_server.store.work_folder import work_folder

# A part of the bucket's name. It is always the same, so that an import that is run again replaces what a kill left.
_NONCE = "import"


async def import_chat(
    streams: Streams,
    objects: Objects,
    directory: DataDirectory,
    token_bytes: Callable[[int], bytes],
    progress: Progress,
    lost: list[StoredFile] | None = None,
) -> int:
    """Make the chat in the directory the first snapshot of a log that is empty, and mark the directory.

    The mark comes first, so that there is never a moment at which both may go on. All of it can be run again after a
    kill. Return how many files the chat has, whose bytes were moved too. `lost` takes those whose bytes are not to be
    had; without it, one of these is refused. Raises StartError.
    """
    data = directory.path
    if not (data / DATABASE).exists():
        raise StartError(f"there is no chat in {data}")
    try:
        await _refuse_used(streams)
        with work_folder(data) as work:
            for done, size in backup.copy(data, work / DATABASE):
                progress("copying the database", done, size)
            backup.check(work / DATABASE)
            # The copy is brought up to date, and the chat stays as it was.
            open_writer(work).close()
            backup.enter_cluster(work / DATABASE)
            await _refuse_other_chat(objects, snapshots.describe(work))
            missing = moving_files.find_lost(data, work / DATABASE)
            if lost is None:
                moving_files.refuse_lost(data, missing)
            else:
                lost += missing
            _mark_moved(data)
            count = await moving_files.store(objects, data, work / DATABASE, token_bytes, progress, missing)
            wanted = snapshots.describe(work)
            await snapshots.delete(objects, snapshots.bucket_of(wanted.position, _NONCE))
            _, bucket = await snapshots.store(objects, work, _NONCE, progress)
            try:
                await _refuse_used(streams)
            except StartError:
                await snapshots.delete(objects, bucket)
                raise
            return count
    except backup.Unusable as error:
        raise StartError(f"nothing was moved: {error}") from None
    except (NotAppended, FateUnknown, ObjectMissing, StreamLost) as error:
        raise StartError(f"the chat could not be moved, NATS did not take it: {error}; run it again") from None
    except OSError as error:
        raise StartError(f"the chat could not be copied: {error.strerror or error}") from None


async def _refuse_used(streams: Streams) -> None:
    """Raise StartError if anything was ever said in the log."""
    for stream in await streams.list():
        if stream > 1 or await streams.last(stream):
            raise StartError(
                "the log of this cluster is not empty, and a chat can be moved into an empty one alone: stop its nodes"
                " and NATS servers, and empty the store_dir of these, if nobody needs what is there"
            )


async def _refuse_other_chat(objects: Objects, wanted: Description) -> None:
    if any(each.history != wanted.history for each in await snapshots.list_whole(objects)):
        raise StartError(
            "this cluster has a snapshot of another chat: stop its NATS servers and empty their store_dir, if nobody"
            " needs what is there"
        )


def _mark_moved(data: Path) -> None:
    (data / MOVED).touch(mode=0o600)
    sync(data)


def _refuse_content(data: Path) -> None:
    if any(path.name != LOCK for path in data.iterdir()):
        raise StartError(f"the data directory {data} is not empty; choose another --data")


class Restored(NamedTuple):
    """What was restored, and the files whose bytes were not in the object store any more."""

    description: Description
    missing: list[StoredFile]


async def restore_alone(objects: Objects, directory: DataDirectory, history: str, progress: Progress) -> Restored:
    """Put the newest snapshot into an empty directory, for a single server, with its files.

    Raises StartError, and NotAppended while NATS cannot be read. Whatever it raises, the directory is empty as before.
    """
    data, missing = directory.path, list[StoredFile]()
    _refuse_content(data)

    async def prepare(database: Path) -> None:
        # The files come to lie beside the database, where a kill leaves nothing.
        work = database.parent
        missing.extend(await moving_files.fetch(objects, backup.files(database), work, progress))
        backup.leave_cluster(database, history)
        if (work / FILES).exists():
            (work / FILES).replace(data / FILES)

    try:
        found = await snapshots.load_newest(objects, data, progress, prepare)
    except BaseException as error:
        shutil.rmtree(data / FILES, ignore_errors=True)
        if isinstance(error, SnapshotError):
            raise StartError(str(error)) from None
        raise
    if found is None:
        raise StartError("the cluster has no snapshot")
    return Restored(found, missing)
