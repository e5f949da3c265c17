import re
import stat
from pathlib import Path

import apsw
import pytest

from chat_server.errors import StartError
from chat_server.log import versions
from chat_server.store.database import FILE, open_reader, open_writer
from chat_server.store.schema import ADDING_FROM, APPLICATION_ID, CHANGES, MIGRATIONS, VERSION


def test_a_database_is_created_durable_and_of_the_newest_version(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    assert db.value("PRAGMA user_version") == VERSION == len(MIGRATIONS)
    assert db.value("PRAGMA application_id") == APPLICATION_ID
    assert db.value("PRAGMA journal_mode") == "wal"
    assert db.value("PRAGMA synchronous") == 2
    assert db.value("PRAGMA foreign_keys") == 1 and db.value("PRAGMA trusted_schema") == 0
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    db.close()


def test_a_database_is_reopened_unchanged(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    db.run("UPDATE state SET seq = 7")
    db.close()
    again = open_writer(tmp_path)
    assert again.value("SELECT seq FROM state") == 7
    again.close()


def test_readers_see_commits_and_cannot_write(tmp_path: Path) -> None:
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


def test_a_statement_is_planned_once(tmp_path: Path) -> None:
    for db in (open_writer(tmp_path), open_reader(tmp_path)):
        assert db.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1
        db.close()


def prepare(path: Path, script: str) -> None:
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
def test_a_foreign_or_newer_database_is_refused_untouched(tmp_path: Path, script: str, told: str) -> None:
    prepare(tmp_path, script)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StartError, match=told):
        open_writer(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StartError, match=r"is damaged: .* chat-server restore"):
        open_writer(tmp_path)


def test_a_missing_directory_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot open the database"):
        open_writer(tmp_path / "none")


def test_rows_values_and_inserts(tmp_path: Path) -> None:
    db = open_writer(tmp_path)
    assert db.one("SELECT 1 WHERE 0") is None and db.value("SELECT 1 WHERE 0") is None
    assert db.one("SELECT 1, 2") == (1, 2) and db.value("SELECT 1, 2") == 1
    assert db.all("VALUES (1), (2)") == [(1,), (2,)]
    inserted = db.insert("INSERT INTO chats (kind) VALUES ('main')")
    assert db.value("SELECT max(id) FROM chats") == inserted
    db.close()


def test_an_older_database_is_migrated_with_its_content(tmp_path: Path) -> None:
    prepare(tmp_path, MIGRATIONS[0] + f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1")
    prepare(
        tmp_path,
        """UPDATE state SET seq = 6, at_ms = 5000;
        INSERT INTO users (id, name, folded, lookalike, shape, created_ms) VALUES
            (1, 'a', 'a', 'a', 'a', 0), (2, 'b', 'b', 'b', 'b', 0), (3, 'c', 'c', 'c', 'c', 0);
        INSERT INTO chats (id, kind, low_user, high_user) VALUES (2, 'direct', 1, 2);
        INSERT INTO members VALUES (1, 1, 2), (2, 1, 3), (3, 1, 5), (1, 2, 0);
        INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text) VALUES
            (1, 1, 1, 1, 0, 'x'), (2, 2, 1, 1, 0, 'x'), (3, 3, 1, 1, 0, 'x'), (4, 4, 1, 1, 0, 'x'),
            (6, 6, 2, 1, 0, 'x');
        INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text, reply_to) VALUES (5, 5, 1, 2, 0, 'x', 4)""",
    )
    db = open_writer(tmp_path)
    assert db.value("PRAGMA user_version") == VERSION
    assert db.value("PRAGMA integrity_check") == "ok" and db.all("PRAGMA foreign_key_check") == []
    assert {row[2] for row in db.all("PRAGMA foreign_key_list(messages)")} == {"users", "chats"}
    # Time, chat, author, above, up to: what all in main have read, what else of the slowest reader's, and sent alone.
    assert db.all("SELECT * FROM read_ranges") == [(5000, 1, 0, 0, 2), (5000, 1, 1, 2, 3), (5000, 2, 1, 0, 6)]
    assert db.value("SELECT count(*) FROM members WHERE moved_ms = 5000 AND NOT absent") == 4
    db.run("DELETE FROM messages WHERE id = 4")
    assert db.value("SELECT reply_to FROM messages WHERE id = 5") == 4
    db.close()


def test_erased_texts_are_in_no_file_once_no_reader_needs_them(tmp_path: Path) -> None:
    def found() -> bool:
        return any(b"SECRET" in path.read_bytes() for path in tmp_path.iterdir())

    writer, reader = open_writer(tmp_path), open_reader(tmp_path)
    writer.run("UPDATE state SET limits = 'SECRET'")
    writer.scrub()
    writer.run("UPDATE state SET limits = NULL")
    reader.run("BEGIN")
    reader.value("SELECT limits FROM state")
    writer.run("UPDATE state SET seq = 1")
    assert not writer.scrub() and writer.unclean
    assert found()
    reader.run("END")
    assert writer.scrub() and not writer.unclean
    assert not found()
    for db in (writer, reader):
        db.close()


# ---- what nodes of a cluster run at their own time

_ADDS = re.compile(r"CREATE TABLE \w+ |ALTER TABLE \w+ ADD COLUMN |CREATE INDEX ")


def only_adds(script: str) -> bool:
    """Tell whether a migration leaves all that is there as it is, for programs that know nothing of it."""
    statements = re.sub(r"--[^\n]*", "", script).split(";")
    return all(_ADDS.match(each.strip()) for each in statements if each.strip())


@pytest.mark.parametrize("script", MIGRATIONS[ADDING_FROM:])
def test_a_migration_only_adds(script: str) -> None:
    assert only_adds(script), "what changes rows, and triggers and unique indexes, belong into CHANGES"


@pytest.mark.parametrize(
    ("script", "adds"),
    [
        ("-- more; of it\nCREATE TABLE a (id INTEGER); CREATE INDEX a_id ON a (id);", True),
        ("ALTER TABLE users ADD COLUMN waves INTEGER NOT NULL DEFAULT 0", True),
        ("ALTER TABLE users ADD COLUMN waves INTEGER; UPDATE users SET waves = 1", False),
        ("ALTER TABLE users DROP COLUMN away", False),
        ("ALTER TABLE users RENAME COLUMN away TO gone", False),
        ("CREATE UNIQUE INDEX users_away ON users (away)", False),
        ("CREATE TRIGGER come AFTER INSERT ON users BEGIN DELETE FROM users; END;", False),
        ("INSERT INTO users DEFAULT VALUES", False),
    ],
)
def test_migrations_that_only_add_are_told_from_others(script: str, adds: bool) -> None:
    assert only_adds(script) == adds


def test_changes_of_rows_belong_to_versions_of_the_log() -> None:
    assert all(versions.OLDEST < version <= versions.VERSION for version in CHANGES)
