"""A rolling upgrade of real nodes on a real NATS, while people write."""

import asyncio
import random
from pathlib import Path

import pytest

from chat_server.log.versions import VERSION
from tests.cluster.failures import BATCH_AGE_MS, OPTIONS, SETTLE_SECONDS, messages_of, now_ms, same_digests, verdict
from tests.cluster.newer import NEWER, copy_newer, run_by
from tests.cluster.nodes import ChatNode, LocalCluster
from tests.cluster.writers import Writer
from tests.harness import Chat


def versions(nodes: list[ChatNode]) -> list[object]:
    return [node.rows("SELECT version FROM state")[0][0] for node in nodes]


async def wave(node: ChatNode, name: str) -> dict[str, object]:
    chat = Chat(node)
    try:
        someone = await chat.json_stranger()
        await someone.enter("/sign_in waver")
        *_, reply = await someone.command(f"/wave {name}")
        return reply
    finally:
        await chat.close()


@pytest.mark.timeout(300)
async def test_a_rolling_upgrade_loses_and_doubles_nothing(tmp_path: Path) -> None:
    newer = copy_newer(tmp_path / "newer")
    cluster = LocalCluster(tmp_path, *OPTIONS, servers=1)
    nodes, is_over = cluster.nodes, False
    try:
        await asyncio.to_thread(cluster.start)
        begun = now_ms()
        writers = [Writer(f"w{number}", nodes, random.Random(number)) for number in range(4)]
        writing = [asyncio.create_task(writer.write(lambda: is_over)) for writer in writers]
        await more_from(writers)
        for number, node in enumerate(nodes, 1):
            assert await asyncio.to_thread(node.terminate) == 0, node.log
            run_by(node, newer)
            await asyncio.to_thread(node.start)
            await more_from(writers)
            if number < len(nodes):
                reply = await wave(node, "w0")
                assert (reply["code"], reply["done"]) == ("unavailable", False), reply
                async with asyncio.timeout(SETTLE_SECONDS):
                    while f"waits for {nodes[number].name} (" not in node.log:
                        await asyncio.sleep(0.1)
                assert set(versions(nodes)) == {VERSION}
        async with asyncio.timeout(SETTLE_SECONDS):
            while set(versions(nodes)) != {NEWER}:
                await asyncio.sleep(0.2)
        for number, node in enumerate(nodes):
            assert (await wave(node, "w0"))["waves"] == 2 + number, "the rows were changed, and then all know it"
        await more_from(writers)
        is_over = True
        await asyncio.gather(*writing)
        async with asyncio.timeout(SETTLE_SECONDS):
            while len({len(messages_of(node)) for node in nodes}) > 1:
                await asyncio.sleep(0.1)
        assert verdict(cluster, writers, begun - BATCH_AGE_MS) + await same_digests(nodes) == []
        assert all(node.is_running and "Traceback" not in node.log for node in nodes)
        await an_old_program_says_that_it_is_old(nodes[2], tmp_path)
    finally:
        cluster.close()


async def more_from(writers: list[Writer]) -> None:
    """Wait until each writer was answered again."""
    counts = [len(writer.acknowledged) for writer in writers]
    async with asyncio.timeout(SETTLE_SECONDS):
        while any(len(writer.acknowledged) < count + 3 for writer, count in zip(writers, counts, strict=True)):
            await asyncio.sleep(0.05)


async def an_old_program_says_that_it_is_old(node: ChatNode, folder: Path) -> None:
    assert await asyncio.to_thread(node.terminate) == 0
    run_by(node, None)
    status, told = await asyncio.to_thread(node.refusal)
    lines = [line for line in told.splitlines() if line.startswith("chat-server: ")]
    assert status == 1 and len(lines) == 1 and "use a newer chat-server" in lines[0], told
    # It would have to execute the whole log without the state, and stops where the version was raised.
    node.data = folder / "anew"
    status, told = await asyncio.to_thread(node.refusal)
    lines = [line for line in told.splitlines() if line.startswith("chat-server: ")]
    assert status == 1 and len(lines) == 1 and f"went on to version {NEWER} of the log" in lines[0], told
