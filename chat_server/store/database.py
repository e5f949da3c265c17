"""One SQLite database: opening it safely, migrating it, and plain access to it.

The node has one writer (`open_writer`) on one thread; readers (`open_reader`) can only read. `synchronous=FULL` in WAL
mode: a COMMIT returns after its fsync, and a power cut loses nothing that was committed.
"""

import errno
import logging
from pathlib import Path
from typing import Any

import apsw

from chat_server.errors import StartError
from chat_server.store.data_directory import DATABASE, refuse_lost_database, refuse_traces
from chat_server.store.schema import APPLICATION_ID, MIGRATIONS, VERSION

log = logging.getLogger("chat.store")

FILE = DATABASE
WAL_BYTES_MAX = 64 << 20
# How long one try waits for a lock of another program. It is tried again; a server that stops must not wait longer.
BUSY_MS_MAX = 1_000
# For so long the writer may wait for readers in order to empty the log.
SCRUB_BUSY_MS_MAX = 20
STATEMENTS_CACHED = 200
# The disk did not do what was asked: nothing may be promised any more.
DISK_ERRORS = (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NotADBError, apsw.ReadOnlyError)

# A file could not be opened, as where no descriptors are left: nothing was done, and it is no failure of the disk.
UNOPENED = apsw.CantOpenError
# So that nothing was done, and it may be tried again when there is more of it.
SHORTAGES = (UNOPENED, MemoryError, apsw.NoMemError)
# What the statement and the state are to blame for; all else that SQLite raises is a matter of this machine.
_STATEMENT_ERRORS = (
    apsw.SQLError, apsw.ConstraintError, apsw.MismatchError, apsw.RangeError, apsw.TooBigError, apsw.BindingsError,
)  # fmt: skip
# What a statement changes is kept in memory until it is done, so that it can be taken back: no more than this at once.
ROWS_MAX = 2000

# Another program holds a lock on the database for longer than one waits.
LOCKED = apsw.BusyError
# A disk that is full, a quota that is used up, a file that may not grow: there may be room again later.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_GROWING = frozenset((apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_TRUNCATE))

Row = tuple[Any, ...]


class NoRoom(Exception):
    """The disk has no room for it. Certainly nothing was done, and it may be tried again."""


def is_of_this_machine(error: Exception) -> bool:
    """Whether the same work on the same state may go well on another machine, or here at another time."""
    if isinstance(error, apsw.Error):
        return not isinstance(error, _STATEMENT_ERRORS)
    return isinstance(error, NoRoom | MemoryError | OSError)


class Database:
    """A connection. Used by one thread at a time.

    `unclean`: texts were erased whose bytes may still stand in SQLite's log; `scrub` takes them away there too.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.unclean = False
        # One cursor for all that is read at once; a new one for each statement would cost as much as a small one does.
        self.run = connection.cursor().execute
        # A cursor of its own, for rows that are read one by one while other statements run.
        self.rows = connection.execute
        # What the writer has read of users in this transaction, by id: see `accounts`. Readers keep nothing.
        self.users: dict[int, Any] | None = None

    def one(self, sql: str, bindings: Row = ()) -> Row | None:
        rows = self.run(sql, bindings).fetchall()
        return rows[0] if rows else None

    def value(self, sql: str, bindings: Row = ()) -> Any:
        """The first column of the first row, None if there is none."""
        rows = self.run(sql, bindings).fetchall()
        return rows[0][0] if rows else None

    def all(self, sql: str, bindings: Row = ()) -> list[Row]:
        return self.run(sql, bindings).fetchall()

    def insert(self, sql: str, bindings: Row = ()) -> int:
        """The id of the row that was inserted."""
        self.run(sql, bindings)
        return self.connection.last_insert_rowid()

    def portions(self, sql: str, bindings: Row = (), most: int | None = None) -> None:
        """Run the statement, whose last binding is how many rows it may touch, until none is left, or `most` are done.

        For what has no bound of its own: ROWS_MAX rows at a time.
        """
        while most is None or most > 0:
            limit = ROWS_MAX if most is None else min(ROWS_MAX, most)
            self.run(sql, (*bindings, limit))
            if self.connection.changes() < limit:
                return
            most = None if most is None else most - limit

    def scrub(self) -> bool:
        """Empty SQLite's log; False if a reader still needs it. What was erased is in no file after that."""
        self.connection.set_busy_timeout(SCRUB_BUSY_MS_MAX)
        try:
            busy = bool(self.value("PRAGMA wal_checkpoint(TRUNCATE)"))
        except LOCKED:
            busy = True
        finally:
            self.connection.set_busy_timeout(BUSY_MS_MAX)
        self.unclean = busy
        return not busy

    def is_full(self, error: Exception) -> bool:
        """Whether this error, the last one, says that the disk has no room. An fsync that failed never says that."""
        if isinstance(error, apsw.FullError):
            return True
        return (
            isinstance(error, apsw.IOError)
            and getattr(error, "extendedresult", 0) in _GROWING
            and self.connection.system_errno in _NO_ROOM
        )

    def abandon(self) -> None:
        """Leave the files as they are when it is closed: at their paths there may be those of another chat."""
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def close(self) -> None:
        self.connection.close()


def open_writer(directory: Path) -> Database:
    """The database in `directory`, created or migrated as needed. Raises StartError, and LOCKED."""
    path = directory / FILE
    refuse_lost_database(directory)
    try:
        connection = apsw.Connection(str(path), statementcachesize=STATEMENTS_CACHED)
        connection.set_busy_timeout(BUSY_MS_MAX)
        database = Database(connection)
        database.users = {}
        version = _known_version(database, path)
        if not version:
            refuse_traces(directory, "has nothing in it")
        if database.value("PRAGMA journal_mode = WAL") != "wal":
            raise StartError(f"the file system of {path} cannot do SQLite's WAL mode; put --data on a local disk")
        database.run("PRAGMA synchronous = FULL")
        if database.value("PRAGMA synchronous") != 2:
            raise StartError("SQLite refused synchronous=FULL, without which nothing could be promised to be kept")
        database.run(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        # What is erased is overwritten; its pages are used again.
        database.run("PRAGMA secure_delete = ON")
        _harden(database)
        _migrate(database, version, path)
        # The log of the last run may hold what that run has erased.
        database.unclean = True
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StartError(
            f"the database {path} is damaged: {error}; keep a copy of the directory, then"
            " chat-server restore FILE --force puts a backup in its place"
        ) from None
    except LOCKED:
        raise
    except apsw.Error as error:
        raise StartError(f"cannot open the database {path}: {error}") from None
    path.chmod(0o600)
    return database


def open_unchanged(directory: Path, *, older: bool = False) -> Database:
    """To read a database that no server has open: nothing is migrated. Raises StartError.

    With `older` also one of an older version.
    """
    path = directory / FILE
    try:
        database = open_reader(directory)
        version = _known_version(database, path)
        if version == 0:
            refuse_traces(directory, "has nothing in it")
            raise StartError(f"the database {path} is empty")
        if version < VERSION and not older:
            raise StartError(
                f"the database {path} has version {version}, and this program reads version {VERSION} alone. Nothing"
                " was changed. Starting the server brings it up to date; chat-server backup FILE saves it as it is"
                " before. Or take the program that it was made by"
            )
    except apsw.Error as error:
        raise StartError(f"cannot read the database {path}: {error}") from None
    return database


def open_reader(directory: Path) -> Database:
    flags = apsw.SQLITE_OPEN_READONLY
    database = Database(apsw.Connection(str(directory / FILE), flags=flags, statementcachesize=STATEMENTS_CACHED))
    database.run("PRAGMA query_only = ON")
    _harden(database)
    return database


def _harden(database: Database) -> None:
    database.connection.set_busy_timeout(BUSY_MS_MAX)
    # A file in the system's temporary directory is one that another user can leave no room for.
    database.run("PRAGMA temp_store = MEMORY")
    # A plan is made once for a statement, not again for each value: a join costs a third of what it did.
    database.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    database.run("PRAGMA foreign_keys = ON")
    database.run("PRAGMA trusted_schema = OFF")


def _known_version(database: Database, path: Path) -> int:
    """The version of the schema, 0 for an empty file. Raises StartError for one that is not ours to touch."""
    version: int = database.value("PRAGMA user_version")
    foreign = database.value("PRAGMA application_id") != APPLICATION_ID
    if foreign and (version or database.value("SELECT count(*) FROM sqlite_schema")):
        raise StartError(f"{path} is a database of another program; choose another --data directory")
    if version > VERSION:
        raise StartError(
            f"the database {path} has version {version}, this program knows up to {VERSION}; use a newer chat-server"
        )
    return version


def _migrate(database: Database, version: int, path: Path) -> None:
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        with database.connection:
            database.run(script)
            database.run(f"PRAGMA user_version = {number}")
            database.run(f"PRAGMA application_id = {APPLICATION_ID}")
            if version and number == VERSION:
                database.run("UPDATE state SET spared_ms = NULL")
    if version < VERSION:
        log.info("database %s %s version %d", path, "is now at" if version else "created with", VERSION)
