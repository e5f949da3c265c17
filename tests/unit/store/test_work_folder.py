import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from chat_server.store.data_directory import DataDirectory
from chat_server.store.work_folder import remove_leftovers, work_folder


def leftover(data: Path) -> Path:
    """What a kill has left."""
    with work_folder(data) as work:
        (work / "chat.db").write_text("secret")
        killed = data / f"{work.name}.killed"
        shutil.copytree(work, killed)
    assert not work.exists()
    return killed


def test_each_start_removes_what_a_kill_has_left_but_none_that_is_in_use(tmp_path: Path) -> None:
    killed = leftover(tmp_path)
    with work_folder(tmp_path) as used:
        DataDirectory(str(tmp_path)).close()
        assert used.exists() and not killed.exists()


def test_a_leftover_that_cannot_be_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed = leftover(tmp_path)

    def rmtree(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", rmtree)
        remove_leftovers(tmp_path)
    assert caplog.messages == [f"{killed} holds texts and cannot be removed: Permission denied; remove it yourself"]


def test_a_file_system_that_locks_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", flock)
    with work_folder(tmp_path) as work:
        remove_leftovers(tmp_path)
        assert work.exists() and str(work) in caplog.text
    assert not work.exists()
