"""Private files that several clients write at once: replaced whole, under a lock of their folder."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """No other client changes what is in the folder of the file within this block; the folder is made if there is none.
    Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def read(path: Path) -> bytes:
    """Nothing if there is no file yet. Raises OSError: a file that cannot be read now is not empty, and whoever took it
    for that would write over it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def replace(path: Path, content: bytes) -> None:
    """Raises OSError; the file is then as it was."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")  # of mode 0600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
