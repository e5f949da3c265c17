"""The bytes of files: parts of uploads that are under way, and blobs named by the sha256 of what is in them.

    <data>/uploads/7        what upload 7 has received
    <data>/files/ab/abcd…   a blob; the same bytes lie there once, however many files have them

What is in use, and what may go, the database says. In a cluster a store of objects takes this one's place; nothing else
of the server touches these bytes. Raises OSError. Used by one thread, so that nothing here happens at the same time.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


class Blobs:
    def __init__(self, directory: Path) -> None:
        self._parts = directory / "uploads"
        self._files = directory / "files"
        for folder in (self._parts, self._files):
            folder.mkdir(mode=0o700, exist_ok=True)
        # How many came in and went out since the start.
        self.bytes_received = self.bytes_sent = 0
        # What was put in place for an upload that is not known to have become a file yet.
        self._placed: dict[int, str] = {}
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
                    raise OSError("the disk is full")
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
            os.fsync(part.fileno())
        return digest

    def place(self, upload: int, sha256: str) -> None:
        """A sealed part becomes the blob of that sha256. It is on disk, and kept until `discard` of this upload."""
        blob = self._blob(sha256)
        self._placed[upload] = sha256
        if blob.exists():
            self._part(upload).unlink()
            return
        if not blob.parent.exists():
            blob.parent.mkdir(mode=0o700)
            sync(self._files)
        self._part(upload).rename(blob)
        sync(blob.parent)

    def discard(self, upload: int) -> str | None:
        """The upload is over: its part goes, if there is one; the sha256 of the blob that was put in place for it."""
        self._part(upload).unlink(missing_ok=True)
        return self._placed.pop(upload, None)

    def uploads(self) -> list[int]:
        return [int(each.name) for each in self._parts.iterdir() if each.name.isdigit()]

    # ---- blobs

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        with self._blob(sha256).open("rb", buffering=0) as blob:
            data = os.pread(blob.fileno(), length, offset)
        self.bytes_sent += len(data)
        return data

    def delete(self, sha256: str) -> None:
        """MUST NOT be called for a blob that a file has. One that waits for its upload to become a file stays."""
        if self._keepers:
            self._unwanted.add(sha256)
        elif sha256 not in self._placed.values():
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

    def _blob(self, sha256: str) -> Path:
        return self._files / sha256[:2] / sha256


def sync(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
