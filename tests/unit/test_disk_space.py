import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from chat_server import disk_space
from chat_server.disk_space import SPARE, Space
from tests.unit.fakes import FakeClock

BLOCK = 4096
RESERVE = 1 << 20
TOTAL = 16 << 20  # of which a 16th is spare


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk that has `free` bytes."""
    disk = SimpleNamespace(free=TOTAL)
    monkeypatch.setattr(
        os, "statvfs",
        lambda path: SimpleNamespace(f_bavail=disk.free // BLOCK, f_frsize=BLOCK, f_blocks=TOTAL // BLOCK),
    )  # fmt: skip
    return disk


def spare(path: Path) -> int:
    return (path / SPARE).stat().st_size if (path / SPARE).exists() else 0


def test_new_content_is_taken_down_to_the_reserve(disk: SimpleNamespace, tmp_path: Path) -> None:
    clock = FakeClock()
    made = Space(tmp_path, RESERVE, clock)
    made.keep_spare()
    for free, has_room in ((RESERVE, True), (RESERVE - BLOCK, False), (TOTAL, True)):
        disk.free = free
        clock.advance(1000)
        assert made.has_room() == has_room
    assert made.has_room(TOTAL - RESERVE) and not made.has_room(TOTAL - RESERVE + 1)


def test_new_content_cannot_take_the_room_of_the_spare_file(disk: SimpleNamespace, tmp_path: Path) -> None:
    made = Space(tmp_path, RESERVE, FakeClock())
    assert made.has_room(), "there is no spare file, but more room than it takes"
    disk.free = RESERVE + spare(tmp_path) + BLOCK
    made = Space(tmp_path, RESERVE, FakeClock())
    assert not made.has_room()


def test_the_spare_file_is_given_up_in_growing_pieces_and_made_again(disk: SimpleNamespace, tmp_path: Path) -> None:
    clock = FakeClock()
    made = Space(tmp_path, RESERVE, clock)
    made.keep_spare()
    whole = spare(tmp_path)
    assert whole == TOTAL // disk_space.SPARE_PART
    sizes = []
    while made.give_up_spare():
        sizes.append(spare(tmp_path))
    piece = disk_space.PIECE_BYTES_MIN
    assert sizes[:3] == [whole - piece, whole - 3 * piece, whole - 7 * piece] and sizes[-1] == 0
    disk.free = RESERVE
    clock.advance(1000)
    made.keep_spare()
    assert spare(tmp_path) == 0
    disk.free = RESERVE + whole
    clock.advance(1000)
    made.keep_spare()
    assert spare(tmp_path) == whole
    assert made.give_up_spare() and spare(tmp_path) == whole - piece, "what suffices is asked anew each time"


def test_a_start_on_a_full_disk_uses_a_part_of_the_spare_file(disk: SimpleNamespace, tmp_path: Path) -> None:
    Space(tmp_path, RESERVE, FakeClock()).keep_spare()
    whole = spare(tmp_path)
    disk.free = 0
    Space(tmp_path, RESERVE, FakeClock())
    assert spare(tmp_path) == whole - disk_space.START_BYTES


def test_the_room_of_one_run_is_kept_for_the_next(disk: SimpleNamespace, tmp_path: Path) -> None:
    """This holds however often a server on a full disk is started and stopped or killed."""
    Space(tmp_path, RESERVE, FakeClock()).keep_spare()
    whole = spare(tmp_path)
    for _ in range(20):
        disk.free = 0
        made = Space(tmp_path, RESERVE, FakeClock())
        disk.free = whole - spare(tmp_path)
        made.take_back()
        assert spare(tmp_path) == whole
    (tmp_path / "chat.db-wal").write_bytes(bytes(disk_space.START_BYTES))
    disk.free = 0
    Space(tmp_path, RESERVE, FakeClock())
    assert spare(tmp_path) == whole, "what was killed left its log, which is written to again"


def test_without_a_reserve_there_is_no_spare_file(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.free = 0
    made = Space(tmp_path, 0, FakeClock())
    made.keep_spare()
    assert made.has_room(1 << 40) and not made.give_up_spare() and spare(tmp_path) == 0
