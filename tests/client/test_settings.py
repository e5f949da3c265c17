"""Options: the command line over the file over the defaults."""

from pathlib import Path

import pytest

from chat_client.settings import UsageError, load


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_DOWNLOAD_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def config(home: Path, text: str) -> str:
    (home / "c.toml").write_text(text)
    return str(home / "c.toml")


def test_defaults(home: Path) -> None:
    settings = load([])
    assert (settings.servers, settings.user, settings.tls, settings.theme) == ((), None, False, None)
    assert settings.data_dir == home / ".local/share/chat-client"
    assert settings.config_file == home / ".config/chat-client/config.toml"
    assert settings.downloads == home / "Downloads"


def test_the_command_line_wins_over_the_file(home: Path) -> None:
    file = config(home, 'server = "a,b:2"\nuser = "bob"\ntheme = "light"\nmouse = false\ntls = true\ndownloads = "~/d"')
    settings = load(["--config", file, "--user", "carol"])
    assert settings.servers == ("a:8000", "b:2")
    assert (settings.user, settings.theme, settings.mouse, settings.tls) == ("carol", "light", False, True)
    assert settings.downloads == home / "d"
    assert load(["--config", file, "--theme", "mono"]).theme == "mono"


@pytest.mark.parametrize("text", ["user = 3", "tls = 1", "bogus = 1", "user = ", 'theme = "pink"', "\ufeff"])
def test_a_wrong_file_is_one_line(home: Path, text: str) -> None:
    with pytest.raises(UsageError) as error:
        load(["--config", config(home, text)])
    assert "\n" not in str(error.value)


def test_scripts() -> None:
    settings = load(["--send", "main", "backup", "done"])
    assert (settings.send, settings.text) == ("main", "backup done")
    assert load(["--send", "#ops"]).text is None
    settings = load(["--follow", "main", "--json"])
    assert (settings.follow, settings.json) == ("main", True)
