"""What was typed, kept between runs."""

import stat
from pathlib import Path

from chat_client.common import input_history
from chat_client.common.input_history import InputHistory
from chat_server.protocol.help import command_forms


def kept(path: Path) -> list[str]:
    return list(InputHistory(path, command_forms).load_history_strings())


def test_it_is_kept_but_for_secrets(tmp_path: Path) -> None:
    file = tmp_path / "data" / "typed"
    typed = InputHistory(file, command_forms)
    for line in ("one", "two\nlines", "/password secret", "three"):
        typed.append_string(line)
    assert kept(file) == ["three", "two\nlines", "one"]
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_is_bounded(tmp_path: Path, monkeypatch: object) -> None:
    file = tmp_path / "typed"
    typed = InputHistory(file, command_forms)
    for number in range(2 * input_history.ENTRIES_MAX + 10):
        typed.store_string(str(number))
    assert len(kept(file)) == input_history.ENTRIES_MAX
    assert len(file.read_text().splitlines()) == input_history.ENTRIES_MAX
    assert kept(file)[0] == str(2 * input_history.ENTRIES_MAX + 9)


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "typed"
    file.write_bytes(b'"one"\n{\xff\n3\n"two"\n"thr')
    assert kept(file) == ["two", "one"]
    assert kept(tmp_path / "nowhere" / "typed") == []
