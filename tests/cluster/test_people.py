"""People at several nodes on a real NATS: who is online, sessions, a client that moves, and a NATS that is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat_client.sdk.chat import connect
from chat_client.sdk.events import Connected
from chat_server.protocol.messages import Message
from tests.cluster.nodes import LocalCluster, running
from tests.harness import TIMEOUT_SECONDS, Chat


class Stage:
    def __init__(self, cluster: LocalCluster, chats: list[Chat]) -> None:
        self.cluster = cluster
        self.chats = chats


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off", servers=1, nodes=2)
    async with running(cluster) as chats:
        yield Stage(cluster, chats)


async def test_presence_and_sessions_are_those_of_all_nodes(stage: Stage) -> None:
    one, two = stage.chats
    alice = await one.json("alice")
    await alice.ok("/presence on")
    bob = await two.json("bob")
    await alice.event("presence", user="bob", online=True)
    await bob.ok("/send alice hi")  # before anything was said between two nobody is told that one types
    await alice.ok({"cmd": "watch_typing", "watch": True})
    for typing in (True, False):
        await bob.ok({"cmd": "typing", "chat": "@alice", "typing": typing})
        seen = await alice.event("typing", typing=typing)
        assert (seen["chat"], seen["user"]) == ("@bob", "bob")
    there = await two.json("alice")
    listed = (await alice.ok("/sessions"))["sessions"]
    numbers = [each["session"] for each in listed]
    assert [number % 1000 for number in numbers] == [1, 2] and len(set(numbers)) == 2
    assert (await alice.ok(f"/sign_out {numbers[1]}"))["closed"] == 1
    await there.event("closing", code="signed_out")
    await bob.ok("/away lunch")
    await alice.event("presence", user="bob", away="lunch")
    stage.cluster.nodes[1].kill()
    before = asyncio.get_running_loop().time()
    await alice.event("presence", user="bob", online=False)
    assert asyncio.get_running_loop().time() - before > 2, "a node is not dead that is late"
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while "last_seen" not in (who := await alice.ok("/who bob")):
            await asyncio.sleep(0.1)
    assert who["online"] is False and who["note"], "it hears nobody any more"


async def test_a_client_moves_to_a_live_node_without_gap_or_doubling(stage: Stage) -> None:
    one = stage.chats[0]
    bob = await one.json("bob")
    servers = [f"127.0.0.1:{node.port}" for node in reversed(stage.cluster.nodes)]
    async with connect(servers, user="alice") as alice, asyncio.timeout(2 * TIMEOUT_SECONDS):
        shown: list[str] = []

        async def read_until(text: str) -> None:
            async for event in alice:
                if isinstance(event, Message):
                    shown.append(event.text or "")
                    if event.text == text:
                        return

        for number in range(10):
            await bob.ok(f"/send_all {number}")
        await read_until("9")
        assert isinstance(alice.state, Connected) and alice.state.server == servers[0]
        stage.cluster.nodes[1].kill()
        for number in range(10, 20):
            await bob.ok(f"/send_all {number}")
        await read_until("19")
        await alice.send("main", "here")
        await bob.event("message", text="here")
        assert isinstance(alice.state, Connected) and alice.state.server == servers[1]
        assert shown == [str(number) for number in range(20)]


async def test_while_nats_is_away_users_read_on_and_newcomers_are_refused(stage: Stage) -> None:
    one, two = stage.chats
    alice, bob = await one.json("alice"), await two.text("bob")
    await bob.ok("/presence on")
    await alice.ok("/send_all hello")
    server = stage.cluster.servers.all[0]
    server.kill()
    told = await alice.event("notice", stale=True)
    assert told["as_of"]
    lines: list[str] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (lines and "has lost its cluster" in lines[-1]):
            lines.append(await bob.line())
    shown, _ = await alice.command("/history main")
    assert [each["text"] for each in shown if each["type"] == "message"] == ["hello"]
    refused = await (await one.json_stranger()).refused("/sign_in carol")
    assert (refused["code"], refused["done"]) == ("unavailable", False)
    await asyncio.to_thread(server.start)
    await alice.event("notice", stale=False)
    await alice.ok("/send_all back")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (lines and "alice: back" in lines[-1]):
            lines.append(await bob.line())
    assert sum("has lost its cluster" in line for line in lines) == sum("again" in line for line in lines) == 1
    assert not any("offline" in line for line in lines)
