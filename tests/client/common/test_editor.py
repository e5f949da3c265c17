from contextlib import nullcontext
from pathlib import Path

import pytest

from chat_client.common.editor import USUAL, edited, editor_command

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


async def edit_by(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text after this script, which finds the file in $1, was the editor."""
    (tmp_path / "an editor").write_text(script)
    monkeypatch.setenv("VISUAL", f"sh '{tmp_path / 'an editor'}'")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return await edited("half a line", nullcontext())


def left(tmp_path: Path) -> list[str]:
    return [file.name for file in tmp_path.iterdir()]


async def test_the_text_is_as_the_editor_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await edit_by('echo and more >> "$1"', tmp_path, monkeypatch) == "half a line\nand more"
    windows = r"""printf '\357\273\277a\r\nb\r\n\n' > "$1" """
    assert await edit_by(windows, tmp_path, monkeypatch) == "a\nb"
    assert left(tmp_path) == ["an editor"], "nothing that was typed stays on the disk"


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 3", "sh ended with 3; the line is as it was"), ("kill -9 $$", "was ended by SIGKILL"),
     ('rm "$1"', "No such file")],
)  # fmt: skip
async def test_an_editor_that_fails(script: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=words):
        await edit_by(script, tmp_path, monkeypatch)
    assert left(tmp_path) == ["an editor"]
