"""The file into which one that is fetched comes, until all of it is there.

It has no name where the system can do that, so that nothing of it is left by a client that is killed. Elsewhere it has
a hidden name and a lock; what has no lock any more is removed with the next file.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

PREFIX, SUFFIX = ".chat-client-", ".part"


class Part:
    """Within `with`: open; what was not placed is gone behind it."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError. The folder is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        self._path: Path | None = None
        number = _nameless(folder)
        if number is None:
            number, self._path = _named(folder)
        self.file: BinaryIO = os.fdopen(number, "w+b")

    def __enter__(self) -> "Part":
        return self

    def placed(self, target: Path) -> bool:
        """Whether it has this name now; False if something else has it."""
        self.file.flush()
        try:
            if self._path is None:
                # A folder must be named for the link to follow this one; an absolute path does without it.
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
        return None  # if the folder is at fault, a file with a name says so


def _named(folder: Path) -> tuple[int, Path]:
    while True:
        number, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=folder)
        fcntl.flock(number, fcntl.LOCK_EX)
        if Path(name).exists():  # else another client has swept it before it was locked
            return number, Path(name)
        os.close(number)


def _sweep(folder: Path) -> None:
    """Remove what clients that were killed have left."""
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with path.open("rb") as file, suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
