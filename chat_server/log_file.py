"""The log in a file: it is rotated at 10 MB, five files in all, by the thread that writes it.

A file that cannot be written stops nothing: lines are dropped and counted, `on_failure` hears of it once, and the count
is written with the next line that can be. A file that was moved away, as by logrotate, is opened anew.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from chat_server.line_writer import LineWriter
from chat_server.runtime import Clock

FILE_BYTES_MAX = 10 << 20
FILES = 5
# How often the file is looked for at its path.
LOOK_SECONDS = 1.0
NAME = "chat-server.log"


def rotated(path: Path) -> list[Path]:
    """Return the paths of the files of a log, the newest first."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, FILES))]


class LogFile(LineWriter):
    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        drop_notice: Callable[[int], str],
        on_failure: Callable[[OSError], object],
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """`drop_notice`, `on_failure`: see `LineWriter`."""
        self.path = path
        self._clock = clock
        self._bytes_max = bytes_max
        self._tell_failure = on_failure
        self._is_failing = False
        self._is_torn = False  # the last line is there in part
        self._looked = float("-inf")
        self._file: int | None = None
        super().__init__(-1, drop_notice=drop_notice, on_failure=self._fail)

    def isatty(self) -> bool:
        return False

    def reopen(self) -> None:
        """Look for the file at its path with the next line."""
        self._looked = float("-inf")

    def _fail(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._tell_failure(error)

    def _write_all(self, data: bytes) -> None:
        file = self._open()
        found = os.fstat(file)
        # A device or a pipe is never renamed.
        if stat.S_ISREG(found.st_mode) and found.st_size and found.st_size + len(data) > self._bytes_max:
            self._rotate()
            file = self._open()
        if self._is_torn:
            data = b"\n" + data
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(file, rest) :]
            except OSError:
                self._is_torn = self._is_torn or 0 < len(rest) < len(data)
                raise
        self._is_failing = self._is_torn = False

    def _open(self) -> int:
        """Return the descriptor of the file at the path."""
        now = self._clock.monotonic()
        if self._file is not None and now - self._looked >= LOOK_SECONDS and not self._is_at_its_path():
            self._close()
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
            self._file = os.open(self.path, flags, 0o600)
            os.set_blocking(self._file, True)
            self._looked = now
        return self._file

    def _is_at_its_path(self) -> bool:
        assert self._file is not None
        self._looked = self._clock.monotonic()
        try:
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        *older, _ = files = rotated(self.path)
        for newer, path in zip(reversed(older), reversed(files), strict=False):
            if newer.exists():
                newer.replace(path)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
