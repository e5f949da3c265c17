import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from chat_server.errors import StartError
from chat_server.store.data_directory import LOCK, TEMPORARY, DataDirectory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    directory = DataDirectory(str(tmp_path / "a" / "b"))
    assert directory.path == tmp_path / "a" / "b"
    assert mode(directory.path) == 0o700 and mode(directory.path / LOCK) == 0o600
    directory.close()
    assert directory.path.is_dir()


def test_an_empty_directory_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DataDirectory(str(tmp_path)).close()
    assert mode(tmp_path) == 0o700


def test_a_directory_belongs_to_one_server_at_a_time(tmp_path: Path) -> None:
    first = DataDirectory(str(tmp_path))
    with pytest.raises(StartError, match=f"in use by another chat-server \\(process {os.getpid()}\\)"):
        DataDirectory(str(tmp_path))
    first.close()
    DataDirectory(str(tmp_path)).close()


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", cannot)
    with pytest.raises(StartError, match=r"cannot lock files \(No locks available\); choose a --data on a local disk"):
        DataDirectory(str(tmp_path))


def test_a_temporary_directory_is_removed() -> None:
    one, other = DataDirectory(TEMPORARY), DataDirectory(TEMPORARY)
    assert one.temporary and one.path != other.path and mode(one.path) == 0o700
    for directory in (one, other):
        directory.close()
        assert not directory.path.exists()


def test_a_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = DataDirectory("~/chat")
    assert directory.path == tmp_path / "chat"
    directory.close()


def test_an_impossible_directory_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot use the data directory"):
        DataDirectory(str(tmp_path / "file"))
