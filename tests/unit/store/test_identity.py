import errno
import os
from pathlib import Path

import pytest

from chat_server.errors import StartError
from chat_server.store import data_directory, identity
from chat_server.store.identity import begin_incarnation, name_of_node


def test_a_node_keeps_its_name_and_counts_its_starts(tmp_path: Path) -> None:
    starts = [begin_incarnation(tmp_path, name, {}) for name in ("a", "b", "c")]
    assert starts == [("a", 1), ("a", 2), ("a", 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["node"]


def test_a_start_that_the_database_knows_is_not_counted_again(tmp_path: Path) -> None:
    """The file was put back by hand, and the database not: it would skip what the older start says."""
    begin_incarnation(tmp_path, "a", {})
    assert begin_incarnation(tmp_path, "b", {"a": 7, "b": 20}) == ("a", 8)
    assert begin_incarnation(tmp_path, "b", {"a": 3}) == ("a", 9)


@pytest.mark.parametrize("text", ["", "name", "name many", "name 1 2"])
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / identity.FILE).write_text(text)
    with pytest.raises(StartError, match="node is damaged; remove it"):
        begin_incarnation(tmp_path, "a", {})
    assert (tmp_path / identity.FILE).read_text() == text


def test_a_start_that_cannot_be_noted_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(data_directory, "sync", fail)
    with pytest.raises(StartError, match="No space left on device"):
        begin_incarnation(tmp_path, "a", {})
    assert list(tmp_path.iterdir()) == [], "nor is a part of it left"


def test_a_directory_is_of_one_node(tmp_path: Path) -> None:
    assert name_of_node(tmp_path, None, "drawn") == "drawn"
    assert name_of_node(tmp_path, "wanted", "drawn") == "wanted"
    begin_incarnation(tmp_path, "wanted", {})
    assert name_of_node(tmp_path, None, "drawn") == name_of_node(tmp_path, "wanted", "drawn") == "wanted"
    with pytest.raises(StartError, match="is the directory of node wanted, and --node names another"):
        name_of_node(tmp_path, "another", "drawn")
    (tmp_path / identity.FILE).write_text("")
    with pytest.raises(StartError, match="cannot be read; remove it"):
        name_of_node(tmp_path, None, "drawn")
