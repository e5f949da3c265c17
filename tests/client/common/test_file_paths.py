"""Paths as they are typed."""

from pathlib import Path

import pytest

from chat_client.common.file_paths import entries, typed_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("photo one.png", "phone.txt", ".hidden", "evil\x1b[31m"):
        (tmp_path / name).write_text("")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_entries(folder: Path) -> None:
    assert list(entries("")) == ["phone.txt", "photo one.png", "photos/"]
    assert list(entries("phot")) == ["photo one.png", "photos/"]
    assert list(entries("photos/")) == ["photos/a.png"]
    assert list(entries("~/pho")) == ["~/phone.txt", "~/photo one.png", "~/photos/"]
    assert list(entries(f"{folder}/.h")) == [f"{folder}/.hidden"]
    assert [list(entries(typed)) for typed in ("nowhere/x", "~nobody-like-this/x", "phone.txt/x", "\0/x")] == [[]] * 4


def test_the_file_that_is_meant(folder: Path) -> None:
    assert typed_path("~/a b") == typed_path('"~/a b"') == typed_path("'~/a b'") == folder / "a b"
    assert typed_path('"') == Path('"')


def test_a_tilde_is_part_of_a_name_where_it_is_nobodys_home(folder: Path) -> None:
    for name in ("~nobody-like-this", "~nobody-like-this/x", "~root"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("") if not path.is_dir() else None
        assert typed_path(name) == path
        path.unlink()
