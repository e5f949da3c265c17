"""The desktop's programs get what a peer wrote as plain arguments. The programs are played by scripts."""

import os
from pathlib import Path

import pytest

from chat_client.common.desktop import Notifier, open_file, open_link
from chat_client.sdk.errors import ChatError
from tests.client.programs import written

HOSTILE = [("--icon=/etc/passwd", "-u"), ("bob", '<a href="x">&lt; & <b>--hint</b>'), ("", "$(id) `id` ; \\n %s")]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which each of the programs writes its arguments, one a line."""
    folder, record = tmp_path / "bin", tmp_path / "record"
    folder.mkdir()
    for name in ("notify-send", "xdg-open", "open"):
        (folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{record}\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return record


@pytest.mark.parametrize(("title", "body"), HOSTILE)
def test_a_notification_has_neither_options_nor_markup(recorded: Path, title: str, body: str) -> None:
    notifier = Notifier({"DISPLAY": ":0", "PATH": f"{recorded.parent}/bin"})
    assert notifier.show(title, body)
    assert notifier._running is not None and notifier._running.wait() == 0
    escaped = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert recorded.read_text() == f"--app-name=chat\n--\n{title}\n{escaped}\n"


def test_notifications_do_not_pile_up(recorded: Path) -> None:
    program = recorded.parent / "bin" / "notify-send"
    program.write_text(f"#!/bin/sh\necho started >>{recorded}\nexec cat {recorded.parent}/wait\n")
    os.mkfifo(recorded.parent / "wait")
    notifier = Notifier({"WAYLAND_DISPLAY": "w", "PATH": str(program.parent)})
    assert notifier.show("one", "") and notifier.show("two", "")
    (recorded.parent / "wait").write_text("go on")
    assert notifier._running is not None and notifier._running.wait() == 0
    assert recorded.read_text() == "started\n"


def test_without_a_desktop_or_a_program_there_is_none(recorded: Path, tmp_path: Path) -> None:
    assert not Notifier({"PATH": f"{tmp_path}/bin"}).show("a", "b")
    assert not Notifier({"DISPLAY": ":0", "PATH": f"{tmp_path}"}).show("a", "b")
    notifier = Notifier({"DISPLAY": ":0", "PATH": f"{tmp_path}/bin"})
    (tmp_path / "bin" / "notify-send").unlink()
    assert not notifier.show("a", "b")


def test_a_file_is_opened_by_its_whole_path(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_file(Path("--help"))
    open_file(Path("two words"))
    opened = written(recorded, lambda data: data.count(b"\n") >= 2).decode()
    assert sorted(opened.splitlines()) == [f"{tmp_path}/--help", f"{tmp_path}/two words"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChatError, match=r"the file is photo\.png"):
        open_file(Path("photo.png"))


def test_a_link_is_opened_where_there_is_a_desktop(tmp_path: Path) -> None:
    opened, program = tmp_path / "opened", tmp_path / "xdg-open"
    os.mkfifo(opened)
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    assert not open_link("https://example.org", {"PATH": str(tmp_path)})
    assert not open_link("https://example.org", {"PATH": "/nowhere", "DISPLAY": ":0"})
    assert open_link("https://example.org", {"PATH": str(tmp_path), "DISPLAY": ":0"})
    assert opened.read_text() == "https://example.org\n"
