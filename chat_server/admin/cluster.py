"""The administrator's commands for the state of a chat: moving it, snapshots, and verifying it."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from chat_server.admin.processes import OPENED, READY
from chat_server.cluster import moving, moving_files, nats_access, snapshots
from chat_server.cluster.side_processes import Digests
from chat_server.cluster.snapshots import Description, NotTaken, Progress, SnapshotError
from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, Objects, Position, Streams
from chat_server.protocol.file_names import describe_size
from chat_server.runtime import Runtime
from chat_server.settings import Settings
from chat_server.store import digests
from chat_server.store.backup import StoredFile
from chat_server.store.data_directory import DATABASE, DataDirectory
from chat_server.store.database import Database, open_unchanged
from chat_server.store.schema import VERSION as SCHEMA

R = TypeVar("R")

# Files that are named when their bytes are missing.
NAMED_MAX = 5
# Each step of a snapshot is followed by a rest of this many times its length, and of this time at most.
REST_FACTOR = 3.0
REST_SECONDS_MAX = 0.2
# What was erased has to be gone from NATS in time, so that a large database is not rested for any longer.
RESTED_SECONDS_MAX = 240.0
# An election among NATS servers takes 4 to 9 s, and one may be followed by another.
ELECTION_SECONDS = 20.0
AGAIN_SECONDS = 1.0
# What connects to NATS for a command, where the settings name no node.
_NODE = "admin"


def _with_nats(runtime: Runtime, chosen: Settings, do: Callable[[Streams, Objects], Awaitable[R]]) -> R:
    """Do it with the streams and the object store of `--cluster`, again while an election may be going on.

    Raises StartError, and what the last try raised.
    """
    if not chosen.cluster:
        raise StartError(
            "say with --cluster which NATS servers are meant, with the same options as for a node", status=2
        )

    async def connected() -> R:
        nats = await nats_access.connect(chosen, runtime, chosen.node or _NODE)
        from chat_server.log.jetstream import JetStreamChain
        from chat_server.log.nats_objects import NatsObjects

        try:
            return await _patiently(runtime, lambda: do(JetStreamChain(nats), NatsObjects(nats)))
        finally:
            await nats.close()

    return runtime.run(connected())


async def _patiently(runtime: Runtime, do: Callable[[], Awaitable[R]]) -> R:
    deadline = runtime.monotonic() + ELECTION_SECONDS
    while True:
        try:
            return await do()
        except (NotAppended, NotTaken):
            if runtime.monotonic() > deadline:
                raise
        await runtime.sleep(AGAIN_SECONDS)


def import_chat(runtime: Runtime, chosen: Settings, name: str, progress: Progress, without_lost: bool) -> str:
    """Move the chat in the directory `name` into the cluster; return what to tell. Raises StartError.

    `without_lost` leaves out files whose bytes are missing or damaged.
    """
    if not Path(name).expanduser().is_dir():
        raise StartError(f"there is no directory {name}")
    lost: list[StoredFile] | None = [] if without_lost else None
    with contextlib.closing(DataDirectory(name, moving=True)) as directory:
        files = _with_nats(
            runtime,
            chosen,
            lambda streams, objects: moving.import_chat(
                streams, objects, directory, runtime.token_bytes, progress, lost
            ),
        )
        with_files = f" with {files} file{'s' if files != 1 else ''}" if files else ""
        return (
            f"moved the chat in {directory.path}{with_files} into the cluster; start its nodes, with other data"
            f" directories{words_of_lost(lost or [])}"
        )


def restore_alone(runtime: Runtime, chosen: Settings, progress: Progress) -> str:
    """Put the newest snapshot into the empty data directory; return what to tell. Raises StartError."""
    with contextlib.closing(DataDirectory(chosen.data_dir)) as directory:
        try:
            found = _with_nats(
                runtime,
                chosen,
                lambda streams, objects: moving.restore_alone(objects, directory, runtime.token_hex(8), progress),
            )
        except NotAppended as error:
            raise StartError(f"nothing was restored, NATS cannot be read: {error}") from None
        told = f"restored {_words(found.description)} into {directory.path}; start the server without --cluster"
        if found.missing:
            told += (
                f"; the bytes of {len(found.missing)} files are not in the cluster any more, mostly since they were"
                f" deleted after the snapshot: {_names_of(found.missing)}"
            )
        return told


def _names_of(files: Sequence[StoredFile]) -> str:
    names = ", ".join(f"{each.name} (message #{each.message_id})" for each in files[:NAMED_MAX])
    return names + (" …" if len(files) > NAMED_MAX else "")


def words_of_lost(files: Sequence[StoredFile]) -> str:
    """What follows what was done without these files."""
    if not files:
        return ""
    counted, are = ("1 file", "is") if len(files) == 1 else (f"{len(files)} files", "are")
    return f"; {counted} whose bytes are lost {are} left out: {_names_of(files)}"


def fetch_files(runtime: Runtime, chosen: Settings, files: list[StoredFile], to: Path, progress: Progress) -> None:
    """Fetch the bytes of files that the node does not have, as far as they are in the cluster. Raises StartError."""
    if not chosen.cluster:
        raise StartError(
            f"nothing was saved: this node of a cluster does not have the bytes of {len(files)} of its files, such as"
            f" {files[0].name}; say where to fetch them, with the same --cluster options or --config as for the node",
            status=2,
        )
    try:
        _with_nats(runtime, chosen, lambda streams, objects: moving_files.fetch(objects, files, to, progress))
    except NotAppended as error:
        raise StartError(f"nothing was saved, NATS cannot be read: {error}") from None


def make_snapshot(runtime: Runtime, chosen: Settings, progress: Progress) -> str:
    """Make a snapshot of the data directory's database, also beside its node; return what to tell.

    Raises StartError.
    """
    data = Path(chosen.data_dir).expanduser().absolute()
    if not is_of_member(data):
        raise StartError(f"the chat in {data} is that of a single server: chat-server cluster import moves it")
    rested = paced(runtime, progress)
    try:
        made = _with_nats(
            runtime, chosen, lambda streams, objects: snapshots.make(objects, data, runtime.token_hex(4), rested)
        )
    except SnapshotError as error:
        raise StartError(f"no snapshot was made: {error}") from None
    return f"made {_words(made)}, checked"


def paced(runtime: Runtime, progress: Progress) -> Progress:
    """Rest after each step. NATS stores it at its own priority, and syncs the same disks as people's messages do."""
    first = begun = runtime.monotonic()

    def step(what: str, done: int, total: int) -> None:
        nonlocal begun
        progress(what, done, total)
        now = runtime.monotonic()
        if now - first < RESTED_SECONDS_MAX:
            runtime.block(min(REST_SECONDS_MAX, REST_FACTOR * (now - begun)))
        begun = runtime.monotonic()

    return step


def _words(each: Description) -> str:
    stream, sequence = each.position
    return f"the snapshot of batch {sequence} of stream {stream} ({describe_size(each.size)})"


def verify(data: Path, progress: Progress) -> str:
    """Check the database in `data`, also beside a running server; return what to tell. Raises StartError.

    It is read in one transaction.
    """
    with contextlib.closing(_open(data)) as db:
        db.run("BEGIN")
        (stream, sequence), tables, rows = _read(db, data, progress)
    return (
        f"the database is sound: {rows} rows in {len(tables)} tables at batch {sequence} of stream {stream};"
        f" digest {digests.total(tables)}"
    )


def read_when_told(data: Path, tell: Callable[[bytes], None], wait: Callable[[], bytes], progress: Progress) -> None:
    """Check the database as it is when told to open it, for the node that runs on it. Raises StartError."""
    with contextlib.closing(_open(data)) as db:
        tell(READY)
        if not wait():
            return
        db.run("BEGIN")
        # SQLite begins to read with the first statement.
        _position(db)
        tell(OPENED)
        position, tables, _ = _read(db, data, progress)
    tell(msgspec.json.encode(Digests(position, tables, SCHEMA)) + b"\n")


def is_of_member(data: Path) -> bool:
    """Tell whether the directory is that of a node of a cluster."""
    with contextlib.closing(_open(data)) as db:
        return _position(db).stream > 0


def _open(data: Path) -> Database:
    """Raises StartError."""
    if not (data / DATABASE).exists():
        raise StartError(f"there is no chat in {data}; name its directory with --data")
    return open_unchanged(data)


def _position(db: Database) -> Position:
    return Position(*(db.one("SELECT stream, sequence FROM state") or (0, 0)))


def _read(db: Database, data: Path, progress: Progress) -> tuple[Position, dict[str, str], int]:
    """Check the database, and compute its digests and count its rows, in one transaction. Raises StartError."""
    position, rows = _position(db), 0
    progress("checking the database", 0, 1)
    for (problem,) in db.all("PRAGMA main.integrity_check(1)"):
        if problem != "ok":
            why = " ".join(problem.split())
            raise StartError(f"the database in {data} is damaged: {why}; chat-server restore FILE --force")
    lost = db.one("PRAGMA main.foreign_key_check")
    if lost is not None:
        raise StartError(f"the database in {data} is damaged: a row of {lost[0]} refers to nothing in {lost[2]}")
    steps = digests.of_tables(db)
    while True:
        try:
            rows += next(steps)
        except StopIteration as stop:
            return position, stop.value, rows
        progress("reading the database", 0, 1)
