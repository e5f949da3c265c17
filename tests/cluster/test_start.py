"""The start of a node: what it says where it cannot, in one line; and nodes that are one chat."""

import asyncio
from pathlib import Path

import pytest

from chat_server.log.jetstream_api import call
from tests.cluster.conftest import Connect
from tests.cluster.nodes import ChatNode, LocalCluster, running
from tests.cluster.servers import NatsServers
from tests.harness import Chat, Server, texts

WAIT_SECONDS = 60


def refusal(node: Server) -> str:
    status, told = node.refusal()
    assert status == 1, told
    lines = [line for line in told.splitlines() if line.startswith("chat-server: ")]
    assert len(lines) == 1 and "Traceback" not in told, told
    return lines[0]


@pytest.mark.smoke
async def test_three_nodes_are_one_chat(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off")
    async with running(cluster) as chats:
        people = [await chat.json(f"user{number}") for number, chat in enumerate(chats)]
        for sender in people:
            await sender.ok(f"/send_all from {sender.name}")
            for other in people:
                if other is not sender:
                    await other.event("message", text=f"from {sender.name}")
        await people[0].ok("/send user2 to you alone")
        await people[2].event("message", text="to you alone")
        # A node that was killed comes back to where the others are.
        cluster.nodes[0].kill()
        await people[1].ok("/send_all meanwhile")
        await asyncio.to_thread(cluster.nodes[0].start)
        back = await Chat(cluster.nodes[0]).json_stranger()
        shown, _ = await back.command("/sign_in user0")
        assert "meanwhile" in texts(shown)
        await back.close()


async def test_a_node_with_other_options_goes_on_with_those_of_the_cluster(
    tmp_path: Path, one_server: NatsServers
) -> None:
    first = ChatNode(tmp_path / "n1", "n1", one_server, "--operator", "boss", "--page", "30")
    second = ChatNode(tmp_path / "n2", "n2", one_server, "--operator", "eve", "--page", "7")
    try:
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(second.start)
        said = await second.logged("the operator boss has no account")
        assert "operator is boss in the whole cluster" in said and "page is 30 in" in said
        assert "the operator eve" not in said
        person = await Chat(second).json("anna")
        assert (await person.ok("/format json"))["limits"]["page"] == 30
        await person.close()
    finally:
        first.close()
        second.close()


async def test_a_stray_message_stops_nobody(tmp_path: Path, connect: Connect) -> None:
    cluster = LocalCluster(tmp_path, servers=1, nodes=2)
    async with running(cluster) as chats:
        connection = await connect(cluster.servers.urls, "stranger")
        for subject, data in (("log.1.stranger", b"hello"), ("log.1.n1", b""), ("log.1.n2", b"\xff" * 100)):
            await connection.request(subject, data, 10)
        one, two = [await chat.json() for chat in chats]
        await one.ok("/send_all hello")
        await two.event("message", text="hello")
        for node in cluster.nodes:
            assert "passed over" in node.log


def test_nats_that_is_not_there_is_said(tmp_path: Path) -> None:
    servers = NatsServers(tmp_path / "nats", 1)
    assert "Connection refused" in refusal(ChatNode(tmp_path / "data", "n1", servers))


async def test_a_node_waits_until_enough_of_the_nats_servers_are_there(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path, nodes=1)
    (node,) = cluster.nodes
    try:
        cluster.servers.all[0].start()
        starting = asyncio.create_task(asyncio.to_thread(node.start))
        async with asyncio.timeout(WAIT_SECONDS):
            while "the log of the cluster cannot be reached yet" not in node.log:
                await asyncio.sleep(0.05)
        cluster.servers.start()
        await starting
    finally:
        cluster.close()


async def test_a_stream_of_another_configuration_is_said(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path / "nats", 1)
    servers.start()
    try:
        connection = await connect(servers.urls)
        config = {"name": "log-1", "subjects": ["log.1.*"], "max_age": 3_600_000_000_000}
        await call(connection, "STREAM.CREATE.log-1", config)
        assert "max_age" in refusal(ChatNode(tmp_path / "data", "n1", servers))
    finally:
        servers.close()


def test_data_that_is_not_of_this_log_or_node_is_said(tmp_path: Path) -> None:
    ours, theirs, empty = (NatsServers(tmp_path / name, 1) for name in ("ours", "theirs", "empty"))
    data, alone = tmp_path / "data", tmp_path / "alone"
    try:
        for servers in (ours, theirs, empty):
            servers.start()
        for servers, directory in ((ours, data), (theirs, tmp_path / "other")):
            node = ChatNode(directory, "n1", servers)
            node.start()
            assert node.terminate() == 0
        assert "not the one that this node has executed" in refusal(ChatNode(data, "n1", theirs))
        assert "is not there any more" in refusal(ChatNode(data, "n1", empty))
        assert "is the directory of node n1" in refusal(ChatNode(data, "n2", ours))
        assert "start it with --cluster" in refusal(Server(data))
        lone = Server(alone)
        lone.start()
        assert lone.terminate() == 0
        assert "of a single server" in refusal(Server(alone, "--cluster", ours.urls[0]))
    finally:
        for servers in (ours, theirs, empty):
            servers.close()
