"""The log of what was read: once each, in the order in which it was read, whatever the texts are."""

from pathlib import Path

import pytest

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
    again.forget()
    again.note(said(1, "after a restore"), "alice")
    assert len(read(tmp_path, "main")) == 5


def test_a_log_that_cannot_be_written_is_told_of_once(log: ReadingLog, tmp_path: Path) -> None:
    (tmp_path / "log" / "main.log").mkdir()
    words = log.note(said(1), "alice")
    assert words is not None and "logged no more: main.log: " in words
    assert log.note(said(2), "alice") is None
    with pytest.raises(OSError):
        ReadingLog(Path("/dev/null/log"))
