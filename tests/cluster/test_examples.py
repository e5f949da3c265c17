"""The files of examples/cluster start three NATS servers and three nodes, each of which may do what is its own."""

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from chat_server.cluster.nats_access import connect
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.jetstream_api import ApiError, call
from chat_server.log.nats_bus import NatsBus
from chat_server.log.nats_connection import Nats
from chat_server.log.nats_objects import NatsObjects
from chat_server.log.stream import NotAppended, Position
from chat_server.runtime import SystemRuntime
from chat_server.settings import load
from tests.cluster.nodes import make_snapshot
from tests.cluster.servers import NatsServer
from tests.cluster.streams import pieces, settled
from tests.harness import TIMEOUT_SECONDS, JsonClient, Server
from tests.ports import free_ports

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"
NAMES = ("one", "two", "three")


class ExampleNode(Server):
    """A node as its unit starts it, with the files and ports of this machine."""

    def __init__(self, files: "Files", name: str) -> None:
        unit = (EXAMPLES / "chat-server@.service").read_text()
        (options,) = re.findall(r"^ExecStart=/usr/local/bin/chat-server (.+)$", unit, re.MULTILINE)
        super().__init__(
            files.directory / "data" / name, *options.replace("/etc/chat/%i.toml", files.config(name)).split()
        )

    def arguments(self) -> list[str]:
        return [sys.executable, *self.program, *self.options]


class Files:
    """The examples, with the directory in place of /etc, and addresses of this machine in place of the names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
        issued.private_key_pem.write_to_path(str(directory / "key.pem"))
        ports = free_ports(6)
        self.ports, self._routes = ports[:3], ports[3:]
        configuration = (EXAMPLES / "nats-server.conf").read_text()
        passwords = dict(re.findall(r'user: (\w+), password: "([^"]+)"', configuration))
        assert passwords.keys() == set(NAMES) and len(set(passwords.values())) == 3
        for name, password in passwords.items():
            (directory / f"{name}.password").write_text(f"{password}\n")
        config = (EXAMPLES / "chat.toml").read_text().replace("0.0.0.0", "127.0.0.1").replace("8443", "0")
        for there in ("/var/lib/chat/", "/run/", "/etc/chat/", "/etc/nats/"):
            config = config.replace(there, f"{directory}/{'data/' if 'lib' in there else ''}")
        (directory / "data").mkdir()
        for name, port in zip(NAMES, self.ports, strict=True):
            config = config.replace(f"{name}.example", f"localhost:{port}")
        for name in NAMES:
            (directory / f"chat-{name}").mkdir()
            Path(self.config(name)).write_text(config.replace("NAME", name))

    def config(self, name: str) -> str:
        return str(self.directory / f"{name}.toml")

    def servers(self) -> list[NatsServer]:
        text = (EXAMPLES / "nats-server.conf").read_text().replace("/etc/nats/", f"{self.directory}/")
        for name, port in zip(NAMES, self._routes, strict=True):
            text = text.replace(f"{name}.example:6222", f"localhost:{port}")
        return [
            NatsServer(
                self.directory / "nats",
                name,
                port,
                text.replace("0.0.0.0:4222", f"127.0.0.1:{port}")
                .replace("0.0.0.0:6222", f"127.0.0.1:{route}")
                .replace("/var/lib/nats", str(self.directory / "nats" / name)),
            )
            for name, port, route in zip(NAMES, self.ports, self._routes, strict=True)
        ]

    async def connect(self, name: str) -> Nats:
        """To NATS, as this node."""
        return await connect(load(["--config", self.config(name)], {}), SystemRuntime(), name)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "nats").mkdir()
    return Files(tmp_path)


@pytest.fixture
def servers(files: Files) -> Iterator[list[NatsServer]]:
    servers = files.servers()
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.kill()


@asynccontextmanager
async def signed_in(files: Files, node: Server, name: str) -> AsyncIterator[JsonClient]:
    tls = ssl.create_default_context(cafile=str(files.directory / "ca.pem"))
    person = JsonClient(*await asyncio.open_connection("localhost", node.port, ssl=tls))
    try:
        await person.line()  # the greeting
        await person.ok("/format json")
        await person.ok(f"/sign_in {name}")
        yield person
    finally:
        person.writer.close()


async def test_three_nodes_from_the_examples_are_one_chat(files: Files, servers: list[NatsServer]) -> None:
    nodes = [ExampleNode(files, name) for name in NAMES]
    try:
        for node in nodes[::2]:
            await asyncio.to_thread(node.start)
        assert make_snapshot(nodes[0])
        await asyncio.to_thread(nodes[1].start)
        assert "started from the snapshot" in nodes[1].log
        async with signed_in(files, nodes[0], "alice") as alice, signed_in(files, nodes[2], "bob") as bob:
            await alice.ok("/send_all hello")
            await bob.event("message", text="hello")
            # What nodes tell each other goes through the same users.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while not (await bob.ok("/who alice"))["online"]:
                    await asyncio.sleep(0.1)
            async with signed_in(files, nodes[1], "alice"):
                assert len((await alice.ok("/sessions"))["sessions"]) == 2, "the other node was asked, and has answered"
        for name in NAMES:
            assert (
                f'chat_cluster_connected{{node="{name}"}} 1.0'
                in (files.directory / f"chat-{name}" / "chat.prom").read_text()
            )
        for node in nodes:
            assert node.terminate() == 0 and "iolation" not in node.log, node.log
    finally:
        for node in nodes:
            node.close()


async def test_no_node_may_publish_as_another(files: Files, servers: list[NatsServer]) -> None:
    connections = {name: await files.connect(name) for name in NAMES}
    try:
        await settled(JetStreamChain(connections["one"]).begin, 1)
        for name, connection in connections.items():
            chain = JetStreamChain(connection)
            last = await settled(chain.append, 1, name, b"own", name)
            for other in {*NAMES, "four"} - {name}:
                with pytest.raises(NotAppended, match=r"(?i)permissions violation"):
                    await chain.append(1, other, b"forged", f"{name} as {other}")
                inbox = "_INBOX.of.another"
                for subject in (f"bus.nodes.{other}", f"ask.sessions.{other}", inbox, "chat", "$SYS.REQ.SERVER.PING"):
                    with pytest.raises(NotAppended, match=r"(?i)permissions violation"):
                        await connection.request(subject, b"", 5)
            assert await chain.last(1) == last
            assert (await chain.read(Position(1, last - 1)).next()).node == name
    finally:
        for connection in connections.values():
            await connection.close()


async def test_a_node_may_not_change_streams_or_what_is_in_the_log(files: Files, servers: list[NatsServer]) -> None:
    connection = await files.connect("two")
    try:
        chain = JetStreamChain(connection)
        await settled(chain.begin, 1)
        await settled(chain.append, 1, "two", b"own", "1")
        assert await chain.list() == [1] and await chain.last(1) == 1
        for name, body in (
            ("STREAM.UPDATE.log-1", {"name": "log-1", "subjects": ["log.1.*"], "max_msgs": 1}),
            ("STREAM.MSG.DELETE.log-1", {"seq": 1}),
            ("STREAM.PEER.REMOVE.log-1", {"peer": "one"}),
            ("STREAM.LEADER.STEPDOWN.log-1", {}),
            ("CONSUMER.CREATE.log-1.mine", {"stream_name": "log-1", "config": {}}),
        ):
            with pytest.raises(NotAppended, match=r"(?i)permissions violation"):
                await call(connection, name, body)
        with pytest.raises(ApiError, match="purge"):
            await call(connection, "STREAM.PURGE.log-1")
    finally:
        await connection.close()


async def test_a_node_answers_what_it_was_asked(files: Files, servers: list[NatsServer]) -> None:
    one, two = [await files.connect(name) for name in ("one", "two")]
    try:
        NatsBus(one).answer("who", lambda data: b"one, to " + data)
        await one.request("$JS.API.INFO", b"", 5)  # the server knows of the subscription
        assert await NatsBus(two).ask("who", b"two", 5, 1) == [b"one, to two"]
    finally:
        await one.close()
        await two.close()


async def test_a_node_may_keep_snapshots_and_files(files: Files, servers: list[NatsServer]) -> None:
    connection = await files.connect("two")
    try:
        chain, objects = JetStreamChain(connection), NatsObjects(connection)
        await settled(chain.begin, 1)
        await settled(objects.begin, "bucket")
        await objects.put("bucket", "object", pieces(b"x" * 300_000))
        assert sum([len(chunk) async for chunk in objects.get("bucket", "object")]) == 300_000
        assert await objects.buckets() == ["bucket"] and await objects.names("bucket") == ["object"]
        await objects.delete("bucket", "object")
        await settled(objects.delete_bucket, "bucket")
        await settled(chain.delete, 1)
    finally:
        await connection.close()
