import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chat_server import log_file
from chat_server.log_file import FILES, LogFile, rotated
from tests.unit.fakes import FakeClock

Open = Callable[..., LogFile]


@pytest.fixture
def failed() -> list[int | None]:
    """The errors that were told."""
    return []


@pytest.fixture
def open_log(tmp_path: Path, failed: list[int | None]) -> Open:
    def open_log(path: Path | None = None, bytes_max: int = 1000) -> LogFile:
        return LogFile(
            path or tmp_path / "log", FakeClock(), bytes_max=bytes_max,
            drop_notice="{} are missing\n".format, on_failure=lambda error: failed.append(error.errno),
        )  # fmt: skip

    return open_log


def write(log: LogFile, text: str) -> None:
    log.write(text)
    assert log.drain()


def test_it_is_rotated_and_so_many_files_are_kept(tmp_path: Path, open_log: Open) -> None:
    """No line is torn apart or lost but with the oldest file, and nobody else may read any."""
    log = open_log()
    lines = [f"{number:049}\n" for number in range(20 * (FILES + 3))]
    for line in lines:
        write(log, line)
    files = [path for path in reversed(rotated(tmp_path / "log")) if path.exists()]
    assert len(files) == FILES == len(list(tmp_path.iterdir()))
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert all(path.stat().st_size == 1000 for path in files)
    assert "".join(path.read_text() for path in files) == "".join(lines[-20 * FILES :])


def test_a_new_run_goes_on_with_the_file(tmp_path: Path, open_log: Open) -> None:
    write(open_log(), "a\n")
    write(open_log(), "b\n")
    assert (tmp_path / "log").read_text() == "a\nb\n"


def test_a_failure_is_told_once_and_counted_where_lines_are_written_again(
    tmp_path: Path, open_log: Open, failed: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of which a part was written ends there."""
    log = open_log()
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: real(file, data[:2]) if len(data) > 2 else _no_room())
        for _ in range(3):
            write(log, "abcd\n")
    write(log, "again\n")
    assert len(failed) == 1
    assert (tmp_path / "log").read_text().splitlines()[-2:] == ["again", "3 are missing"]
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: _no_room())
        write(log, "x\n")
    assert len(failed) == 2


def _no_room() -> int:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("what", ["a directory", "of no directory"])
def test_a_file_that_cannot_be_opened_stops_nothing(
    tmp_path: Path, open_log: Open, failed: list[int | None], what: str
) -> None:
    path = tmp_path / "log" if what == "a directory" else tmp_path / "none" / "log"
    if what == "a directory":
        path.mkdir()
    log = open_log(path)
    write(log, "a\n")
    write(log, "b\n")
    assert len(failed) == 1
    if what == "a directory":
        path.rmdir()
    else:
        path.parent.mkdir()
    write(log, "c\n")
    assert path.read_text() == "c\n2 are missing\n"


@pytest.mark.parametrize("how", ["by its time", "when told"])
def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path, open_log: Open, how: str) -> None:
    log = open_log()
    write(log, "a\n")
    (tmp_path / "log").rename(tmp_path / "moved")
    write(log, "b\n")
    if how == "when told":
        log.reopen()
    else:
        log._clock.advance(1000 * log_file.LOOK_SECONDS)  # type: ignore[attr-defined]
    write(log, "c\n")
    assert (tmp_path / "moved").read_text() == "a\nb\n"
    assert (tmp_path / "log").read_text() == "c\n"


def test_a_device_is_never_renamed(open_log: Open, failed: list[int | None]) -> None:
    log = open_log(Path(os.devnull), 10)
    write(log, "x" * 100 + "\n")
    write(log, "x" * 100 + "\n")
    assert Path(os.devnull).is_char_device() and not Path(os.devnull + ".1").exists()
    assert failed == []
