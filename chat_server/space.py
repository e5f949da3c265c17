"""The room on the disk of the data directory: how much of it stays free, and a spare file for when there is none.

New content is refused while less than `--disk-reserve` is free. What other programs write can still fill the disk; then
the spare file is given up, half by half, so that deleting and expiry, which write before they free anything, can go on.
"""

import logging
import os
from pathlib import Path

from chat_server.clock import Clock
from chat_server.errors import Refusal, not_done

log = logging.getLogger("chat.space")

SPARE = "spare"
# Removing 2,000 messages of 4 KB overwrites about 12 MB in SQLite's log.
SPARE_BYTES_MAX = 16 << 20
# Of a small disk the spare file takes no more than this part.
SPARE_PART = 16
PIECE_BYTES_MIN = 64 << 10
# SQLite's log and its index, and what a start stores.
START_BYTES = 512 << 10
# A look at the disk costs 2 µs, too much for each command; in this time even a fast disk does not take much.
LOOK_SECONDS = 0.01


class Space:
    """Nothing here raises for a disk that cannot be asked: what is wrong with it shows when it is written to."""

    def __init__(self, directory: Path, reserve_bytes: int, clock: Clock) -> None:
        self.reserve_bytes = reserve_bytes
        self._clock = clock
        self._looked = float("-inf")
        self._directory = directory
        self._spare = directory / SPARE
        free_bytes, total_bytes = _free_and_total(directory)
        self._spare_bytes = min(SPARE_BYTES_MAX, reserve_bytes, total_bytes // SPARE_PART)
        if free_bytes < START_BYTES:
            self.give_up_spare()

    def free_bytes(self) -> int:
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._free_bytes, _ = _free_and_total(self._directory)
            # What is missing of the spare file is not for new content.
            self._kept_bytes = self.reserve_bytes + max(0, self._spare_bytes - self._spare_size())
        return self._free_bytes

    def has_room(self, wanted_bytes: int = 0) -> bool:
        """Whether new content may be taken in."""
        return not self.reserve_bytes or self.free_bytes() - wanted_bytes >= self._kept_bytes

    def look_again(self) -> None:
        """What was seen last does not count any more."""
        self._looked = float("-inf")

    def give_up_spare(self) -> bool:
        """Make half of the spare file's room free; False if there is none left. Who fills the disk takes that, too."""
        size = self._spare_size()
        try:
            if size // 2 >= PIECE_BYTES_MIN:
                os.truncate(self._spare, size // 2)
            else:
                self._spare.unlink()
        except OSError:
            return False
        self.look_again()
        log.error("the disk is full: %d KiB of %s were given up, so that deleting goes on", size // 2048, self._spare)
        return True

    def keep_spare(self) -> None:
        """Make the spare file where there is room for it."""
        missing = self._spare_bytes - self._spare_size()
        if missing <= 0 or self.free_bytes() < self.reserve_bytes + missing:
            return
        try:
            descriptor = os.open(self._spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._spare_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.debug("no spare file could be made: %s", error)
        self.look_again()

    def _spare_size(self) -> int:
        try:
            return self._spare.stat().st_size
        except OSError:
            return 0


def _free_and_total(directory: Path) -> tuple[int, int]:
    """In bytes, for who is not root."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0, 0
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def no_room() -> Refusal:
    return not_done("the server's disk is nearly full and takes nothing new; reading and deleting go on, try later")
