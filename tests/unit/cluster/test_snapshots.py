"""Snapshots: made from a chat in use, read back, kept twice; and a start from the newest sound one."""

import shutil
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from chat_server.cluster import snapshots
from chat_server.cluster.snapshots import SnapshotError
from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, Position
from chat_server.store import digests
from chat_server.store.blobs import sync
from chat_server.store.data_directory import LOCAL_FILES
from chat_server.store.database import FILE, open_reader
from chat_server.store.work_folder import PREFIX, work_folder
from tests.unit.chat import Chat
from tests.unit.cluster.objects import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(tmp_path / "chat")
    chat.sign_in("alice", "bob")
    for number in range(40):
        chat.say("alice", f"/send_all hi {number}")
    yield chat
    chat.close()


def tables(path: Path) -> dict[str, str]:
    with closing(open_reader(path)) as db:
        db.run("BEGIN")
        return digests.now_of_tables(db)


def leftovers(path: Path) -> list[Path]:
    return list(path.glob(f"{PREFIX}*"))


async def make(objects: MemoryObjects, chat: Chat, nonce: str = "1") -> str:
    await snapshots.make(objects, chat.path, nonce)
    return max(objects.all)


async def test_a_node_starts_where_the_snapshot_was_made(objects: MemoryObjects, chat: Chat, tmp_path: Path) -> None:
    made = await snapshots.make(objects, chat.path, "1")
    state = chat.executor.state
    assert (made.position, made.outcomes, made.history) == (state.position, state.outcomes, state.history)
    before = tables(chat.path)
    chat.say("alice", "/send_all later")
    (tmp_path / "new").mkdir()
    assert await snapshots.load_newest(objects, tmp_path / "new") == made
    assert tables(tmp_path / "new") == before == made.digests
    again = Chat(tmp_path / "new")
    again.ids = chat.ids
    assert again.executor.state.position == Position(state.position.stream, made.position.sequence + 1)
    assert again.say("bob", "/search hi").reply.count > 0, "it makes its own index"
    again.close()
    assert leftovers(tmp_path / "new") == leftovers(chat.path) == []


async def test_the_last_two_are_kept_and_the_rest_goes_whole(objects: MemoryObjects, chat: Chat) -> None:
    assert snapshots.covered(await snapshots.list_whole(objects)) is None
    made = []
    for number in range(4):
        objects.all[f"snapshot-00000000-{chat.executor.state.position.sequence:016}-killed"] = {"database": b"x"}
        chat.say("alice", f"/send_all {number}")
        made.append(await make(objects, chat, str(number)))
    assert set(objects.all) == set(made[-2:])
    assert snapshots.covered(await snapshots.list_whole(objects)) == Position(
        0, chat.executor.state.position.sequence - 1
    )
    objects.all["files-1"] = {}
    await make(objects, chat, "9")
    assert "files-1" in objects.all, "buckets of others stay"


@pytest.mark.parametrize("how", ["changed", "cut", "no database", "no description", "another's", "not compressed"])
async def test_a_damaged_snapshot_is_told_and_the_one_before_is_taken(
    objects: MemoryObjects, chat: Chat, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = await snapshots.make(objects, chat.path, "1")
    chat.say("alice", "/send_all later")
    bucket = objects.all[await make(objects, chat, "2")]
    data = bucket["database"]
    if how == "changed":
        # Of the compressed bytes some can be changed without a change of what they say: distances between zeros.
        plain = zlib.decompress(data)
        half = len(plain) // 2
        bucket["database"] = zlib.compress(plain[:half] + bytes([plain[half] ^ 1]) + plain[half + 1 :])
    elif how == "cut":
        bucket["database"] = data[:-10]
    elif how == "no database":
        del bucket["database"]
    elif how == "no description":
        del bucket["description"]
    elif how == "another's":
        bucket["database"] = objects.all[min(objects.all)]["database"]
    else:
        bucket["database"] = b"not compressed at all"
    (tmp_path / "new").mkdir()
    assert await snapshots.load_newest(objects, tmp_path / "new") == first
    (told,) = [record for record in caplog.records if "the one before is taken" in record.getMessage()]
    assert told.levelname == ("INFO" if how == "no description" else "ERROR"), "one may be under way"
    assert tables(tmp_path / "new") == first.digests


async def test_one_that_is_finished_at_any_moment_is_not_damaged(
    objects: MemoryObjects,
    chat: Chat,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another node is making it, and puts its description right after this one was told that it has none."""
    bucket = objects.all[await make(objects, chat)]
    description = bucket.pop("description")
    names, get = objects.names, objects.get

    async def names_then(name: str) -> list[str]:
        found = await names(name)
        bucket["description"] = description
        return found

    async def get_then(name: str, what: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in get(name, what):
                yield chunk
        finally:
            bucket["description"] = description

    monkeypatch.setattr(objects, "names", names_then)
    monkeypatch.setattr(objects, "get", get_then)
    await snapshots.load_newest(objects, tmp_path)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_newer_one_is_taken_when_all_were_replaced_meanwhile(
    objects: MemoryObjects,
    chat: Chat,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The keeper of another node goes on while this one loads for long."""
    for nonce in "12":
        await make(objects, chat, nonce)
        chat.say("alice", "/send_all later")
    old, get = set(objects.all), objects.get

    async def replace_then(bucket: str, name: str) -> AsyncIterator[bytes]:
        if name == "database" and bucket in old:
            monkeypatch.setattr(objects, "get", get)
            for nonce in "34":
                await make(objects, chat, nonce)
                chat.say("alice", "/send_all later still")
            assert not old & set(objects.all)
        async for chunk in get(bucket, name):
            yield chunk

    monkeypatch.setattr(objects, "get", replace_then)
    (tmp_path / "new").mkdir()
    found = await snapshots.load_newest(objects, tmp_path / "new")
    assert found == (await snapshots.list_whole(objects))[0]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_tables_that_are_not_what_was_described_are_noticed(
    objects: MemoryObjects, chat: Chat, tmp_path: Path
) -> None:
    bucket = objects.all[await make(objects, chat)]
    described = msgspec.json.decode(bucket["description"])
    described["digests"]["users"] = "0" * 32
    bucket["description"] = msgspec.json.encode(described)
    (tmp_path / "new").mkdir()
    with pytest.raises(SnapshotError, match="all snapshots are damaged"):
        await snapshots.load_newest(objects, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


async def test_without_any_snapshot_nothing_is_done(objects: MemoryObjects, tmp_path: Path) -> None:
    assert await snapshots.load_newest(objects, tmp_path) is None
    objects.all["snapshot-00000000-0000000000000001-killed"] = {"database": b"x"}
    assert await snapshots.load_newest(objects, tmp_path) is None, "it was never finished"


async def test_one_of_a_newer_program_is_refused(objects: MemoryObjects, chat: Chat, tmp_path: Path) -> None:
    bucket = objects.all[await make(objects, chat)]
    described = msgspec.json.decode(bucket["description"])
    bucket["description"] = msgspec.json.encode({**described, "schema": 999, "program": "9.9"})
    with pytest.raises(SnapshotError, match=r"use chat-server 9\.9 or a newer one"):
        await snapshots.load_newest(objects, tmp_path)


async def test_an_old_program_takes_the_last_one_that_it_can_read(
    objects: MemoryObjects, chat: Chat, tmp_path: Path
) -> None:
    """A new node made another one while the cluster was upgraded."""
    first = await snapshots.make(objects, chat.path, "1")
    chat.say("alice", "/send_all later")
    bucket = objects.all[await make(objects, chat, "2")]
    described = msgspec.json.decode(bucket["description"])
    bucket["description"] = msgspec.json.encode({**described, "schema": 999})
    (tmp_path / "new").mkdir()
    assert await snapshots.load_newest(objects, tmp_path / "new") == first
    bucket["description"] = msgspec.json.encode({**described, "version": 999})
    (tmp_path / "newer").mkdir()
    with pytest.raises(SnapshotError, match="and 999 of the log"):
        await snapshots.load_newest(objects, tmp_path / "newer")


@pytest.mark.parametrize("act", ["begin", "put", "get"])
async def test_one_that_cannot_be_written_or_read_back_leaves_nothing(
    objects: MemoryObjects, chat: Chat, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await make(objects, chat)

    def fails(acted: str, bucket: str) -> None:
        if acted == act and bucket != kept:
            raise NotAppended("no quorum")

    monkeypatch.setattr(objects, "fails", fails)
    chat.say("alice", "/send_all later")
    with pytest.raises(SnapshotError, match="no quorum"):
        await snapshots.make(objects, chat.path, "2")
    assert set(objects.all) == {kept}
    assert leftovers(chat.path) == []


async def test_one_that_reads_back_otherwise_is_not_kept(
    objects: MemoryObjects, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = objects.put

    async def damage(bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
        await put(bucket, name, chunks)
        if name == "database":
            objects.all[bucket][name] = objects.all[bucket][name][:-1] + b"\0"

    monkeypatch.setattr(objects, "put", damage)
    with pytest.raises(SnapshotError, match="did not take it"):
        await snapshots.make(objects, chat.path, "1")
    assert objects.all == {}


async def test_a_wrong_state_is_replaced_whenever_the_process_ends(
    objects: MemoryObjects, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill it after each step that changes the directory, and start again."""
    made = await snapshots.make(objects, chat.path, "1")
    chat.executor._db.run("UPDATE users SET away = 'wrong'")
    shutil.copytree(chat.path, tmp_path / "wrong")
    assert (tmp_path / "wrong" / f"{FILE}-wal").stat().st_size, "a part of the state is in SQLite's log"
    real, steps = sync, 0
    for kill_at in range(1, 6):
        data = tmp_path / f"killed-{kill_at}"
        shutil.copytree(tmp_path / "wrong", data)
        snapshots.mark_mistaken(data)
        steps = 0

        def killed(path: Path, kill_at: int = kill_at) -> None:
            nonlocal steps
            steps += 1
            if steps == kill_at:
                raise KeyboardInterrupt
            real(path)

        monkeypatch.setattr(snapshots, "sync", killed)
        try:
            await snapshots.load_newest(objects, data)
        except KeyboardInterrupt:
            monkeypatch.setattr(snapshots, "sync", real)
            if snapshots.is_mistaken(data):
                await snapshots.load_newest(objects, data)
        monkeypatch.setattr(snapshots, "sync", real)
        assert tables(data) == made.digests
        assert not snapshots.is_mistaken(data) and not any((data / name).exists() for name in LOCAL_FILES)
    assert steps < kill_at, "the last one was not killed"


async def test_a_wrong_state_without_a_snapshot_stays_and_does_not_start(objects: MemoryObjects, chat: Chat) -> None:
    snapshots.mark_mistaken(chat.path)
    assert await snapshots.load_newest(objects, chat.path) is None
    with pytest.raises(StartError, match="there is no snapshot to start from"):
        snapshots.refuse_mistaken(chat.path)
    assert (chat.path / FILE).exists()


async def test_a_kill_leaves_no_text_for_long(objects: MemoryObjects, chat: Chat) -> None:
    (chat.path / f"{PREFIX}killed").mkdir()
    (chat.path / f"{PREFIX}killed" / FILE).write_bytes(b"secret")
    await make(objects, chat)
    assert leftovers(chat.path) == []


async def test_two_may_be_made_and_removed_beside_each_other(objects: MemoryObjects, chat: Chat) -> None:
    """By the node itself and by the command, while one of them begins by removing what a kill has left."""
    with work_folder(chat.path) as other:
        (chat.path / f"{PREFIX}killed").mkdir()
        await make(objects, chat)
        assert leftovers(chat.path) == [other], "the other is still at it"
    assert leftovers(chat.path) == []
