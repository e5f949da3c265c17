"""The log of what was read: once each, in the order in which it was read, whatever the texts are."""

import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from chat_client.common.reading_log import ReadingLog
from tests.client.people import said


@pytest.fixture
def log(tmp_path: Path) -> ReadingLog:
    return ReadingLog(tmp_path / "log")


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.common.reading_log.local", lambda at: at)


def read(tmp_path: Path, chat: str) -> list[str]:
    return (tmp_path / "log" / f"{chat}.log").read_text().splitlines()


def test_a_file_for_each_chat(log: ReadingLog, tmp_path: Path) -> None:
    log.note(said(1, "hi"), "alice")
    log.note(said(2, "two\nlines (#99)", chat="#ops"), "alice")
    log.note(said(3, "psst", chat="@bob"), "alice")
    log.note(said(4, "mine", who="alice", chat="@bob"), "alice")
    assert read(tmp_path, "main") == ["2026-11-18 08:00:01 main bob: hi (#1)"]
    assert read(tmp_path, "#ops") == ["2026-11-18 08:00:02 #ops bob: two (#2)", "    | lines (#99)"]
    assert [line[20:] for line in read(tmp_path, "@bob")] == ["@bob: psst (#3)", "to @bob: mine (#4)"]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "log" / "main.log").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_written_again_by_the_next_run_either(log: ReadingLog, tmp_path: Path) -> None:
    for _ in range(2):
        log.note(said(5, "hi"), "alice")
    log.note(said(4), "alice")
    log.note(said(7, deleted=True), "alice")
    again = ReadingLog(tmp_path / "log")
    again.note(said(5, "hi, edited", edited="2026-11-18T09:00:00.000Z"), "alice")
    again.note(said(6, "two\nlines (#99)"), "alice")
    again = ReadingLog(tmp_path / "log")
    again.note(said(7, "more"), "alice")
    assert [line.rsplit(" ", 1)[1] for line in read(tmp_path, "main")] == ["(#5)", "(#6)", "(#99)", "(#7)"]


def test_after_a_restore_ids_begin_anew_in_the_next_run_too(log: ReadingLog, tmp_path: Path) -> None:
    log.note(said(50, "lost"), "alice")
    for again in (log, ReadingLog(tmp_path / "log")):
        for number in (3, 4):
            again.note(replace(said(number, f"new {number}"), at=f"2026-11-19T08:00:0{number}.000Z"), "alice")
    assert [line.split(" ", 3)[3] for line in read(tmp_path, "main")] == [
        "bob: lost (#50)",
        "bob: new 3 (#3)",
        "bob: new 4 (#4)",
    ]


def test_two_clients_at_once_write_each_message_once(log: ReadingLog, tmp_path: Path) -> None:
    other = ReadingLog(tmp_path / "log")
    for number in (1, 2):
        log.note(said(number), "alice")
        other.note(said(number), "alice")
    other.note(said(3), "alice")
    log.note(said(3), "alice")
    assert [line.rsplit(" ", 1)[1] for line in read(tmp_path, "main")] == ["(#1)", "(#2)", "(#3)"]


def test_a_file_that_is_moved_away_begins_anew(log: ReadingLog, tmp_path: Path) -> None:
    log.note(said(1), "alice")
    (tmp_path / "log" / "main.log").rename(tmp_path / "log" / "main.log.1")
    log.note(said(2), "alice")
    assert len(read(tmp_path, "main")) == 1


def test_whatever_a_chat_is_called_its_file_is_in_the_folder(log: ReadingLog, tmp_path: Path) -> None:
    for number, chat in enumerate(("../x", "/etc/passwd", "@a\0b\n", "..", "#c\u202e\x9b"), 1):
        assert log.note(said(number, chat=chat), "alice") is None
    names = ["#c.log", "...log", ".._x.log", "@ab.log", "_etc_passwd.log"]
    assert sorted(file.name for file in (tmp_path / "log").iterdir()) == names
    assert "logged" in str(log.note(said(9, chat="x" * 300), "alice"))


def test_on_a_full_disk_no_part_of_a_line_stays(
    log: ReadingLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, 50

    def write_what_fits(number: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(number, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write_what_fits)
    assert log.note(said(1, "hi"), "alice") is None
    assert log.note(said(2, "hello"), "alice") == "what you read is no longer logged: No space left on device"
    room = 50
    assert ReadingLog(tmp_path / "log").note(said(2, "hi"), "alice") is None
    assert [line[20:] for line in read(tmp_path, "main")] == ["main bob: hi (#1)", "main bob: hi (#2)"]


def test_a_log_that_cannot_be_written_is_told_of_once(log: ReadingLog, tmp_path: Path) -> None:
    (tmp_path / "log" / "main.log").mkdir()
    words = log.note(said(1), "alice")
    assert words is not None and "no longer logged: main.log: " in words
    assert log.note(said(2), "alice") is None
    with pytest.raises(OSError):
        ReadingLog(Path("/dev/null/log"))
