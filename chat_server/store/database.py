"""One SQLite database: opening it safely, migrating it, and plain access to it.

The node has one writer (`open_writer`) on one thread; readers (`open_reader`) can only read. `synchronous=FULL` in WAL
mode: a COMMIT returns after its fsync, and a power cut loses nothing that was committed. A node of a cluster does
without: what a power cut takes from it, it executes again from the log.
"""

import errno
import logging
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from chat_server.errors import StartError
from chat_server.log import versions
from chat_server.store.cache import Cache
from chat_server.store.data_directory import DATABASE, LOCAL, refuse_lost_database, refuse_traces
from chat_server.store.schema import APPLICATION_ID, CHANGES, INDEX_LEAVES, MIGRATIONS, VERSION, drop_index
from chat_server.store.stretches import ChangedMessages, Stretches

log = logging.getLogger("chat.store")

FILE = DATABASE
WAL_BYTES_MAX = 64 << 20
# How long one try waits for another program's lock. The caller tries again; a server that stops must not wait longer.
BUSY_MS_MAX = 1_000
# How long the writer may wait for readers in order to empty the log.
SCRUB_BUSY_MS_MAX = 20
STATEMENTS_CACHED = 200
# The disk failed. After one of these errors nothing may be acknowledged any more.
DISK_ERRORS = (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NotADBError, apsw.ReadOnlyError)

# The file itself is wrong.
DAMAGED = (apsw.CorruptError, apsw.NotADBError)

# A file could not be opened, for example since no descriptors were left. Nothing was done, and the disk is sound.
UNOPENED = apsw.CantOpenError
# The machine ran short of something. Nothing was done, and it may be tried again later.
SHORTAGES = (UNOPENED, MemoryError, apsw.NoMemError)
# Faults of the statement or the state. Everything else that SQLite raises is a fault of this machine.
_STATEMENT_ERRORS = (
    apsw.SQLError, apsw.ConstraintError, apsw.MismatchError, apsw.RangeError, apsw.TooBigError, apsw.BindingsError,
)  # fmt: skip
# SQLite keeps what a statement changes in memory until it is done, so that it can be undone. One changes no more rows.
ROWS_MAX = 2000

# Another program holds a lock on the database for longer than BUSY_MS_MAX.
LOCKED = apsw.BusyError
# The store could not be read. Nothing was done, and it may be readable later.
READ_ERRORS = (*DISK_ERRORS, LOCKED, UNOPENED)
# The disk is full, a quota is used up, or a file may not grow. There may be room again later.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_GROWING = frozenset((apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_TRUNCATE))

Row = tuple[Any, ...]


class NoRoom(Exception):
    """Raised when the disk has no room for a batch. Certainly nothing was done, and it may be tried again."""


def is_of_this_machine(error: Exception) -> bool:
    """Tell whether the same work on the same state may succeed on another machine, or here at another time."""
    if isinstance(error, apsw.Error):
        return not isinstance(error, _STATEMENT_ERRORS)
    return isinstance(error, NoRoom | MemoryError | OSError)


class Database:
    """A connection, used by one thread at a time.

    `unclean` is set when texts were erased whose bytes may still be in SQLite's log; `scrub` removes them there too.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.unclean = False
        # One cursor serves all statements that are read at once. A new cursor costs as much as a small statement.
        self.run = connection.cursor().execute
        # Each call makes a cursor of its own, for rows that are read one by one while other statements run.
        self.rows = connection.execute
        # That of the one who writes; readers have none.
        self.cache: Cache | None = None
        # What the writer's batches change of messages, for its readers.
        self.changed_messages = ChangedMessages()
        # What a reader keeps of the chats that many read.
        self.stretches: Stretches | None = None

    def forget_places(self) -> None:
        """Forget where users may write (see `cache`): somewhere one of them may not any more."""
        if self.cache is not None:
            self.cache.forget_places()

    def forget_text_bytes(self) -> None:
        """Forget how much texts take: a topic, which is among the texts of the chat's owner, has come to somebody."""
        if self.cache is not None:
            self.cache.text_bytes.clear()

    def one(self, sql: str, bindings: Row = ()) -> Row | None:
        rows = self.run(sql, bindings).fetchall()
        return rows[0] if rows else None

    def value(self, sql: str, bindings: Row = ()) -> Any:
        """Return the first column of the first row, None if there is none."""
        rows = self.run(sql, bindings).fetchall()
        return rows[0][0] if rows else None

    def all(self, sql: str, bindings: Row = ()) -> list[Row]:
        return self.run(sql, bindings).fetchall()

    def insert(self, sql: str, bindings: Row = ()) -> int:
        """Insert a row and return its id."""
        self.run(sql, bindings)
        return self.connection.last_insert_rowid()

    def run_for_each(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement once for each of the rows of bindings."""
        self.connection.executemany(sql, rows)

    def run_in_portions(self, sql: str, bindings: Row = (), most: int | None = None) -> None:
        """Run a statement again and again until no row is left or `most` rows are done, ROWS_MAX rows at a time.

        The statement's last binding is how many rows it may change. It is for statements without a bound of their own.
        """
        while most is None or most > 0:
            limit = ROWS_MAX if most is None else min(ROWS_MAX, most)
            self.run(sql, (*bindings, limit))
            if self.connection.changes() < limit:
                return
            most = None if most is None else most - limit

    def scrub(self) -> bool:
        """Empty SQLite's log, so that no file holds erased texts any more.

        Return False if this has to be tried again: a reader still needs the log, or the machine is short of something.
        Raises DISK_ERRORS.
        """
        self.connection.set_busy_timeout(SCRUB_BUSY_MS_MAX)
        try:
            busy = bool(self.value("PRAGMA main.wal_checkpoint(TRUNCATE)"))
        except (LOCKED, UNOPENED):
            busy = True
        except DISK_ERRORS as error:
            if not self.is_full(error):
                raise
            busy = True
        finally:
            self.connection.set_busy_timeout(BUSY_MS_MAX)
        self.unclean = busy
        return not busy

    def is_full(self, error: Exception) -> bool:
        """Tell whether this error, the last one, means that the disk has no room. A failed fsync never means that."""
        if isinstance(error, apsw.FullError):
            return True
        return (
            isinstance(error, apsw.IOError)
            and getattr(error, "extendedresult", 0) in _GROWING
            and self.connection.system_errno in _NO_ROOM
        )

    def abandon(self) -> None:
        """Leave the files untouched at the close, since the files at their paths may be another chat's by now."""
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def close(self) -> None:
        self.connection.close()


def open_writer(directory: Path, *, durable: bool = True) -> Database:
    """Open the database in `directory`, and create or migrate it as needed. Raises StartError, and LOCKED.

    Without `durable` a power cut may take the last commits back, for a database that is only a copy of what a log has.
    """
    path = directory / FILE
    refuse_lost_database(directory)
    try:
        connection = apsw.Connection(str(path), statementcachesize=STATEMENTS_CACHED)
        connection.set_busy_timeout(BUSY_MS_MAX)
        database = Database(connection)
        database.cache = Cache()
        version = _known_version(database, path)
        if not version:
            refuse_traces(directory, "has nothing in it")
        if database.value("PRAGMA journal_mode = WAL") != "wal":
            raise StartError(f"the file system of {path} cannot do SQLite's WAL mode; put --data on a local disk")
        database.run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if durable and database.value("PRAGMA synchronous") != 2:
            raise StartError("SQLite refused synchronous=FULL, without which nothing could be promised to be kept")
        database.run(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        # Erased content is overwritten; its pages are used again.
        database.run("PRAGMA secure_delete = ON")
        harden(database)
        if version:
            _migrate(database, version, path)
        else:
            _create(database, path)
        _change_alone(database, path)
        database.changed_messages.watch(connection)
        # The last run's log may hold texts that the last run erased.
        database.unclean = True
    except DAMAGED as error:
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
    """Open a database that no server has open, for reading, and migrate nothing. Raises StartError.

    A database of an older version is accepted with `older` alone.
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


def open_reader(directory: Path, *, local: bool = False) -> Database:
    """Open the database for reading; with `local` also the machine's own, which has the search index (see `local`)."""
    flags = apsw.SQLITE_OPEN_READONLY
    database = Database(apsw.Connection(str(directory / FILE), flags=flags, statementcachesize=STATEMENTS_CACHED))
    database.run("PRAGMA query_only = ON")
    harden(database)
    # SQLite opens its log with the first look at the database: now, and not when the server has no descriptor left.
    database.value("PRAGMA schema_version")
    if local:
        database.run("ATTACH ? AS local", (str(directory / LOCAL),))
        database.value("PRAGMA local.schema_version")
    return database


def harden(database: Database) -> None:
    database.connection.set_busy_timeout(BUSY_MS_MAX)
    # Another user could fill the system's temporary directory, so SQLite puts no files there.
    database.run("PRAGMA temp_store = MEMORY")
    # A statement is planned once, and not again for each value. A join then costs a third.
    database.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    database.run("PRAGMA foreign_keys = ON")
    database.run("PRAGMA trusted_schema = OFF")


def _known_version(database: Database, path: Path) -> int:
    """Return the version of the schema, 0 for an empty file. Raises StartError for a foreign or newer database."""
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
            _apply(database, number, script)
            if number == VERSION:
                # Nodes of a cluster upgrade at different times, and hold the same all the while.
                database.run("UPDATE state SET spared_ms = NULL WHERE stream = 0")
    if version < VERSION:
        log.info("database %s is now at version %d", path, VERSION)


def _create(database: Database, path: Path) -> None:
    """Make the tables in one transaction; with one for each version, a first start waited for the disk 22 times."""
    with closing(apsw.Connection(":memory:")) as memory:
        memory.deserialize("main", blank())
        with database.connection.backup("main", memory, "main") as copying:
            copying.step()
    log.info("database %s created with version %d", path, VERSION)


@cache
def blank() -> bytes:
    """Return the bytes of a new database."""
    with closing(apsw.Connection(":memory:")) as memory:
        for number, script in enumerate(MIGRATIONS, 1):
            _apply(Database(memory), number, script)
        return memory.serialize("main")


def _apply(database: Database, number: int, script: str) -> None:
    database.run(script)
    if script is INDEX_LEAVES:
        drop_index(database.connection)
    database.run(f"PRAGMA user_version = {number}")
    database.run(f"PRAGMA application_id = {APPLICATION_ID}")


def change_rows(database: Database, above: int, up_to: int) -> None:
    """Do what the versions of the log above one, up to the other, do to rows. MUST be called in a transaction."""
    for version in sorted(CHANGES):
        if above < version <= up_to:
            database.run(CHANGES[version])
    if database.cache is not None:
        database.cache.forget()


def _change_alone(database: Database, path: Path) -> None:
    """Bring the rows of a single server to this program's version of the log; those of a cluster wait for the log.

    Raises StartError.
    """
    history, stream, version = database.one("SELECT history, stream, version FROM state") or (None, 0, 0)
    if version > versions.VERSION:
        raise StartError(
            f"the chat in {path.parent} has version {version} of the log, and this program knows up to"
            f" {versions.VERSION}: use a newer chat-server"
        )
    if history is None or stream or version == versions.VERSION:
        return
    with database.connection:
        change_rows(database, version, versions.VERSION)
        database.run("UPDATE state SET version = ?, spared_ms = NULL", (versions.VERSION,))
