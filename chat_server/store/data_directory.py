"""The data directory, of mode 0700 and locked by one server at a time."""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chat_server.errors import StartError
from chat_server.store.blobs import sync
from chat_server.store.work_folder import remove_leftovers

log = logging.getLogger("chat.store")

LOCK = "lock"
# This file exists while a backup takes the place of the directory's content.
RESTORING = "restoring"
# This file exists once the chat in the directory was moved into a cluster.
MOVED = "moved"
TEMPORARY = ":memory:"
DATABASE = "chat.db"
# The machine's own database (see `local`), and SQLite's files beside it.
LOCAL = "local.db"
LOCAL_FILES = (LOCAL, f"{LOCAL}-wal", f"{LOCAL}-shm")
FILES = "files"
UPLOADS = "uploads"
# This file holds the `history` of the database that the files belong to.
OWNER = "history"
# SQLite's log begins with one of these, depending on its byte order.
_LOG_BEGINS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_OPENED = (LOCK, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", FILES, UPLOADS)


class Gone(Exception):
    """Raised when a file that the server has open is no longer at its path, so that what it writes would be lost."""


class DataDirectory:
    """The directory, held by a lock for as long as this object is not closed. Raises StartError."""

    def __init__(self, name: str, *, restoring: bool = False, moving: bool = False) -> None:
        """Lock the directory. One whose last restore was interrupted is accepted with `restoring` alone.

        One whose chat was moved into a cluster is accepted with `restoring` or `moving`.
        """
        self.temporary = name == TEMPORARY
        try:
            if self.temporary:
                self.path = Path(tempfile.mkdtemp(prefix="chat-server-"))
            else:
                self.path = Path(name).expanduser().absolute()
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                # The mode of a directory that holds other things is left alone.
                if (self.path / LOCK).exists() or not any(self.path.iterdir()):
                    self.path.chmod(0o700)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"cannot use the data directory {name}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                os.close(self._lock)
                raise StartError(
                    f"the file system of the data directory {self.path} cannot lock files ({error.strerror});"
                    " choose a --data on a local disk"
                ) from None
            owner = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise StartError(
                f"the data directory {self.path} is in use by another chat-server (process {owner});"
                " wait for that one or stop it, or give this one its own --data"
            ) from None
        if (self.path / RESTORING).exists() and not restoring:
            os.close(self._lock)
            raise StartError(
                f"a restore into {self.path} was interrupted: do it again with chat-server restore FILE --force"
            )
        if (self.path / MOVED).exists() and not restoring and not moving:
            os.close(self._lock)
            raise StartError(
                f"the chat in {self.path} was moved into a cluster: start a node with --cluster and another --data. If"
                f" the cluster was never used and this chat is to go on alone, remove {self.path / MOVED}"
            )
        remove_leftovers(self.path)
        # The spaces overwrite a longer number. A full disk may have no room even for this.
        with contextlib.suppress(OSError):
            os.pwrite(self._lock, f"{os.getpid():<19}\n".encode(), 0)

    def close(self) -> None:
        os.close(self._lock)
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)


class OpenFiles:
    """The files that the server has open, watched so that it notices when somebody removes or replaces them."""

    def __init__(self, directory: Path) -> None:
        """Look at the files. The database MUST have been opened and written to."""
        # The paths are kept as text: joining them anew took most of the time of a check, which each commit makes.
        self._database = str(directory / DATABASE)
        self._found = {path: self._identity(path) for path in (str(directory / name) for name in _OPENED)}
        self._log = os.open(directory / f"{DATABASE}-wal", os.O_RDONLY | os.O_CLOEXEC)

    def check(self) -> None:
        """Check that all files are at their paths, by six stat calls, which each commit can afford. Raises Gone."""
        for path, identity in self._found.items():
            if self._identity(path) != identity:
                raise Gone(f"{path} was removed, moved or replaced while the server ran")

    def check_committed(self) -> None:
        """Check the files right after a commit. Raises Gone.

        If somebody empties SQLite's log, SQLite goes on writing where it was. The log then begins with zeros, and
        nobody could read it.
        """
        self.check()
        begins = os.pread(self._log, 4, 0)
        if begins and begins not in _LOG_BEGINS:
            raise Gone(f"{self._database}-wal was emptied while the server ran")

    def close(self) -> None:
        os.close(self._log)

    def _identity(self, path: str) -> tuple[int, int, bool] | None:
        """Return the file's device and inode and whether it is an empty database, or None if there is no file."""
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:
            return None
        return found.st_dev, found.st_ino, path == self._database and not found.st_size


def refuse_lost_database(directory: Path) -> None:
    """Raise StartError if the directory held a chat whose database is lost: it must not be taken for a new chat."""
    database = directory / DATABASE
    empty = database.exists()
    if empty and database.stat().st_size:
        return
    log = directory / f"{DATABASE}-wal"
    refuse_traces(directory, "is empty" if empty else "is missing", log.name if _has_bytes(log) else None)


def refuse_traces(directory: Path, how: str, found: str | None = None) -> None:
    """Raise StartError if there are traces that only a chat leaves; `how` says what is wrong with its database."""
    found = found or next(_traces(directory), None)
    if found is not None:
        raise StartError(
            f"there was a chat in {directory} ({found} is of it), but its database {DATABASE} {how}; nothing was"
            f" changed: put {DATABASE} back, or chat-server restore FILE --force puts a backup in its place; for a new"
            " chat empty the directory or name another --data"
        )


def _traces(directory: Path) -> Iterator[str]:
    if (directory / OWNER).exists():
        yield OWNER
    for folder in (FILES, UPLOADS):
        with contextlib.suppress(OSError):
            for each in (directory / folder).iterdir():
                yield f"{folder}/{each.name}"


def _has_bytes(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def claim(directory: Path, history: str) -> None:
    """Note that the files here belong to the database with this history. Raises StartError if they are another's."""
    owner = directory / OWNER
    found = owner.read_text(errors="replace") if owner.exists() else ""
    if found == history:
        return
    if found:
        raise StartError(
            f"the files in {directory} belong to another database than {directory / DATABASE}: put the one back that"
            f" belongs to the other, or remove {owner} if they do belong together"
        )
    try:
        write_durably(owner, history)
    except OSError as error:
        # The disk may be full. Only the check at the next start depends on this note.
        log.warning("cannot note in %s whose files these are: %s", owner, error.strerror)


def write_durably(file: Path, text: str) -> None:
    """Replace a small file at once, and make it durable. Raises OSError."""
    part = file.with_name(f".{file.name}")
    try:
        part.write_text(text)
        sync(part)
        part.replace(file)
        sync(file.parent)
    except OSError:
        part.unlink(missing_ok=True)
        raise
