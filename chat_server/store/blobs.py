"""The bytes of files: parts of uploads that are under way, and blobs named by the sha256 of what is in them.

    <data>/uploads/7        what upload 7 has received
    <data>/uploads/7.abcd…  empty: upload 7 has put this blob in place, and is not known to have become a file yet
    <data>/files/ab/abcd…   a blob; the same bytes lie there once, however many files have them

What may go, the database says; what it does not know stays, since it may be the wrong database. In a cluster a store of
objects takes this one's place; nothing else of the server touches these bytes. Raises OSError. Used by one thread, so
that nothing here happens at the same time.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

# How much of a blob is looked at in one step, and read at once.
STEP_BYTES = 2 << 20
READ_BYTES = 256 << 10
# Of so many blobs it is known that they were whole.
SOUND_MAX = 10_000


class Damaged(Exception):
    """The bytes of a blob are not the ones that it is named by; the message says what is the matter with them."""


class Blobs:
    def __init__(self, directory: Path) -> None:
        self._parts = directory / "uploads"
        self._files = directory / "files"
        for folder in (self._parts, self._files):
            folder.mkdir(mode=0o700, exist_ok=True)
        # How many came in and went out since the start.
        self.bytes_received = self.bytes_sent = 0
        # What was put in place for an upload that is not known to have become a file yet.
        self._placed: dict[int, set[str]] = {}
        for each in self._parts.glob("[0-9]*.*"):
            self._placed.setdefault(int(each.stem), set()).add(each.suffix[1:])
        # Blobs that were whole when they were looked at, as they lay there then.
        self._sound: dict[str, tuple[int, ...]] = {}
        # For how many all blobs stay that are there, and which ones wait for that.
        self._keepers = 0
        self._unwanted: set[str] = set()

    # ---- parts

    def received(self, upload: int, size: int) -> int:
        """How many bytes are there, always less than `size`: the last one comes with what completes the upload."""
        path = self._part(upload)
        try:
            there = path.stat().st_size
        except FileNotFoundError:
            return 0
        if there >= size:
            os.truncate(path, size - 1)
        return min(there, size - 1)

    def append(self, upload: int, data: bytes) -> int:
        """Add to the part, all of it or nothing; how many bytes are there then."""
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

    def seal(self, upload: int) -> str:
        """The sha256 of the part, which is on disk then."""
        with self._part(upload).open("rb") as part:
            digest = hashlib.file_digest(part, "sha256").hexdigest()
            _fsync(part.fileno())
        return digest

    def place(self, upload: int, sha256: str) -> None:
        """A sealed part becomes the blob of that sha256. It is on disk, and kept until `discard` of this upload.

        If those bytes are there already, they are read again: damaged ones are replaced.
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
        """The upload is over: its part goes, if there is one; the blobs that were put in place for it."""
        self._part(upload).unlink(missing_ok=True)
        placed = sorted(self._placed.pop(upload, ()))
        for sha256 in placed:
            self._note(upload, sha256).unlink(missing_ok=True)
        return placed

    def uploads(self) -> list[int]:
        return [int(each.name) for each in self._parts.iterdir() if each.name.isdigit()]

    # ---- blobs

    def verify(self, sha256: str) -> Iterator[None]:
        """Read the blob to its end, in steps; once for as long as nobody writes to it. Raises Damaged."""
        try:
            with self._blob(sha256).open("rb", buffering=0) as blob:
                as_it_lies = _as_it_lies(blob.fileno())
                if self._sound.get(sha256) == as_it_lies:
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
        while len(self._sound) >= SOUND_MAX:
            del self._sound[next(iter(self._sound))]
        self._sound[sha256] = as_it_lies

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        with self._blob(sha256).open("rb", buffering=0) as blob:
            data = os.pread(blob.fileno(), length, offset)
        self.bytes_sent += len(data)
        return data

    def delete(self, sha256: str) -> None:
        """MUST NOT be called for a blob that a file has. One that waits for its upload to become a file stays."""
        if self._keepers:
            self._unwanted.add(sha256)
        elif not any(sha256 in placed for placed in self._placed.values()):
            self._blob(sha256).unlink(missing_ok=True)

    def keep(self) -> None:
        """Until `let_go` nothing is deleted."""
        self._keepers += 1

    def let_go(self) -> list[str]:
        """What was to be deleted meanwhile, if nobody keeps it any more; a file may have it again."""
        self._keepers -= 1
        if self._keepers:
            return []
        unwanted, self._unwanted = self._unwanted, set()
        return sorted(unwanted)

    def folders(self) -> Iterator[list[str]]:
        """All blobs, a folder at a time."""
        for folder in sorted(self._files.iterdir()):
            yield [each.name for each in folder.iterdir()]

    def _part(self, upload: int) -> Path:
        return self._parts / str(upload)

    def _note(self, upload: int, sha256: str) -> Path:
        return self._parts / f"{upload}.{sha256}"

    def _blob(self, sha256: str) -> Path:
        return self._files / sha256[:2] / sha256


def _as_it_lies(descriptor: int) -> tuple[int, ...]:
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
    """What is on the disk after an fsync that failed is not known, even where it says that there was no room."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(errno.EIO, f"fsync failed: {error.strerror}") from None
