"""Nodes of a chat on NATS servers, all on loopback: they can be killed, stopped and woken, and their databases read."""

import contextlib
import signal
from pathlib import Path

import apsw

from tests.cluster.servers import NatsServers
from tests.harness import Server


class ChatNode(Server):
    def __init__(self, data: Path, name: str, servers: NatsServers, *options: str) -> None:
        super().__init__(data, "--cluster", ",".join(servers.urls), "--node", name, *options)
        self.name = name

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of its database, which may be in use."""
        with contextlib.closing(
            apsw.Connection(f"file:{self.data}/chat.db?mode=ro", apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY)
        ) as connection:
            connection.set_busy_timeout(5_000)
            return list(connection.execute(query))


class NatsBeside:
    """A NATS server for one server of the conformance suite, which is a node of a cluster then."""

    def __init__(self, data: Path) -> None:
        self._servers = NatsServers(data.with_name(data.name + ".nats"), 1)
        self.options: tuple[str, ...] = ("--cluster", self._servers.urls[0], "--node", "alone")

    def start(self) -> None:
        self._servers.start()

    def close(self) -> None:
        self._servers.close()


class LocalCluster:
    """NATS servers and nodes, started together."""

    def __init__(self, directory: Path, *options: str, servers: int = 3, nodes: int = 3) -> None:
        self.directory = directory
        self.servers = NatsServers(directory / "nats", servers)
        self.nodes = [
            ChatNode(directory / f"n{number}", f"n{number}", self.servers, *options) for number in range(1, nodes + 1)
        ]

    def start(self) -> None:
        self.servers.start()
        for node in self.nodes:
            node.start()

    def close(self) -> None:
        """End all at once, without order."""
        for node in self.nodes:
            if node.process is not None:
                node.kill()
        self.servers.close()
