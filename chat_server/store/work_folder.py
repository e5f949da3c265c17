"""Work folders in the data directory: each for a database on its way, and gone after a kill."""

import fcntl
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

log = logging.getLogger("chat.store")

# A work folder holds texts, so that what a kill has left goes with the next start, snapshot or restore. A folder in use
# is locked: two snapshots may be made beside a node at once, by itself and by the command.
# Nobody else gives a folder this name: the data directory may hold other things, too.
PREFIX = ".chat-server-work."


@contextmanager
def work_folder(data: Path) -> Iterator[Path]:
    """Make a folder that is removed at the end, or by `remove_leftovers` after a kill. Raises OSError."""
    with ExitStack() as stack:
        # Whoever removes leftovers waits until the new folder is locked.
        with _held(data):
            path = stack.enter_context(temporary_folder(PREFIX, data))
            stack.enter_context(_held(path))
        yield path


def remove_leftovers(data: Path) -> None:
    """Remove what kills have left of work folders."""
    with suppress(OSError), _held(data):
        for path in data.glob(f"{PREFIX}*"):
            try:
                with _held(path, waits=False):
                    shutil.rmtree(path)
            except (BlockingIOError, FileNotFoundError):
                # It is in use, or its user has just removed it.
                pass
            except OSError as error:
                log.warning(
                    "%s holds texts and cannot be removed: %s; remove it yourself", path, error.strerror or error
                )


@contextmanager
def temporary_folder(prefix: str, within: Path) -> Iterator[Path]:
    """A folder that is removed at the end. A signal that comes while it is made waits until its removal is sure."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=within)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with made as path:
        yield Path(path)


@contextmanager
def _held(folder: Path, *, waits: bool = True) -> Iterator[None]:
    """Hold the lock of a folder, which ends with the process. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Some file systems lock no folders. On these nobody removes one, so that whoever makes one goes on.
            if not waits:
                raise
        yield
    finally:
        os.close(descriptor)
