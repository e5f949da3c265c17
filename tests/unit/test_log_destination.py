import os
from pathlib import Path

import pytest

from chat_server.log_destination import file_of, is_journal
from chat_server.settings import load


@pytest.mark.parametrize(
    ("said", "on_terminal", "file"),
    [
        (None, False, None), (None, True, "/data/chat-server.log"), ("-", True, None), ("-", False, None),
        ("/var/log/chat.log", False, "/var/log/chat.log"), ("/var/log/chat.log", True, "/var/log/chat.log"),
        ("~/chat.log", False, "/home/me/chat.log"), ("chat.log", False, str(Path.cwd() / "chat.log")),
    ],
)  # fmt: skip
def test_where_the_log_goes(
    monkeypatch: pytest.MonkeyPatch, said: str | None, on_terminal: bool, file: str | None
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    settings = load([] if said is None else ["--log-file", said], {})
    found = file_of(settings, Path("/data"), on_terminal=on_terminal)
    assert found == (Path(file) if file else None)


def test_the_journal_is_known_by_its_device_and_inode() -> None:
    read, write = os.pipe()
    found = os.fstat(write)
    assert is_journal(write, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    assert not is_journal(write, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
    assert not is_journal(write, {})
    os.close(read)
    os.close(write)
    assert not is_journal(write, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
