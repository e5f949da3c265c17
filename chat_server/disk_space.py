"""Room on the disk: the reserve that stays free, and the spare file for when it is full.

New content is refused while less than `--disk-reserve` is free. Other programs can still fill the disk. Then the spare
file is given up piece by piece, since deleting and expiry have to write before they free anything.
"""

import logging
import os
from pathlib import Path

from chat_server.runtime import Clock

log = logging.getLogger("chat.space")

SPARE = "spare"
# SQLite's log, to which everything is written first.
LOG = "chat.db-wal"
# Removing 2,000 messages of 4 KB overwrites about 12 MB in SQLite's log.
SPARE_BYTES_MAX = 16 << 20
# The spare file takes no more than one part in so many of a small disk.
SPARE_PART = 16
PIECE_BYTES_MIN = 64 << 10
# What a start needs for SQLite's log, its index and what it stores.
START_BYTES = 256 << 10
# A look at the disk costs 2 µs, too much for each command. In this time not even a fast disk takes much.
LOOK_SECONDS = 0.01


class Space:
    """The room on one disk. If the disk cannot be asked, no method raises: the fault shows at the next write."""

    def __init__(self, directory: Path, reserve_bytes: int, clock: Clock) -> None:
        self.reserve_bytes = reserve_bytes
        self._clock = clock
        self._looked = float("-inf")
        self._directory = directory
        self._spare = directory / SPARE
        self._piece_bytes = PIECE_BYTES_MIN
        free_bytes, total_bytes = _free_and_total(directory)
        self._spare_bytes = min(SPARE_BYTES_MAX, reserve_bytes, total_bytes // SPARE_PART)
        # The log that a killed run left is room, too: SQLite writes over it.
        there = free_bytes + _size(directory / LOG)
        if there < START_BYTES:
            self._shrink_spare(START_BYTES - there)

    def free_bytes(self) -> int:
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._look(now)
        return self._free_bytes

    def _look(self, now: float) -> None:
        self._looked = now
        self._free_bytes, _ = _free_and_total(self._directory)
        # New content may not take the room that the spare file still needs.
        self._kept_bytes = self.reserve_bytes + max(0, self._spare_bytes - _size(self._spare))

    def set_reserve(self, reserve_bytes: int) -> None:
        _, total_bytes = _free_and_total(self._directory)
        self.reserve_bytes = reserve_bytes
        self._spare_bytes = min(SPARE_BYTES_MAX, reserve_bytes, total_bytes // SPARE_PART)
        self.look_again()

    def has_room(self, wanted_bytes: int = 0) -> bool:
        """Tell whether so much new content may be taken in."""
        if not self.reserve_bytes:
            return True
        # Each command asks, so nothing is called for it that is not needed.
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._look(now)
        return self._free_bytes - wanted_bytes >= self._kept_bytes

    def look_again(self) -> None:
        """Forget the last look at the disk."""
        self._looked = float("-inf")

    def give_up_spare(self) -> bool:
        """Free some of the spare file's room; False if none is left.

        The first piece is small, since deleting a message takes little and may be asked for often. Other programs may
        take the room as well, so each further piece is twice as large as the one before.
        """
        piece_bytes, self._piece_bytes = self._piece_bytes, self._piece_bytes * 2
        return self._shrink_spare(piece_bytes)

    def _shrink_spare(self, by_bytes: int) -> bool:
        size = _size(self._spare)
        left = size - by_bytes
        try:
            if left > 0:
                os.truncate(self._spare, left)
            else:
                self._spare.unlink()
        except OSError:
            return False
        self.look_again()
        given = (size - max(left, 0)) >> 10
        log.error("the disk is full: %d KiB of %s were given up, so that deleting goes on", given, self._spare)
        return True

    def keep_spare(self) -> None:
        """Make the spare file if there is room for it. MUST be called every now and then."""
        self._piece_bytes = PIECE_BYTES_MIN
        missing = self._spare_bytes - _size(self._spare)
        if missing > 0 and self.free_bytes() >= self.reserve_bytes + missing:
            self._grow_spare(self._spare_bytes)

    def take_back(self) -> None:
        """At a stop on a full disk, keep the room that this run had for the next one."""
        self.look_again()
        size = _size(self._spare)
        self._grow_spare(min(self._spare_bytes, size + self.free_bytes()))

    def _grow_spare(self, to_bytes: int) -> None:
        if to_bytes <= _size(self._spare):
            return
        try:
            descriptor = os.open(self._spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, to_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.debug("no spare file could be made: %s", error)
        self.look_again()


def _free_and_total(directory: Path) -> tuple[int, int]:
    """Return the free and all bytes of the disk, as users other than root may use them."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0, 0
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
