"""Small disks for tests: a tmpfs in a mount namespace of its own, which whoever runs the tests may make.

disk = SmallDisk(tmp_path, 8 << 20)
disk.fill(leaving=0)         another program has written to it
disk.empty()                 and removed that again
"""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.harness import Server

_HOLD = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec sleep infinity'
PIECE_BYTES = 4096


class SmallDisk:
    """Whoever is in its namespace finds it at `path`; everybody finds it at `outside`."""

    def __init__(self, path: Path, size: int) -> None:
        path.mkdir()
        self.path = path
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, "sh", str(size), str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if not self._holder.stdout.readline():
            why = self._holder.stderr.read().decode().strip()
            self.close()
            pytest.skip(f"a small disk cannot be mounted here: {why}")
        self.outside = Path(f"/proc/{self._holder.pid}/root{path}")
        self._filler = self.outside / "filler"

    def enter(self) -> list[str]:
        """Put before a command, it runs where the disk is."""
        return ["nsenter", "--target", str(self._holder.pid), "--user", "--preserve-credentials", "--mount"]

    def free_bytes(self) -> int:
        found = os.statvfs(self.outside)
        return found.f_bavail * found.f_frsize

    def fill(self, *, leaving: int = 0) -> None:
        with self._filler.open("ab") as filler:
            while more := max(0, self.free_bytes() - leaving) // PIECE_BYTES * PIECE_BYTES:
                # The server writes, too: what was free may not be any more.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, more)

    def empty(self) -> None:
        self._filler.unlink()

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        for stream in (self._holder.stdout, self._holder.stderr):
            assert stream is not None
            stream.close()


class ServerOnDisk(Server):
    """A server whose data lies on a small disk."""

    def __init__(self, disk: SmallDisk, *options: str) -> None:
        super().__init__(disk.path / "data", *options)
        self.disk = disk

    def arguments(self) -> list[str]:
        return [*self.disk.enter(), *super().arguments()]
