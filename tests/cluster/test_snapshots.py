"""Snapshots that nodes make by themselves on real servers, and what is gone from all disks with them."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from chat_server.cluster import snapshots
from chat_server.cluster.snapshots import Description
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.nats_objects import NatsObjects
from chat_server.log.stream import NotAppended
from chat_server.store.work_folder import work_folder
from tests.cluster.conftest import Connect
from tests.cluster.nodes import HastyNode, LocalCluster, running
from tests.cluster.servers import files_with
from tests.conformance.operating import done
from tests.harness import Chat

# Ten times what it takes here, on a machine that is busy.
WAIT_SECONDS = 300.0


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            # A bucket that is being made or deleted has no leader, and answers nothing.
            with contextlib.suppress(NotAppended):
                if await is_so():
                    return
            await asyncio.sleep(0.3)


class Stage:
    def __init__(
        self, cluster: LocalCluster, chats: list[Chat], objects: NatsObjects, chain: JetStreamChain, scratch: Path
    ) -> None:
        self.cluster = cluster
        self.chats = chats
        self.objects = objects
        self.chain = chain
        self._scratch = scratch

    async def kept(self) -> list[Description]:
        return await snapshots.list_whole(self.objects)

    async def snapshots_with(self, needles: list[bytes]) -> list[str]:
        """The snapshots that hold one of these texts, which are compressed; also one that is not whole."""
        found = []
        for bucket in await self.objects.buckets():
            with work_folder(self._scratch) as folder:
                try:
                    await snapshots._fetch(self.objects, bucket, folder, lambda *_: None)
                except Exception:
                    found.append(f"{bucket} is not whole")
                if files_with(folder, needles):
                    found.append(bucket)
        return found

    def files_with(self, needles: list[bytes]) -> list[Path]:
        return [path for node in self.cluster.nodes for path in node.files_with(needles)]


@pytest.fixture
async def stage(tmp_path: Path, connect: Connect) -> AsyncIterator[Stage]:
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off", node_type=HastyNode)
    (tmp_path / "scratch").mkdir()
    async with running(cluster) as chats:
        connection = await connect(cluster.servers.urls, "looker")
        yield Stage(cluster, chats, NatsObjects(connection), JetStreamChain(connection), tmp_path / "scratch")
    for node in cluster.nodes:
        assert "CRITICAL" not in node.log, node.log


async def test_what_is_gone_is_gone_from_all_files_of_all_nodes_and_servers(stage: Stage) -> None:
    one, two, three = stage.chats

    async def is_quiet() -> bool:
        streams = {each.position.stream for each in await stage.kept()}
        return len(await stage.kept()) == 2 and streams == set(await stage.chain.list())

    await eventually(is_quiet)
    alice, mallory = await one.json("alice"), await two.json("mallory")
    # Each of another way in, and of another way out.
    said, edited, private, forgotten, delayed = (f"zq{secrets.token_hex(16)}" for _ in range(5))
    needles = [each.encode() for each in (said, edited, private, forgotten, delayed)]
    kept = f"zq{secrets.token_hex(16)}"
    first = (await alice.ok(f"/send_all {said}"))["id"]
    second = (await alice.ok(f"/send_all {edited}"))["id"]
    third = (await alice.ok(f"/send mallory {private}"))["id"]
    later = (await alice.ok(f"/send_delayed main 1h {delayed}"))["delayed_id"]
    await mallory.ok(f"/send_all {forgotten}")
    await alice.ok(f"/send_all {kept}")
    # With one erasure the log goes on in the next stream, and a snapshot is made that has all texts.
    await alice.ok(f"/delete {(await alice.ok('/send_all something'))['id']}")
    stream = min(await stage.chain.list())

    async def has_snapshot_with_all() -> bool:
        return bool(await stage.snapshots_with([kept.encode()]))

    await eventually(has_snapshot_with_all)
    assert await stage.snapshots_with(needles)
    assert all(node.files_with(needles) for node in stage.cluster.nodes)
    assert len(stage.cluster.servers.files_with(needles)) >= 6, "the stream's files and the Raft log's, at each server"

    await alice.ok(f"/delete {first}")
    await alice.ok(f"/edit {second} otherwise")
    await alice.ok(f"/delete {third}")
    await alice.ok(f"/cancel_delayed {later}")
    told = await asyncio.to_thread(done, stage.cluster.nodes[2], "forget", "mallory", "--yes")
    assert "leave the disks of all nodes within 10 s, and those of NATS within 30 minutes" in told

    async def is_gone_from_nodes() -> bool:
        return not stage.files_with(needles)

    async def is_gone_from_nats() -> bool:
        return not stage.cluster.servers.files_with(needles) and not await stage.snapshots_with(needles)

    await eventually(is_gone_from_nodes)
    await eventually(is_gone_from_nats)
    assert min(await stage.chain.list()) > stream
    assert len(await stage.kept()) == 2
    # What was not erased is there, and people notice nothing of it all.
    carol = await three.json("carol")
    shown, _ = await carol.command("/history main")
    assert kept in [each.get("text") for each in shown]
    await alice.ok("/send_all it goes on")


async def test_a_survivor_takes_over_and_a_new_node_starts_from_what_it_made(stage: Stage) -> None:
    async def has_two() -> bool:
        return len(await stage.kept()) == 2 and "made the snapshot of batch" in one.log

    one = stage.cluster.nodes[0]
    await eventually(has_two)
    one.kill()
    (last, _) = await stage.kept()
    alice = await stage.chats[1].json("alice")
    erased = (await alice.ok("/send_all gone soon"))["id"]
    await alice.ok(f"/delete {erased}")

    async def has_newer() -> bool:
        is_newer = (await stage.kept())[0].position.stream > last.position.stream
        return is_newer and "made the snapshot of batch" in stage.cluster.nodes[1].log

    await eventually(has_newer)
    assert "made the snapshot of batch" not in stage.cluster.nodes[2].log, "one node at a time"

    # Its stream may be gone meanwhile; then it starts from a snapshot.
    await asyncio.to_thread(one.start)
    new = HastyNode(one.data.with_name("n4"), "n4", stage.cluster.servers)
    await asyncio.to_thread(new.start)
    try:
        assert "started from the snapshot" in new.log
        tables = {str(node.rows("SELECT id, text FROM messages")) for node in (one, *stage.cluster.nodes[1:], new)}
        assert len(tables) == 1
    finally:
        new.close()
