"""Copying a database that is in use, checking a copy, and giving it a new history."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from chat_server.store.database import FILE
from chat_server.store.files import UPLOAD_LIFE_MS, Stored
from chat_server.store.schema import APPLICATION_ID, VERSION

# One step copies 1 MiB.
STEP_PAGES = 256


class StoredFile(NamedTuple):
    """A file of the chat: the checksum that names its bytes, its name, and a message that has it.

    In a cluster `place` says where its bytes are in the object store, and what the key to them is.
    """

    sha256: str
    name: str
    message_id: int
    place: tuple[str, bytes] | None = None


class Unusable(Exception):
    """Raised for a file that is not a sound database of this program; the message says why."""


def copy(directory: Path, to: Path) -> Iterator[tuple[int, int]]:
    """Copy the database in `directory` into a new file. Each step yields the number of pages copied and of all pages.

    Raises Unusable, and OSError if there is no room for the copy.

    The copy is the state of the database at the first step. The source is read in one snapshot, so that a step never
    waits for the writer and the copy never begins again after a write.
    """
    source = apsw.Connection(str(directory / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    target = apsw.Connection(str(to))
    try:
        source.set_busy_timeout(5_000)
        # The caller makes the copy durable. One flush of everything would hold up the server's own.
        target.execute("PRAGMA synchronous = OFF")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(STEP_PAGES)
                yield backup.page_count - backup.remaining, backup.page_count
        # This leaves one file, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
    except apsw.FullError:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
    except apsw.Error as error:
        raise Unusable(f"the database cannot be copied: {error}") from None
    finally:
        target.close()
        source.close()


def check(path: Path) -> None:
    """Check that a file is a sound database of this program. Raises Unusable."""
    try:
        with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
            found = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone() or (0,)
            if found != (APPLICATION_ID,):
                raise Unusable("it holds no database of chat-server")
            if version > VERSION:
                raise Unusable(f"its database has version {version}, this program knows up to {VERSION}")
            problems = connection.execute("PRAGMA integrity_check(1)").fetchall()
            if problems != [("ok",)]:
                raise Unusable(f"its database is damaged: {problems[0][0]}")
    except apsw.Error as error:
        raise Unusable(f"its database is damaged: {error}") from None


def is_of_another_program(path: Path) -> bool:
    """Tell whether a file is another program's sound database. An empty or damaged one counts as nobody's."""
    try:
        with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() or (0,)
            return bool(tables) and connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,)
    except apsw.Error:
        return False


def files(path: Path) -> list[StoredFile]:
    """Return the files whose bytes belong to the database, one for each checksum. The first versions had none."""
    with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchall():
            return []
        has_place = connection.execute("SELECT 1 FROM pragma_table_info('files') WHERE name = 'object'").fetchall()
        place = "object, secret" if has_place else "NULL, NULL"
        # SQLite takes the other columns from the row that has the minimum.
        rows: Any = connection.execute(
            f"SELECT sha256, name, min(message_id), {place} FROM files GROUP BY sha256"
        ).fetchall()
    return [StoredFile(row[0], row[1], row[2], (row[3], row[4]) if row[3] else None) for row in rows]


def has_file(path: Path, sha256: str) -> bool:
    """Tell whether a file of the database, which may be in use, has these bytes."""
    with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
        connection.set_busy_timeout(5_000)
        return bool(connection.execute("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1", (sha256,)).fetchall())


def elapsed_ms(path: Path) -> int:
    """Return how long the chat of a database has lived."""
    with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
        (found,) = connection.execute("SELECT elapsed_ms FROM state").fetchone() or (0,)
        return int(found)


def sha256_by_file(path: Path) -> dict[int, str]:
    with _open(path, apsw.SQLITE_OPEN_READONLY) as connection:
        rows: Any = connection.execute("SELECT id, sha256 FROM files ORDER BY id").fetchall()
        return dict(rows)


def place_files(path: Path, bucket: int, places: Mapping[int, Stored]) -> None:
    """Note where the bytes of files are in a cluster's object store: all of them in this bucket."""
    with _open(path, apsw.SQLITE_OPEN_READWRITE) as connection, connection:
        if places:
            connection.execute("INSERT OR IGNORE INTO buckets VALUES (?)", (bucket,))
        connection.executemany(
            "UPDATE files SET object = ?, secret = ? WHERE id = ?",
            [(place.object, place.secret, file_id) for file_id, place in places.items()],
        )


def enter_cluster(path: Path) -> None:
    """Place a copy of a single server's database, of this version, before the first batch of a cluster's log.

    Uploads under way end, since what they have sent stays behind.
    """
    with _open(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        connection.execute(
            "UPDATE state SET stream = 1, sequence = 0, digest = x'', sender = 0, number = 0, sent_ms = 0;"
            "DELETE FROM nodes;"
            "DELETE FROM uploads;"
        )


def leave_cluster(path: Path, history: str) -> None:
    """Make the database of a cluster that of a single server, with a new history, since the cluster may go on."""
    begin_history(path, history)
    with _open(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        connection.execute("UPDATE state SET stream = 0, digest = x''")


def begin_history(path: Path, history: str) -> None:
    """Give the database a new history, so that clients forget what they have kept of the later state.

    From the next start on, messages that all had read are spared for one message life, as after an upgrade.
    """
    with _open(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        connection.execute("UPDATE state SET history = ?", (history,))
        if connection.execute("SELECT 1 FROM pragma_table_info('state') WHERE name = 'spared_ms'").fetchall():
            connection.execute("UPDATE state SET spared_ms = NULL")
        if connection.execute("SELECT 1 FROM pragma_table_info('state') WHERE name = 'stream'").fetchall():
            # No log has this history yet: a cluster's goes on without it.
            connection.execute("UPDATE state SET stream = 0, digest = x''")
        # The objects are the cluster's, and the key to them is of no use elsewhere.
        if connection.execute("SELECT 1 FROM pragma_table_info('files') WHERE name = 'object'").fetchall():
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            connection.execute(
                "UPDATE files SET object = NULL, secret = NULL; UPDATE uploads SET object = NULL; DELETE FROM buckets;"
                "UPDATE dropped SET object = NULL, bucket = NULL WHERE object IS NOT NULL OR bucket IS NOT NULL;"
            )
        # The node that held them is another one, and will never say that it is gone.
        if connection.execute("SELECT 1 FROM pragma_table_info('uploads') WHERE name = 'lease'").fetchall():
            connection.execute(
                "UPDATE uploads SET node = NULL, lease = NULL, expires_ms = elapsed_ms + ? FROM state"
                " WHERE node IS NOT NULL",
                (UPLOAD_LIFE_MS,),
            )


def _open(path: Path, flags: int) -> closing[apsw.Connection]:
    return closing(apsw.Connection(str(path), flags=flags))
