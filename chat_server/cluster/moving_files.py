"""Moving the bytes of a chat's files between a data directory and the object store of a cluster."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from chat_server.cluster.sealed_objects import SealedObjects
from chat_server.cluster.snapshots import Progress
from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, ObjectMissing, Objects
from chat_server.shared_files import NAME_BYTES, SECRET_BYTES, read_sha256
from chat_server.store import backup
from chat_server.store.backup import StoredFile
from chat_server.store.blobs import blob_path, sha256_of, sync
from chat_server.store.files import Stored, bucket_at

_READ_BYTES = 1 << 20


def find_lost(data: Path, database: Path) -> list[StoredFile]:
    """Return the files of the database whose bytes are not in the directory as they should be."""

    def is_sound(each: StoredFile) -> bool:
        path = blob_path(data, each.sha256)
        return path.exists() and sha256_of(path) == each.sha256

    return [each for each in backup.files(database) if not is_sound(each)]


def refuse_lost(data: Path, lost: Sequence[StoredFile]) -> None:
    """Raise StartError for the first of these files."""
    for each in lost:
        path = blob_path(data, each.sha256)
        raise StartError(
            f"nothing was moved: the bytes of {each.name} (message #{each.message_id}) are"
            f" {'damaged' if path.exists() else 'missing'}: {path}; put them back from a backup, or start the server"
            f" and /delete {each.message_id} as an operator, or leave all such files out with --without-lost-files"
        )


async def store(
    objects: Objects,
    data: Path,
    database: Path,
    token_bytes: Callable[[int], bytes],
    progress: Progress,
    lost: Sequence[StoredFile] = (),
) -> int:
    """Put the bytes of all files of the database but the lost ones into an empty object store, each as an object.

    Return how many there are. Raises NotAppended, FateUnknown, ObjectMissing.
    """
    sealed, bucket, places = SealedObjects(objects), bucket_at(backup.elapsed_ms(database)), {}
    # What an earlier try has left. Nobody uses it: the log is empty.
    await sealed.delete_bucket(bucket)
    without = {each.sha256 for each in lost}
    found = {file_id: sha256 for file_id, sha256 in backup.sha256_by_file(database).items() if sha256 not in without}
    for number, (file_id, sha256) in enumerate(found.items(), 1):
        progress("moving the files", number, len(found))
        place = Stored(f"{bucket}/{token_bytes(NAME_BYTES).hex()}", token_bytes(SECRET_BYTES))
        await sealed.put(place.object, place.secret, _bytes_of(blob_path(data, sha256)))
        if await read_sha256(sealed, place.object, place.secret) != sha256:
            raise ObjectMissing(f"file {file_id} reads differently from what was written")
        places[file_id] = place
    backup.place_files(database, bucket, places)
    return len(places)


async def fetch(objects: Objects, wanted: Iterable[StoredFile], data: Path, progress: Progress) -> list[StoredFile]:
    """Fetch the bytes of files into a directory, durably; return the files that are not in the object store.

    Raises NotAppended, OSError. What was fetched until then stays, and is not fetched again.
    """
    sealed, missing, wanted = SealedObjects(objects), [], list(wanted)
    for number, each in enumerate(wanted, 1):
        progress("fetching the files", number, len(wanted))
        path = blob_path(data, each.sha256)
        if path.exists():
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if each.place is None:
                raise ObjectMissing("it is in no object store")
            with path.open("xb") as file:
                path.chmod(0o600)
                digest = hashlib.sha256()
                async with aclosing(sealed.get(*each.place)) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                        file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != each.sha256:
                raise ObjectMissing("it has another sha256")
        except ObjectMissing:
            path.unlink(missing_ok=True)
            missing.append(each)
        except NotAppended:
            path.unlink()
            raise
        sync(path.parent)
    return missing


async def _bytes_of(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            yield data
