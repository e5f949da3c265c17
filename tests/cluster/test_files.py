"""Files on real NATS servers: sent at one node and fetched at another, and never plain in a file of NATS."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.nodes import LocalCluster, running
from tests.cluster.servers import files_with
from tests.conformance.operating import done, refused
from tests.conformance.uploads import bytes_of, chunk, digest, fetch, open_upload, send_file, send_rest
from tests.harness import TIMEOUT_SECONDS, Chat

DATA = bytes_of(1_000_000, 11)


# Pieces of it, which are sought in files.
PIECES = [DATA[start : start + 64] for start in range(0, len(DATA), 50_000)]


@pytest.mark.smoke
async def test_a_file_goes_from_node_to_node(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off", "--command-rate", "off")
    async with running(cluster) as chats:
        anna, bob, carol = [await chat.json(name) for chat, name in zip(chats, ("anna", "bob", "carol"), strict=True)]
        sent = await send_file(anna, "main", "a.bin", DATA)
        await bob.event("message", text="a.bin")
        data, reply = await fetch(bob, f"/get_file {sent['file']['id']}")
        assert digest(data) == reply["sha256"] == digest(DATA)
        assert cluster.servers.files_with(PIECES) == []
        assert files_with(cluster.nodes[1].data / "files", PIECES), "they would be found"
        # The taking node is killed in the middle of the next one.
        other = DATA[::-1]
        opened = await open_upload(anna, "main", "b.bin", other)
        await anna.ok(chunk(opened["upload"], other[:30_000]))
        cluster.nodes[0].kill()
        again = await chats[2].json("anna")
        resumed = await open_upload(again, "main", "b.bin", other)
        assert (resumed["upload"], resumed["received"]) == (opened["upload"], 0)
        second = await send_rest(again, resumed, other)
        await bob.event("message", text="b.bin")
        assert (await fetch(bob, f"/get_file {second['file']['id']}"))[0] == other
        # What is deleted is gone from the caches and as an object.
        await again.ok(f"/delete {sent['id']}")
        await bob.event("message", deleted=True)
        blob = Path(digest(DATA)[:2]) / digest(DATA)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while (cluster.nodes[1].data / "files" / blob).exists():
                await asyncio.sleep(0.05)
        assert await carol.code(f"/get_file {sent['file']['id']}") == "unknown_file"
        # The killed node comes back, and has neither the part nor the deleted file.
        await asyncio.to_thread(cluster.nodes[0].start)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            data_of_it = cluster.nodes[0].data
            while list(data_of_it.glob("uploads/*")) or (data_of_it / "files" / blob).exists():
                await asyncio.sleep(0.05)
        # A backup of this node has to fetch the other one from where only its options lead.
        words = ("backup", str(tmp_path / "b.tar"))
        why = await asyncio.to_thread(refused, cluster.nodes[0], *words, status=2)
        assert "the bytes of 1 of its files, such as b.bin; say where" in why and "--cluster" in why
        urls = ",".join(cluster.servers.urls)
        assert "saved" in await asyncio.to_thread(done, cluster.nodes[0], *words, "--cluster", urls)
        back = await Chat(cluster.nodes[0]).json("dora")
        assert (await fetch(back, f"/get_file {second['file']['id']}"))[0] == other
        await back.close()


async def test_a_node_is_killed_once_it_was_put(tmp_path: Path) -> None:
    """The last chunk is on its way; whatever became of it, the same key sends the file once."""
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off", "--command-rate", "off", servers=1, nodes=2)
    async with running(cluster) as chats:
        anna, bob = await chats[0].json("anna"), await chats[1].json("bob")
        for pause in (0.0, 0.05, 0.15, 0.4):
            data = bytes_of(200_000, round(100 * pause))
            opening = {
                "cmd": "send_file", "target": "main", "name": "a.bin", "size": len(data), "sha256": digest(data),
                "key": f"key-{pause}",
            }  # fmt: skip
            opened = await anna.ok(opening)
            await anna.ok(chunk(opened["upload"], data[:32_768]))
            for start in range(32_768, len(data), 32_768):
                await anna.send(chunk(opened["upload"], data[start : start + 32_768]))
            await asyncio.sleep(pause)
            cluster.nodes[0].kill()
            elsewhere = await chats[1].json("anna")
            resumed = await elsewhere.ok(opening)
            if "id" not in resumed:
                resumed = await send_rest(elsewhere, resumed, data)
            assert (await fetch(bob, f"/get_file {resumed['file']['id']}"))[0] == data
            await elsewhere.close()
            await asyncio.to_thread(cluster.nodes[0].start)
            anna = await Chat(cluster.nodes[0]).json("anna")
        listed = await bob.ok("/files main")
        assert len(listed["files"]) == 4
        await anna.close()
