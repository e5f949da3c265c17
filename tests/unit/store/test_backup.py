from pathlib import Path

import apsw
import pytest

from chat_server.store import backup
from chat_server.store.database import open_reader, open_writer
from tests.unit.chat import Chat, dump


def copy(directory: Path, to: Path) -> list[tuple[int, int]]:
    return list(backup.copy(directory, to))


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    chat = Chat(tmp_path / "data")
    chat.sign_in("alice")
    return chat


def test_a_copy_is_the_state_of_its_first_step(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "STEP_PAGES", 1)
    for number in range(50):
        chat.say("alice", f"/send_all {number} {'x' * 2000}")
    before = chat.dump()
    (tmp_path / "to").mkdir()
    steps = backup.copy(tmp_path / "data", tmp_path / "to" / "chat.db")
    seen = [next(steps)]
    for number, step in enumerate(steps):
        seen.append(step)
        if number % 5 == 0:
            chat.say("alice", "/send_all meanwhile")
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1)), "it never begins again"
    assert seen[-1][0] == seen[-1][1]
    copied = open_reader(tmp_path / "to")
    assert dump(copied) == before
    copied.close()
    backup.check(tmp_path / "to" / "chat.db")


def test_an_unsound_database_is_refused(chat: Chat, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    chat.say("alice", "/send_all hi")
    copy(tmp_path / "data", file)
    whole = file.read_bytes()
    for damaged in (
        whole[: len(whole) // 2],
        b"no database at all",
        whole[:8192] + b"\xff" * 4096 + whole[12288:],
        b"",
    ):
        file.write_bytes(damaged)
        with pytest.raises(backup.Unusable, match="database"):
            backup.check(file)
    file.write_bytes(whole)
    backup.check(file)


def test_a_newer_version_is_refused(chat: Chat, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    chat.executor._db.run("PRAGMA user_version = 999")
    copy(tmp_path / "data", file)
    with pytest.raises(backup.Unusable, match="999"):
        backup.check(file)


def test_a_full_disk_is_reported_as_such(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(apsw.Connection):
        """A file that cannot grow, as on a full disk."""

        def __init__(self, name: str, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) -> None:
            super().__init__(name, flags=flags)
            self.execute("PRAGMA max_page_count = 2")

    monkeypatch.setattr(apsw, "Connection", Full)
    with pytest.raises(OSError, match="No space left"):
        copy(tmp_path / "data", tmp_path / "copy.db")


def test_a_copy_begins_a_new_history(chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    copy(tmp_path / "data", tmp_path / "to" / "chat.db")
    backup.begin_history(tmp_path / "to" / "chat.db", "another")
    db = open_writer(tmp_path / "to")
    assert db.value("SELECT history FROM state") == "another"
    db.close()
