"""The bytes of files on disk: parts of open uploads, and blobs named by their sha256.

    <data>/uploads/7        the bytes that upload 7 has received
    <data>/uploads/7.abcd…  an empty note: upload 7 has put this blob in place, and may not be a file yet
    <data>/uploads/fetched.… what was fetched from a cluster's object store, and is not whole yet
    <data>/files/ab/abcd…   a blob; equal bytes are stored once, however many files have them

The database decides what is deleted. Blobs that it does not know stay, since it may be the wrong database. In a cluster
the blobs are a cache (see `shared_files`). No other module touches these bytes. All methods may raise OSError, and all
are called on one thread.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

# A blob is verified in steps of STEP_BYTES, and read in pieces of READ_BYTES.
STEP_BYTES = 2 << 20
READ_BYTES = 256 << 10
# So many blobs are remembered as verified.
VERIFIED_MAX = 10_000


class Damaged(Exception):
    """Raised for a blob whose bytes do not match its name. The message continues “the bytes …”."""


class Blobs:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._parts = directory / "uploads"
        self._files = directory / "files"
        for folder in (self._parts, self._files):
            folder.mkdir(mode=0o700, exist_ok=True)
        # The bytes received and sent since the start.
        self.bytes_received = self.bytes_sent = 0
        # The blobs put in place by each upload that is not yet known to be a file.
        self._placed: dict[int, set[str]] = {}
        for each in self._parts.glob("[0-9]*.*"):
            self._placed.setdefault(int(each.stem), set()).add(each.suffix[1:])
        for each in self._parts.glob("fetched.*"):
            each.unlink(missing_ok=True)
        # Blobs that were whole when verified, each with the state of its file then.
        self._verified: dict[str, tuple[int, ...]] = {}
        # While there are holders nothing is deleted; the blobs to delete wait in `_unwanted`.
        self._holders = 0
        self._unwanted: set[str] = set()

    # ---- parts

    def received_bytes(self, upload: int, size: int) -> int:
        """Return how many bytes of the part are there, at most `size` - 1.

        If all are there but the upload was not completed, the last one is cut off, so that another chunk completes it.
        """
        path = self._part(upload)
        try:
            there = path.stat().st_size
        except FileNotFoundError:
            return 0
        if there >= size:
            os.truncate(path, size - 1)
        return min(there, size - 1)

    def append(self, upload: int, data: bytes) -> int:
        """Append all of the data to the part, or nothing. Return how many bytes the part has then."""
        descriptor = os.open(self._part(upload), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            self.bytes_received += len(data)
            return before + len(data)
        finally:
            os.close(descriptor)

    def read_part(self, upload: int, offset: int, length: int) -> bytes:
        """Return so many bytes of a part, or fewer if they are not there."""
        try:
            with self._part(upload).open("rb", buffering=0) as part:
                return os.pread(part.fileno(), length, offset)
        except FileNotFoundError:
            return b""

    def seal(self, upload: int) -> str:
        """Make the part durable and return its sha256."""
        with self._part(upload).open("rb") as part:
            digest = hashlib.file_digest(part, "sha256").hexdigest()
            _fsync(part.fileno())
        return digest

    def place(self, upload: int, sha256: str) -> None:
        """Turn a sealed part into the blob of that sha256, durably. It is kept until `discard` of this upload.

        A blob that is there already is verified, and replaced if it is damaged.
        """
        blob = self._blob(sha256)
        self._note(upload, sha256).touch(mode=0o600)
        self._placed.setdefault(upload, set()).add(sha256)
        if self._is_whole(sha256):
            self._part(upload).unlink()
            return
        if not blob.parent.exists():
            blob.parent.mkdir(mode=0o700)
            sync(self._files)
        self._part(upload).rename(blob)
        sync(blob.parent)

    def _is_whole(self, sha256: str) -> bool:
        try:
            for _ in self.verify(sha256):
                pass
        except Damaged:
            return False
        return True

    def discard(self, upload: int) -> list[str]:
        """Delete the part and the notes of an upload that is over. Return the blobs that it had put in place."""
        self._part(upload).unlink(missing_ok=True)
        placed = sorted(self._placed.pop(upload, ()))
        for sha256 in placed:
            self._note(upload, sha256).unlink(missing_ok=True)
        return placed

    def uploads(self) -> list[int]:
        return [int(each.name) for each in self._parts.iterdir() if each.name.isdigit()]

    # ---- blobs

    def verify(self, sha256: str) -> Iterator[None]:
        """Read the blob to its end in steps, unless it is unchanged since it was verified. Raises Damaged."""
        try:
            with self._blob(sha256).open("rb", buffering=0) as blob:
                state = _file_state(blob.fileno())
                if self._verified.get(sha256) == state:
                    return
                digest = hashlib.sha256()
                while data := blob.read(READ_BYTES):
                    digest.update(data)
                    if not blob.tell() % STEP_BYTES:
                        yield
        except FileNotFoundError:
            raise Damaged("are missing") from None
        except OSError as error:
            raise Damaged(f"cannot be read ({error.strerror})") from None
        if digest.hexdigest() != sha256:
            raise Damaged("are damaged")
        while len(self._verified) >= VERIFIED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[sha256] = state

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        with self._blob(sha256).open("rb", buffering=0) as blob:
            data = os.pread(blob.fileno(), length, offset)
        self.bytes_sent += len(data)
        return data

    def delete(self, sha256: str) -> None:
        """Delete a blob, unless its upload may still become a file. MUST NOT be called for a blob that a file has."""
        if self._holders:
            self._unwanted.add(sha256)
        elif not any(sha256 in placed for placed in self._placed.values()):
            self._blob(sha256).unlink(missing_ok=True)

    def hold(self) -> None:
        """Delete nothing until `release`."""
        self._holders += 1

    def release(self) -> list[str]:
        """Return the blobs that were to be deleted, once nobody holds them; files may have them again by now."""
        self._holders -= 1
        if self._holders:
            return []
        unwanted, self._unwanted = self._unwanted, set()
        return sorted(unwanted)

    # ---- the cache of a cluster's node

    def append_fetched(self, name: str, data: bytes) -> None:
        with self._fetched(name).open("ab", buffering=0) as file:
            os.fchmod(file.fileno(), 0o600)
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def place_fetched(self, name: str, sha256: str) -> None:
        """Turn what was fetched into the blob of that sha256. Nothing is synced, since it can be fetched again."""
        blob = self._blob(sha256)
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        self._fetched(name).rename(blob)

    def drop_fetched(self, name: str) -> None:
        """Remove what was not put in place."""
        self._fetched(name).unlink(missing_ok=True)

    def evict(self, sha256: str) -> bool:
        """Delete a blob that can be fetched again; False if it has to stay for now."""
        if self._holders or any(sha256 in placed for placed in self._placed.values()):
            return False
        self._blob(sha256).unlink(missing_ok=True)
        return True

    def size(self, sha256: str) -> int | None:
        try:
            return self._blob(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def folders(self) -> Iterator[list[str]]:
        """Yield the names of all blobs, a folder at a time."""
        for folder in sorted(self._files.iterdir()):
            yield [each.name for each in folder.iterdir()]

    def _part(self, upload: int) -> Path:
        return self._parts / str(upload)

    def _fetched(self, name: str) -> Path:
        return self._parts / f"fetched.{name}"

    def _note(self, upload: int, sha256: str) -> Path:
        return self._parts / f"{upload}.{sha256}"

    def _blob(self, sha256: str) -> Path:
        return blob_path(self._directory, sha256)


def blob_path(directory: Path, sha256: str) -> Path:
    """Return where the data directory has the blob of this sha256, whether it is there or not."""
    return directory / "files" / sha256[:2] / sha256


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_state(descriptor: int) -> tuple[int, ...]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def sync(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync(descriptor: int) -> None:
    """Raise EIO for every failure: after a failed fsync the disk's content is unknown, even if the error was ENOSPC."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(errno.EIO, f"fsync failed: {error.strerror}") from None
