import stat
from pathlib import Path

import apsw
import pytest

from chat_server.errors import StartError
from chat_server.store.database import FILE, open_reader, open_writer
from chat_server.store.schema import APPLICATION_ID, MIGRATIONS, VERSION


def test_it_is_created_as_the_newest_version_and_safe_to_rely_on(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    assert db.value("PRAGMA user_version") == VERSION == len(MIGRATIONS)
    assert db.value("PRAGMA application_id") == APPLICATION_ID
    assert db.value("PRAGMA journal_mode") == "wal"
    assert db.value("PRAGMA synchronous") == 2
    assert db.value("PRAGMA foreign_keys") == 1 and db.value("PRAGMA trusted_schema") == 0
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    db.close()


def test_it_is_opened_again_as_it_was(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    db.run("UPDATE state SET seq = 7")
    db.close()
    again = open_writer(tmp_path)
    assert again.value("SELECT seq FROM state") == 7
    again.close()


def test_readers_see_what_was_committed_and_write_nothing(tmp_path: Path) -> None:
    writer, reader = open_writer(tmp_path), open_reader(tmp_path)
    writer.run("BEGIN IMMEDIATE")
    writer.run("UPDATE state SET seq = 7")
    assert reader.value("SELECT seq FROM state") == 0
    writer.run("COMMIT")
    assert reader.value("SELECT seq FROM state") == 7
    with pytest.raises(apsw.ReadOnlyError):
        reader.run("UPDATE state SET seq = 8")
    for db in (writer, reader):
        db.close()


def prepared(path: Path, script: str) -> None:
    connection = apsw.Connection(str(path / FILE))
    connection.execute(script)
    connection.close()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION + 1}", "use a newer chat-server"),
        ("CREATE TABLE shopping (item)", "another program"),
        ("PRAGMA user_version = 3", "another program"),
    ],
)
def test_what_is_not_ours_to_touch_is_refused_untouched(tmp_path: Path, script: str, told: str) -> None:
    prepared(tmp_path, script)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StartError, match=told):
        open_writer(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_what_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StartError, match="cannot open the database"):
        open_writer(tmp_path)


def test_a_directory_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot open the database"):
        open_writer(tmp_path / "none")


def test_access(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    assert db.one("SELECT 1 WHERE 0") is None and db.value("SELECT 1 WHERE 0") is None
    assert db.one("SELECT 1, 2") == (1, 2) and db.value("SELECT 1, 2") == 1
    assert db.all("VALUES (1), (2)") == [(1,), (2,)]
    inserted = db.insert("INSERT INTO chats (kind) VALUES ('main')")
    assert db.value("SELECT max(id) FROM chats") == inserted
    db.close()
