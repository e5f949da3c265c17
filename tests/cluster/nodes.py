"""Nodes of a chat on NATS servers, all on loopback: they can be killed, stopped and woken, and their databases read."""

import asyncio
import atexit
import contextlib
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import trustme

from chat_server.log.nats_connection import NatsAccess
from tests.cluster.networks import Network
from tests.cluster.servers import NatsServers, files_with
from tests.fork_server import run
from tests.harness import Chat, Server, SteppedServer


class ChatNode(Server):
    def __init__(
        self, data: Path, name: str, servers: NatsServers, *options: str, network: Network | None = None
    ) -> None:
        """With a network it has a machine of its own there."""
        self.host = network.address(name) if network else "127.0.0.1"
        self._within = network.within(name) if network else []
        super().__init__(data, "--cluster", ",".join(servers.urls), "--node", name, "--host", self.host, *options)
        self.name = name

    def files_with(self, needles: Sequence[bytes]) -> list[Path]:
        """Its files that hold one of these texts."""
        return files_with(self.data, needles)

    def arguments(self) -> list[str]:
        return [*self._within, *super().arguments()]

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def make_snapshot(self) -> bool:
        return make_snapshot(self, "--data", str(self.data), within=self._within)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of its database, which may be in use."""
        with contextlib.closing(
            apsw.Connection(f"file:{self.data}/chat.db?mode=ro", apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY)
        ) as connection:
            connection.set_busy_timeout(5_000)
            return list(connection.execute(query))


class SteppedNode(ChatNode, SteppedServer):
    """A node whose machine's clock can be set."""


class HastyNode(ChatNode):
    """A node whose streams and snapshots follow each other within seconds."""

    program = (str(Path(__file__).parents[1] / "hasty.py"),)


def make_snapshot(node: Server, *options: str, within: Sequence[str] = ()) -> bool:
    """Make a snapshot by the command for it, beside the node; tell whether it succeeded.

    Further options than the node's own say where.
    """
    command = [sys.executable, "-m", "chat_server", "cluster", "snapshot", *node.options, *options]
    done = run([*within, *command], node.environment, node.data.parent, timeout=60)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0


class NatsBeside:
    """A NATS server for one server of the conformance suite, which is a node of a cluster then."""

    def __init__(self, data: Path) -> None:
        self._servers = NatsServers(data.with_name(data.name + ".nats"), 1)
        self.options: tuple[str, ...] = ("--cluster", self._servers.urls[0], "--node", "alone")
        # Not every test that starts a server closes it.
        atexit.register(self.close)

    def start(self) -> None:
        self._servers.start()

    def close(self) -> None:
        self._servers.close()


class LocalCluster:
    """NATS servers and nodes, started together: on loopback, or each on a machine of its own, which has its name."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        servers: int = 3,
        nodes: int = 3,
        has_network: bool = False,
        node_type: type[ChatNode] = ChatNode,
    ) -> None:
        names = [f"n{number}" for number in range(1, nodes + 1)]
        self.directory = directory
        machines = [*(f"s{number}" for number in range(servers)), *names, f"n{nodes + 1}"]
        self.network = Network(machines) if has_network else None
        further = ""
        if self.network is not None:
            # A node refuses to go beyond loopback without TLS and a user.
            further = write_certificates(directory, [self.network.address(f"s{number}") for number in range(servers)])
            (directory / "password").write_text("secret")
            options = (
                *options,
                "--allow-passwordless",
                "--cluster-ca",
                str(directory / "ca.pem"),
                "--cluster-user",
                "node",
            )
            options = (*options, "--cluster-password-file", str(directory / "password"))
        self.servers = NatsServers(directory / "nats", servers, further, self.network)
        if self.network is not None:
            for server in self.servers.all:
                server.url = server.url.replace("nats:", "tls:")
        self._options = options
        self._node_type = node_type
        self.nodes = [self.make_node(directory / name, name) for name in names]
        # Processes of nodes in whose place others have come.
        self.replaced: list[ChatNode] = []

    def make_node(self, data: Path, name: str) -> ChatNode:
        """Make a node that does not run yet. A network has room for one more than there were."""
        return self._node_type(data, name, self.servers, *self._options, network=self.network)

    def start(self) -> None:
        if self.network is not None:
            self.network.open()
        self.servers.start()
        for node in self.nodes:
            node.start()

    def close(self) -> None:
        """End all at once, without order."""
        for node in (*self.nodes, *self.replaced):
            if node.process is not None:
                node.kill()
        self.servers.close()
        if self.network is not None:
            self.network.close()

    def access(self) -> NatsAccess:
        """The way to the servers from this machine."""
        if self.network is None:
            return NatsAccess(self.servers.urls)
        tls = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        return NatsAccess(self.servers.urls, "node", "secret", tls)


@asynccontextmanager
async def running(cluster: LocalCluster) -> AsyncIterator[list[Chat]]:
    """A cluster from its start to its end, and who connects to each of its nodes, which log no mistake meanwhile."""
    chats: list[Chat] = []
    try:
        await asyncio.to_thread(cluster.start)
        chats = [Chat(node) for node in cluster.nodes]
        yield chats
    finally:
        for chat in chats:
            await chat.close()
        cluster.close()
    for node in cluster.nodes:
        assert "Traceback" not in node.log, node.log


def write_certificates(directory: Path, addresses: list[str]) -> str:
    """Write certificates for servers at these addresses; the configuration that uses them, with one user."""
    authority = trustme.CA()
    issued = authority.issue_cert(*addresses)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    return (
        f'tls {{ cert_file: "{directory}/cert.pem", key_file: "{directory}/key.pem" }}\n'
        "authorization { users: [ { user: node, password: secret } ] }"
    )
