from pathlib import Path

import pytest

from chat_client.common.editor import USUAL, editor_command

FILE = Path("a file")


def test_what_the_user_names_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "code --wait")
    monkeypatch.delenv("VISUAL", raising=False)
    assert editor_command(FILE) == ["code", "--wait", "a file"]
    monkeypatch.setenv("VISUAL", "'my editor'")
    assert editor_command(FILE) == ["my editor", "a file"]
    monkeypatch.setenv("VISUAL", "'not closed")
    assert editor_command(FILE) == ["code", "--wait", "a file"]


def test_otherwise_one_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert editor_command(FILE) is None
    for name in reversed(USUAL):
        (tmp_path / name).touch(mode=0o755)
        assert editor_command(FILE) == [name, "a file"]
