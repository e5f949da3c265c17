"""Options: the command line over the file over the defaults."""

from pathlib import Path

import pytest

from chat_client.common.setting import Section, Setting
from chat_client.settings import FILE_CHARS_MAX, UsageError, load


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


@pytest.mark.parametrize(
    "text",
    ["user = 3", "tls = 1", "bogus = 1", "user = ", 'theme = "pink"', 'user = "a"\nuser = "b"', "[[keys]]",
     'log = "a\\u0000b"', 'user = "\\u001b[31m"', "#" * (FILE_CHARS_MAX + 1)],
)  # fmt: skip
def test_a_wrong_file_is_one_line(home: Path, text: str) -> None:
    with pytest.raises(UsageError) as error:
        load(["--config", config(home, text)])
    assert "\n" not in str(error.value)


def test_a_file_of_any_editor(home: Path) -> None:
    (home / "c.toml").write_bytes(b'\xef\xbb\xbfuser = "alice"\r\nmouse = false\r\n')
    settings = load(["--config", str(home / "c.toml")])
    assert (settings.user, settings.mouse) == ("alice", False)


def test_what_cannot_be_read_is_told(home: Path) -> None:
    (home / "c.toml").mkdir()
    with pytest.raises(UsageError, match=r"c\.toml: Is a directory"):
        load(["--config", str(home / "c.toml")])
    (home / "d.toml").write_bytes(b"user = '\xff'")
    with pytest.raises(UsageError, match=r"d\.toml is not UTF-8"):
        load(["--config", str(home / "d.toml")])


def test_scripts() -> None:
    settings = load(["--send", "main", "backup", "done"])
    assert (settings.send, settings.text) == ("main", "backup done")
    assert load(["--send", "#ops"]).text is None
    assert load(["settings"]).edit and not load(["--send", "main", "settings"]).edit
    settings = load(["--follow", "main", "--json"])
    assert (settings.follow, settings.json) == ("main", True)


PROFILES = """
user = "alice"
theme = "light"
[keys]
a = "x"
b = "y"
[profiles.work]
user = "a.smith"
[profiles.work.keys]
b = "z"
[profiles.home]
"""


def test_a_profile_stands_over_the_rest_and_has_its_own_folder(home: Path) -> None:
    file = config(home, PROFILES)
    work = load(["--config", file, "--profile", "work"])
    assert (work.user, work.theme, work.tables) == ("a.smith", "light", {"keys": {"a": "x", "b": "z"}})
    assert work.data_dir == home / ".local/share/chat-client/profiles/work"
    assert load(["--config", file, "--profile", "work", "--user", "bob"]).user == "bob"
    plain = load(["--config", file])
    assert (plain.user, plain.tables) == ("alice", {"keys": {"a": "x", "b": "y"}})
    with pytest.raises(UsageError, match="did you mean home"):
        load(["--config", file, "--profile", "hmoe"])
    with pytest.raises(UsageError, match="cannot read"):
        load(["--profile", "work"])


@pytest.mark.parametrize("text", ["profiles = 1", "[profiles]\nx = 1", '[profiles."../x"]', "[profiles.x]\nuser = 1"])
def test_a_wrong_profile(home: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load(["--config", config(home, text), "--profile", "x"])


def test_no_profile_has_a_folder_outside_of_that_of_the_profiles(home: Path) -> None:
    for name in ("../x", "..", "", "a/b", "-x", "ж"):
        with pytest.raises(UsageError, match="the name of a profile has letters"):
            load(["--config", config(home, f'[profiles."{name}"]')])


def test_a_section_is_read_by_whoever_declares_it(home: Path) -> None:
    keys = Section("keys", "Keys.", (Setting("next", "n", "the next chat"),))
    settings = load(["--config", config(home, '[keys]\nnext = "x"')])
    assert settings.section(keys) == {"next": "x"}
    settings.check_tables([keys])
    with pytest.raises(UsageError, match="an unknown section: keys"):
        settings.check_tables([])
    wrong = load(["--config", config(home, "[keys]\nnext = 1")])
    with pytest.raises(UsageError, match=r"c\.toml: \[keys\]: next is a text"):
        wrong.check_tables([keys])
