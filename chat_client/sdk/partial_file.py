"""The partial file of a download, until it is whole.

It has no name where the system can do that, so that a client that is killed leaves nothing behind. Elsewhere it has a
hidden name and a lock; the next download removes partial files without a lock.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

PREFIX, SUFFIX = ".chat-client-", ".part"


class PartialFile:
    """Open within `with`; removed after it, unless it was placed."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError. Makes the folder if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        self._path: Path | None = None
        number = _nameless(folder)
        if number is None:
            number, self._path = _named(folder)
        self.file: BinaryIO = os.fdopen(number, "w+b")

    def __enter__(self) -> "PartialFile":
        return self

    def place(self, target: Path) -> bool:
        """Give it this name; False if something else has the name."""
        self.file.flush()
        try:
            if self._path is None:
                # os.link follows the link in /proc only if it is given a folder; an absolute path makes no use of it.
                number = self.file.fileno()
                os.link(f"/proc/self/fd/{number}", target, src_dir_fd=number)
            else:
                os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                self._path.replace(target)
        except FileExistsError:
            return False
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _nameless(folder: Path) -> int | None:
    """None where the system, or the folder's file system, has no files without a name."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").exists():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        return None  # if the folder is the cause, the file with a name fails too and says why


def _named(folder: Path) -> tuple[int, Path]:
    while True:
        number, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=folder)
        fcntl.flock(number, fcntl.LOCK_EX)
        if Path(name).exists():  # else another client has swept it before it was locked
            return number, Path(name)
        os.close(number)


def _sweep(folder: Path) -> None:
    """Remove the partial files of clients that were killed."""
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with path.open("rb") as file, suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
