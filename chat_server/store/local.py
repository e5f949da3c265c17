"""The machine's own database: the search index, and what is to be swept off this machine's disk.

Everything here is derived from the chat's database, which each machine has alike; nothing here is in the log, in a
digest or in a backup. Three rules make it right whichever of the two files is behind after a kill or a power cut:

- The chat's transaction notes in its table `dropped` what an index or a disk has to lose, and keeps the last notes.
  Its commit comes first. `follow` then does what the notes say, and stores how far it has come, in one transaction.
  Everything that it does may be done again.
- `follow` runs before the first batch of a start and after each batch that left a note, so the hot path, which leaves
  none, commits once.
- A local database that is ahead of the chat's, has missed notes that are gone, belongs to another history, is damaged
  or of another version is made anew: the index is built while people chat, and all kept notes are followed again.

Commits are not synced (`synchronous=NORMAL`), since what a power cut takes is followed again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from msgspec import Struct

from chat_server.errors import StartError
from chat_server.store import search
from chat_server.store.data_directory import DATABASE, LOCAL, LOCAL_FILES
from chat_server.store.database import BUSY_MS_MAX, DAMAGED, STATEMENTS_CACHED, WAL_BYTES_MAX, Database, harden

log = logging.getLogger("chat.store")

# Another version is made anew. It MUST change with the tables here and with how words are folded (`search.normalize`).
VERSION = 2
# "chti" in ASCII.
APPLICATION_ID = 0x63687469
# Notes that are followed in one transaction.
NOTES_AT_ONCE_MAX = 2000
# The next messages are indexed, and a step of tidying is taken, about this time after a message was sent.
INDEX_AFTER_SECONDS = 0.25
# An index that is far behind is advanced so many times as often.
HASTE_MAX = 8
# Each block that has to be tidied makes such a step come so many times as often again, up to the second figure. A block
# takes about 45 steps, and about twenty blocks are done within 15 s.
TIDY_HASTE, TIDY_HASTE_MAX = 8, 32

_TABLES = """
-- One row. history: the chat's; followed: the last note of `dropped` that was followed; indexed: the id up to which
-- `/search` has an index.
CREATE TABLE place (
    id INTEGER PRIMARY KEY CHECK (id = 1), history TEXT, followed INTEGER NOT NULL, indexed INTEGER NOT NULL
) STRICT;
INSERT INTO place VALUES (1, NULL, 0, 0);

-- The blocks of the index, each with a table folded_N (see `search`). stale: words of removed messages are still in its
-- pages; merging: its pages are being rewritten.
CREATE TABLE word_blocks (
    id INTEGER PRIMARY KEY, stale INTEGER NOT NULL DEFAULT 0, merging INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX word_blocks_stale ON word_blocks (merging, id) WHERE stale OR merging;

-- What may be removed from the disk: all that an upload left there, or a blob that no file has any more; and from the
-- object store of a cluster: an object or a bucket.
CREATE TABLE sweeps (id INTEGER PRIMARY KEY, upload INTEGER, sha256 TEXT, object TEXT, bucket INTEGER) STRICT;
CREATE INDEX sweeps_store ON sweeps (id) WHERE object IS NOT NULL OR bucket IS NOT NULL;
"""


class Sweep(Struct, frozen=True):
    """What may be removed from the disk: all that this upload left there, or this blob unless another file has it."""

    id: int
    upload: int | None
    sha256: str | None


def list_sweeps(db: Database, limit: int) -> list[Sweep]:
    return [
        Sweep(*row)
        for row in db.all(
            "SELECT id, upload, sha256 FROM sweeps WHERE object IS NULL AND bucket IS NULL ORDER BY id LIMIT ?",
            (limit,),
        )
    ]


class StoreSweep(Struct, frozen=True):
    """What is to be removed from the object store: this object, or this bucket."""

    id: int
    object: str | None
    bucket: int | None


def list_store_sweeps(db: Database, limit: int) -> list[StoreSweep]:
    return [
        StoreSweep(*row)
        for row in db.all(
            "SELECT id, object, bucket FROM sweeps WHERE object IS NOT NULL OR bucket IS NOT NULL ORDER BY id LIMIT ?",
            (limit,),
        )
    ]


class Local:
    """The machine's own database, written on the writer's thread alone.

    - `indexed`: the id up to which all messages are indexed.
    - `has_sweeps`: whether something may be removed from the disk or from the object store.
    """

    def __init__(self, directory: Path) -> None:
        """Open it, made anew as needed, and follow the chat's database, which MUST have been opened before.

        Raises StartError, and LOCKED.
        """
        self._path = directory / LOCAL
        self.has_sweeps = False
        try:
            self.db, self._followed, self.indexed = _open(directory)
            self.follow()
        except apsw.BusyError:
            raise
        except apsw.Error as error:
            raise StartError(
                f"cannot open {self._path}: {error}; it holds nothing that is not made anew, so it may be removed"
            ) from None
        self.has_sweeps = self.db.one("SELECT 1 FROM sweeps LIMIT 1") is not None
        # The last run's log may hold words of texts that the last run erased.
        self.db.unclean = True

    def follow(self) -> None:
        """Do what the notes say that are not followed yet. Raises what SQLite does; nothing is lost then."""
        while True:
            notes = self.db.all(
                "SELECT id, message_id, upload, sha256, object, bucket FROM dropped WHERE id > ? ORDER BY id LIMIT ?",
                (self._followed, NOTES_AT_ONCE_MAX),
            )
            if not notes:
                return
            with self._transaction():
                if notes[0][0] > self._followed + 1:
                    self._begin_index()
                search.refresh(self.db, {note[1] for note in notes if note[1] is not None}, self.indexed)
                sweeps = [(note[0], *note[2:]) for note in notes if note[1] is None]
                for sweep in sweeps:
                    self.db.run("INSERT OR IGNORE INTO sweeps VALUES (?, ?, ?, ?, ?)", sweep)
                self._save(notes[-1][0], self.indexed)
            self.has_sweeps = self.has_sweeps or bool(sweeps)

    def keep_close(self, seq: int, came: int) -> None:
        """Advance an index that lags too far behind `seq`, the last id; `came` ids are new.

        An index that is being rebuilt is far behind. It is advanced by at most twice as many ids as came, so that it
        catches up and yet nobody waits for it; `step` does the rest.
        """
        goal = min(seq - search.BEHIND_IDS_MAX, self.indexed + 2 * came)
        while self.indexed < goal:
            with self._transaction():
                self._save(self._followed, search.index_step(self.db, self.indexed, seq))

    def step(self) -> float | None:
        """Follow, index the next messages, and tidy one step. Return after how many seconds to go on, None if done."""
        self.follow()
        with self._transaction():
            seq: int = self.db.value("SELECT seq FROM state")
            if self.indexed < seq:
                self._save(self._followed, search.index_step(self.db, self.indexed, seq))
            search.tidy_step(self.db)
        stale = search.count_stale_blocks(self.db)
        if self.indexed == seq and not stale:
            return None
        is_behind = seq - self.indexed > search.BEHIND_IDS_MAX
        haste = HASTE_MAX if is_behind else min(TIDY_HASTE * stale, TIDY_HASTE_MAX)
        return INDEX_AFTER_SECONDS / max(1, haste)

    def finish(self) -> None:
        """Follow, and remove all words that are not of a text any more from the index's pages."""
        self.follow()
        while search.count_stale_blocks(self.db):
            with self._transaction():
                search.tidy_step(self.db)

    def forget_sweeps(self, ids: list[int]) -> None:
        """Forget what has been removed from the disk."""
        with self._transaction():
            for each in ids:
                self.db.run("DELETE FROM sweeps WHERE id = ?", (each,))
        self.has_sweeps = self.db.one("SELECT 1 FROM sweeps LIMIT 1") is not None

    def discard(self) -> None:
        """Remove the files, which are damaged, so that the next start makes them anew."""
        for name in LOCAL_FILES:
            self._path.with_name(name).unlink(missing_ok=True)

    def close(self) -> None:
        self.db.close()

    def _begin_index(self) -> None:
        """Begin the index again: notes that it needed are gone."""
        log.warning("the search index has missed changes and is made anew")
        search.drop(self.db)
        self.indexed = 0

    def _save(self, followed: int, indexed: int) -> None:
        self.db.run(
            "UPDATE place SET history = (SELECT history FROM state), followed = ?, indexed = ?", (followed, indexed)
        )
        self._followed, self.indexed = followed, indexed

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        kept = self._followed, self.indexed
        self.db.run("BEGIN IMMEDIATE")
        try:
            yield
            self.db.run("COMMIT")
        except BaseException:
            self._followed, self.indexed = kept
            if self.db.connection.in_transaction:
                self.db.run("ROLLBACK")
            raise


def _open(directory: Path) -> tuple[Database, int, int]:
    """Open the files, or make them anew. Return the last note that was followed and the last id that is indexed."""
    for is_new in (False, True):
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        db = Database(apsw.Connection(str(directory / LOCAL), flags=flags, statementcachesize=STATEMENTS_CACHED))
        try:
            _set_up(db, directory)
            found = db.value("PRAGMA main.user_version"), db.value("PRAGMA main.application_id")
            if found == (VERSION, APPLICATION_ID) and (place := _usable_place(db)) is not None:
                return db, *place
            is_empty = not db.value("SELECT count(*) FROM main.sqlite_schema")
            if is_empty or is_new:
                return db, _create(db), 0
            log.warning("%s does not belong to the database beside it, and is made anew", directory / LOCAL)
        except DAMAGED as error:
            log.warning("%s is damaged (%s), and is made anew", directory / LOCAL, error)
        db.close()
        for name in LOCAL_FILES:
            (directory / name).unlink(missing_ok=True)
    raise AssertionError("a new file can be used")


def _set_up(db: Database, directory: Path) -> None:
    db.connection.set_busy_timeout(BUSY_MS_MAX)
    for setting in (
        "journal_mode = WAL", "synchronous = NORMAL", f"journal_size_limit = {WAL_BYTES_MAX}", "secure_delete = ON"
    ):  # fmt: skip
        db.run(f"PRAGMA {setting}")
    harden(db)
    # Read-only: a transaction that writes would otherwise lock the chat's database, too.
    db.run("ATTACH ? AS chat", (f"{(directory / DATABASE).absolute().as_uri()}?mode=ro",))
    (directory / LOCAL).chmod(0o600)


def _usable_place(db: Database) -> tuple[int, int] | None:
    """Return how far the local database has come; None if it does not fit to the chat's."""
    history, followed, indexed = db.one("SELECT history, followed, indexed FROM place") or (None, 0, 0)
    now, seq, last = db.one("SELECT history, seq, (SELECT coalesce(max(id), 0) FROM dropped) FROM state") or ("", 0, 0)
    fits = history in (None, now) and followed <= last and indexed <= seq
    return (followed, indexed) if fits else None


def _create(db: Database) -> int:
    """Make the tables. Return the note before the first one that is kept: the sweeps of all of them are listed."""
    with db.connection:
        db.run(_TABLES)
        db.run(f"PRAGMA main.user_version = {VERSION}")
        db.run(f"PRAGMA main.application_id = {APPLICATION_ID}")
        before: int = db.value("SELECT coalesce(min(id) - 1, 0) FROM dropped")
        db.run("UPDATE place SET followed = ?", (before,))
    return before
