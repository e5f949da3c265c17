"""Copying a database while it is used, checking a copy, and making one the start of a new history."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from chat_server.store.database import FILE
from chat_server.store.files import UPLOAD_LIFE_MS
from chat_server.store.schema import APPLICATION_ID, VERSION

# 1 MiB: how much is copied in one step.
STEP_PAGES = 256


class StoredFile(NamedTuple):
    """A file of the chat: whose bytes lie under this sum, and how people know it."""

    sha256: str
    name: str
    message_id: int


class Unusable(Exception):
    """A file that is no sound database of ours; the message says why."""


def copy(directory: Path, to: Path) -> Iterator[tuple[int, int]]:
    """Copy the database in `directory` into a new file, in steps; after each, how many pages are done, of how many.

    Raises Unusable, and OSError if there is no room for the copy.

    It is one state of the database, that of the first step: the source is read in one snapshot, so that neither does a
    step wait for those who write nor has it to begin again after them.
    """
    source = apsw.Connection(str(directory / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    target = apsw.Connection(str(to))
    try:
        source.set_busy_timeout(5_000)
        # What is on disk in the end is for the caller to see to; a flush of all at once would hold up the server's.
        target.execute("PRAGMA synchronous = OFF")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(STEP_PAGES)
                yield backup.page_count - backup.remaining, backup.page_count
        # One file, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
    except apsw.FullError:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
    except apsw.Error as error:
        raise Unusable(f"the database cannot be copied: {error}") from None
    finally:
        target.close()
        source.close()


def check(path: Path) -> None:
    """Raises Unusable."""
    try:
        with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
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
    """Whether it is a sound database that is not ours. One that is empty or damaged is nobody's."""
    try:
        with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() or (0,)
            return bool(tables) and connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,)
    except apsw.Error:
        return False


def files(path: Path) -> list[StoredFile]:
    """Those whose bytes belong to the database; of each sum once. A database of the first versions has none."""
    with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchall():
            return []
        rows: Any = connection.execute("SELECT sha256, name, min(message_id) FROM files GROUP BY sha256").fetchall()
    return [StoredFile(*row) for row in rows]


def begin_history(path: Path, history: str) -> None:
    """Programs that see another history forget what they kept: time went back.

    What all had read meanwhile is spared from the next start on, for one life; an older database always is.
    """
    with _opened(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        connection.execute("UPDATE state SET history = ?", (history,))
        if connection.execute("SELECT 1 FROM pragma_table_info('state') WHERE name = 'spared_ms'").fetchall():
            connection.execute("UPDATE state SET spared_ms = NULL")
        # The node that held them is another one, and will never say that it is gone.
        if connection.execute("SELECT 1 FROM pragma_table_info('uploads') WHERE name = 'lease'").fetchall():
            connection.execute(
                "UPDATE uploads SET node = NULL, lease = NULL, expires_ms = elapsed_ms + ? FROM state"
                " WHERE node IS NOT NULL",
                (UPLOAD_LIFE_MS,),
            )


class _opened:
    """A connection that is closed at the end, whatever comes."""

    def __init__(self, path: Path, flags: int) -> None:
        self._connection = apsw.Connection(str(path), flags=flags)

    def __enter__(self) -> apsw.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
