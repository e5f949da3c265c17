"""Moving a chat into a cluster and out of it again: nothing is lost, and it never goes on in two places."""

import errno
import hashlib
import shutil
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from secrets import token_bytes

import pytest

from chat_server.cluster import moving, moving_files, snapshots
from chat_server.cluster.sealed_objects import SealedObjects
from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, Position
from chat_server.store import backup
from chat_server.store.backup import StoredFile
from chat_server.store.data_directory import FILES, LOCK, MOVED, DataDirectory
from chat_server.store.database import FILE, open_reader
from tests.unit.chat import Chat
from tests.unit.cluster.objects import MemoryObjects
from tests.unit.store.old_databases import copy_old

HELLO = hashlib.sha256(b"hello").hexdigest()


class Streams:
    """How many messages each stream has. `away` is the number of the ask with which the servers go."""

    def __init__(self) -> None:
        self.lasts: dict[int, int] = {}

    async def list(self) -> list[int]:
        return sorted(self.lasts)

    async def last(self, stream: int) -> int:
        return self.lasts[stream]


async def _break_off(objects: object, name: str, secret: bytes) -> AsyncIterator[bytes]:
    yield b"he"
    raise NotAppended("an election goes on")


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def old(tmp_path: Path) -> Path:
    chat = Chat(tmp_path / "old")
    chat.sign_in("alice", "bob")
    for number in range(5):
        chat.say("alice", f"/send_all hi {number}")
    chat.say("alice", "/send_file main a.png 5")
    chat.close()
    return tmp_path / "old"


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def streams() -> Streams:
    return Streams()


async def move(old: Path, streams: Streams, objects: MemoryObjects, lost: list[StoredFile] | None = None) -> int:
    with closing(DataDirectory(str(old), moving=True)) as directory:
        given = (streams, objects, directory, token_bytes, silent, lost)
        return await moving.import_chat(*given)  # type: ignore[arg-type]


def texts(path: Path) -> list[str]:
    with closing(open_reader(path)) as db:
        return [text for (text,) in db.all("SELECT text FROM messages ORDER BY id")]


async def test_a_chat_becomes_the_first_snapshot(
    old: Path, streams: Streams, objects: MemoryObjects, tmp_path: Path
) -> None:
    before = texts(old)
    assert await move(old, streams, objects) == 0
    (tmp_path / "node").mkdir()
    found = await snapshots.load_newest(objects, tmp_path / "node")
    assert found is not None and found.position == Position(1, 0)
    assert texts(tmp_path / "node") == texts(old) == before
    with closing(open_reader(tmp_path / "node")) as db, closing(open_reader(old)) as whole:
        assert db.value("SELECT history FROM state") == whole.value("SELECT history FROM state"), (
            "the same chat goes on"
        )
        assert db.value("SELECT count(*) FROM nodes") == db.value("SELECT count(*) FROM uploads") == 0
        assert whole.value("SELECT count(*) FROM uploads") == 1, "nothing of it was changed"


async def test_no_server_starts_on_what_was_moved(old: Path, streams: Streams, objects: MemoryObjects) -> None:
    await move(old, streams, objects)
    with pytest.raises(StartError, match="was moved into a cluster"):
        DataDirectory(str(old))
    await move(old, streams, objects)
    assert len(objects.all) == 1, "it can be run again"


async def test_it_is_refused_on_a_log_that_is_not_empty(old: Path, streams: Streams, objects: MemoryObjects) -> None:
    for lasts in ({1: 1}, {2: 0}, {1: 5, 2: 5}):
        streams.lasts = lasts
        with pytest.raises(StartError, match="not empty"):
            await move(old, streams, objects)
    assert not (old / MOVED).exists() and objects.all == {}
    streams.lasts = {1: 0}
    await move(old, streams, objects)


async def test_a_node_that_begins_meanwhile_is_noticed(
    old: Path, streams: Streams, objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(act: str, bucket: str) -> None:
        streams.lasts = {1: 1}

    monkeypatch.setattr(objects, "fails", begin)
    with pytest.raises(StartError, match="not empty"):
        await move(old, streams, objects)
    assert objects.all == {}


async def test_another_chat_s_snapshot_is_not_replaced(
    old: Path, streams: Streams, objects: MemoryObjects, tmp_path: Path
) -> None:
    other = Chat(tmp_path / "other")
    other.executor._db.run("UPDATE state SET history = 'another'")
    await snapshots.make(objects, other.path, "1")
    other.close()
    with pytest.raises(StartError, match="snapshot of another chat"):
        await move(old, streams, objects)
    assert not (old / MOVED).exists() and len(objects.all) == 1


async def test_after_a_kill_it_is_run_again(
    old: Path, streams: Streams, objects: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with each act on the object store in turn; until it is whole, no node takes it for a snapshot."""
    for kill_at in range(1, 12):
        acts = 0

        def fails(act: str, bucket: str, kill_at: int = kill_at) -> None:
            nonlocal acts
            acts += 1
            if acts >= kill_at:
                raise KeyboardInterrupt

        monkeypatch.setattr(objects, "fails", fails)
        try:
            await move(old, streams, objects)
        except KeyboardInterrupt:
            monkeypatch.undo()
            await move(old, streams, objects)
        monkeypatch.undo()
        node = tmp_path / f"node-{kill_at}"
        node.mkdir()
        assert await snapshots.load_newest(objects, node) is not None
        assert texts(node) == texts(old) and len(objects.all) == 1
        objects.all.clear()


async def test_nats_that_is_away_is_told(
    old: Path, streams: Streams, objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(act: str, bucket: str) -> None:
        raise NotAppended("no server answers")

    monkeypatch.setattr(objects, "fails", fails)
    with pytest.raises(StartError, match="no server answers; run it again"):
        await move(old, streams, objects)


async def test_an_old_chat_is_brought_up_to_date_in_the_copy(
    streams: Streams, objects: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old"
    path.mkdir()
    before = (copy_old(path, 8) / FILE).read_bytes()
    with pytest.raises(StartError, match=r"the bytes of notes.txt \(message #14\) are missing"):
        await move(path, streams, objects)
    assert not (path / MOVED).exists() and objects.all == {}
    lost: list[StoredFile] = []
    assert await move(path, streams, objects, lost) == 0, "whoever says so goes on without it"
    assert [(each.name, each.message_id) for each in lost] == [("notes.txt", 14)]
    blob = path / "files" / HELLO[:2] / HELLO
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"hello")
    assert await move(path, streams, objects) == 1
    assert (path / FILE).read_bytes() == before and blob.read_bytes() == b"hello"
    # It can be run again, and what the first try has left goes.
    assert await move(path, streams, objects) == 1
    (bucket,) = (bucket for bucket in objects.all if bucket.startswith("files-"))
    assert len(objects.all[bucket]) == 1 and b"hello" not in b"".join(objects.all[bucket].values())
    # And out of it again.
    with closing(DataDirectory(str(tmp_path / "alone"))) as directory:
        restored = await moving.restore_alone(objects, directory, "h", silent)
    assert restored.missing == []
    assert (tmp_path / "alone" / "files" / HELLO[:2] / HELLO).read_bytes() == b"hello"
    with closing(open_reader(tmp_path / "alone")) as db:
        assert db.all("SELECT object, secret FROM files") == [(None, None)]
        assert db.value("SELECT count(*) FROM buckets") == 0
    # NATS may go away in the middle of it; it is as if nothing had been tried then.
    with closing(DataDirectory(str(tmp_path / "again"))) as directory, monkeypatch.context() as patched:
        patched.setattr(SealedObjects, "get", _break_off)
        with pytest.raises(NotAppended):
            await moving.restore_alone(objects, directory, "h", silent)
        patched.undo()
        assert (await moving.restore_alone(objects, directory, "h", silent)).missing == []
    objects.all[bucket].clear()
    with closing(DataDirectory(str(tmp_path / "without"))) as directory:
        restored = await moving.restore_alone(objects, directory, "h", silent)
    assert [(each.name, each.message_id) for each in restored.missing] == [("notes.txt", 14)]
    assert not (tmp_path / "without" / "files" / HELLO[:2] / HELLO).exists()


async def test_a_snapshot_is_restored_to_a_single_server(
    old: Path, streams: Streams, objects: MemoryObjects, tmp_path: Path
) -> None:
    await move(old, streams, objects)
    with closing(DataDirectory(str(tmp_path / "alone"))) as directory:
        await moving.restore_alone(objects, directory, "new history", silent)
    chat = Chat(tmp_path / "alone")
    assert chat.executor.state.history == "new history" and chat.executor.state.position.stream == 0
    chat.ids = {name: id_ for id_, name in chat.db.all("SELECT id, name FROM users")}
    chat.say("bob", "/send_all it goes on")
    assert texts(chat.path) == [*texts(old), "it goes on"]
    chat.close()
    with closing(DataDirectory(str(tmp_path / "alone"))) as directory, pytest.raises(StartError, match="not empty"):
        await moving.restore_alone(objects, directory, "h", silent)


async def test_a_restore_goes_on_after_a_kill(
    streams: Streams, objects: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    copy_old(old, 8)
    blob = old / "files" / HELLO[:2] / HELLO
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"hello")
    await move(old, streams, objects)

    def killed(database: Path, history: str) -> None:
        """The files have been fetched, and the database is not in its place yet."""
        shutil.copytree(new, tmp_path / "killed")
        raise KeyboardInterrupt

    with (
        closing(DataDirectory(str(new))) as directory,
        monkeypatch.context() as patched,
        pytest.raises(KeyboardInterrupt),
    ):
        patched.setattr(backup, "leave_cluster", killed)
        await moving.restore_alone(objects, directory, "h", silent)
    assert any((tmp_path / "killed").rglob(HELLO))
    with closing(DataDirectory(str(tmp_path / "killed"))) as directory:
        await moving.restore_alone(objects, directory, "h", silent)
    assert texts(tmp_path / "killed") and (tmp_path / "killed" / "files" / HELLO[:2] / HELLO).exists()
    assert not list((tmp_path / "killed").glob(".*"))


async def test_a_full_disk_leaves_the_directory_as_it_was(
    old: Path, streams: Streams, objects: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next try would be refused, since the directory is not empty."""
    await move(old, streams, objects)

    async def fill(objects: object, wanted: object, data: Path, progress: object) -> list[StoredFile]:
        (data / FILES / "ab").mkdir(parents=True)
        (data / FILES / "ab" / "abcd").write_bytes(b"half of")
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(DataDirectory(str(tmp_path / "alone"))) as directory:
        with monkeypatch.context() as patched, pytest.raises(StartError, match="No space left on device"):
            patched.setattr(moving_files, "fetch", fill)
            await moving.restore_alone(objects, directory, "h", silent)
        assert [path.name for path in directory.path.iterdir()] == [LOCK]
        await moving.restore_alone(objects, directory, "h", silent)


async def test_without_a_snapshot_nothing_is_restored(objects: MemoryObjects, tmp_path: Path) -> None:
    with closing(DataDirectory(str(tmp_path / "alone"))) as alone, pytest.raises(StartError, match="has no snapshot"):
        await moving.restore_alone(objects, alone, "h", silent)
