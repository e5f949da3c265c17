"""The data directory: one, mode 0700, owned by one server at a time."""

import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from chat_server.errors import StartError

LOCK = "lock"
# Is there while a backup is put in the place of what was in the directory.
RESTORING = "restoring"
TEMPORARY = ":memory:"


class DataDirectory:
    """The directory, held by a lock for as long as this object is not closed. Raises StartError."""

    def __init__(self, name: str, *, restoring: bool = False) -> None:
        """With `restoring` also one whose last restore was interrupted."""
        self.temporary = name == TEMPORARY
        try:
            if self.temporary:
                self.path = Path(tempfile.mkdtemp(prefix="chat-server-"))
            else:
                self.path = Path(name).expanduser().absolute()
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                # One that holds other things too is not ours to close.
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
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        os.close(self._lock)
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
