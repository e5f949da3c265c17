"""A chat moves into a cluster, its nodes start from snapshots, and one of these becomes a single server again."""

import asyncio
from pathlib import Path

from tests.cluster.nodes import ChatNode
from tests.cluster.servers import NatsServers
from tests.conformance.operating import done, refused
from tests.harness import Chat, Server, texts


async def history(server: Server) -> list[str]:
    chat = Chat(server)
    alice = await chat.json_stranger()
    await alice.enter("/sign_in alice")
    shown, _ = await alice.command("/history main")
    await chat.close()
    return texts(shown)


async def test_a_chat_goes_in_and_out(tmp_path: Path, one_server: NatsServers) -> None:
    old = Server(tmp_path / "old")
    old.start()
    chat = Chat(old)
    alice = await chat.json("alice")
    for line in ("/send_all said alone", "/create_chat #team", "/slow_mode #team 1h"):
        await alice.ok(line)
    await asyncio.to_thread(done, old, "ban-address", "192.0.2.7")
    await chat.close()
    way = ("--cluster", ",".join(one_server.urls))
    running = await asyncio.to_thread(refused, old, "cluster", "import", str(old.data), *way)
    assert "is in use by another chat-server" in running
    old.terminate()
    for _ in range(2):
        assert "moved the chat in" in await asyncio.to_thread(done, old, "cluster", "import", str(old.data), *way)
    assert "was moved into a cluster" in old.refusal()[1]

    one = ChatNode(tmp_path / "one", "one", one_server)
    await asyncio.to_thread(one.start)
    chat = Chat(one)
    alice = await chat.json("alice")
    await alice.ok("/send_all said in the cluster")
    assert (await alice.ok("/slow_mode #team"))["seconds"] == 3600
    assert "not empty" in await asyncio.to_thread(refused, old, "cluster", "import", str(old.data), *way)
    assert "made the snapshot of batch" in await asyncio.to_thread(done, one, "cluster", "snapshot", *way)
    await alice.ok("/send_all said later")
    await chat.close()

    two = ChatNode(tmp_path / "two", "two", one_server)
    await asyncio.to_thread(two.start)
    assert "started from the snapshot" in two.log
    assert await history(two) == ["said alone", "said in the cluster", "said later"]

    alone = Server(tmp_path / "alone")
    assert "restored the snapshot" in await asyncio.to_thread(done, alone, "cluster", "restore", *way)
    assert "not empty" in await asyncio.to_thread(refused, alone, "cluster", "restore", *way)
    await asyncio.to_thread(alone.start)
    assert await history(alone) == ["said alone", "said in the cluster"]
    for server in (two, alone):
        assert "192.0.2.7/32" in await asyncio.to_thread(done, server, "banned-addresses")
    for server in (one, two, alone):
        server.close()
