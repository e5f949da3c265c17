"""`chat-client settings`: the file with its comments, in an editor, and checked."""

import tomllib
from pathlib import Path

import pytest

from chat_client import settings_editor
from chat_client.settings import FILE_KEYS, UsageError, load
from chat_client.settings_editor import edit, template
from chat_client.tui.sections import SECTIONS
from tests.client.conftest import Home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "made" / "c.toml"


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_editor, "at_terminal", lambda stream=None: True)


def write_by(editor: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have this shell command edit the file, as `$1`; what is said of it."""
    script = file.parent.parent / "editor"
    script.write_text(f"#!/bin/sh\n{editor}\n")
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    said: list[str] = []
    monkeypatch.setattr("chat_client.standard_streams.out", said.append)
    edit(load(["--config", str(file), "settings"]), SECTIONS)
    return "".join(said)


def test_the_file_is_made_once_and_holds_every_entry(file: Path) -> None:
    settings = load(["--config", str(file), "settings"])
    edit(settings, SECTIONS)
    assert file.read_text() == template(SECTIONS) and file.stat().st_mode & 0o777 == 0o600
    assert load(["--config", str(file)]).theme is None, "nothing is set before a sign is taken away"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("# ")]
    whole = tomllib.loads("\n".join(line.removeprefix("#") for line in lines))
    assert set(whole) == {*FILE_KEYS, "profiles", *(section.name for section in SECTIONS)}
    file.write_text('user = "bob"')
    edit(settings, SECTIONS)
    assert file.read_text() == 'user = "bob"'


@pytest.mark.usefixtures("at_a_terminal")
def test_what_was_written_is_checked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is fine" in write_by("""echo 'user = "bob"' > "$1" """, file, monkeypatch)
    assert load(["--config", str(file)]).user == "bob"
    for wrong, words in {
        "user = 3": "user is a text in quotes",
        "[kyes]": "an unknown section: kyes",
        "[profiles.work]\\nsrever = 1": "did you mean server",
        "user =": "is not TOML",
    }.items():
        with pytest.raises(UsageError, match=words):
            write_by(f"""printf '{wrong}\\n' > "$1" """, file, monkeypatch)
    # A file that is wrong can be opened all the same: this is how it is put right.
    assert "is fine" in write_by(""": > "$1" """, file, monkeypatch)


@pytest.mark.usefixtures("at_a_terminal")
def test_an_editor_that_fails_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="ended with 3"):
        write_by("exit 3", file, monkeypatch)
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    with pytest.raises(UsageError, match="cannot start /nowhere/editor"):
        edit(load(["--config", str(file), "settings"]), SECTIONS)


async def test_without_a_terminal_it_says_where_the_file_is(home: Home) -> None:
    program = await home.program("settings", user="bob", stdin=b"")
    assert await program.end() == (0, f"{home.folder}/.config/chat-client/config.toml\n", "")
