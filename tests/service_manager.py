"""systemd as the tests play it: it holds the listening sockets, passes them on, and hears what the server tells."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS, Server

# The shell gives the sockets their numbers; the server is the same process.
_SCRIPT = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'


def listening(family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(family)
    sock.bind((host, 0))
    sock.listen(1024)
    return sock


class ManagedServer(Server):
    """The server as a service: `sockets` by their names are passed to it, `told` is what it has said."""

    def __init__(
        self, data: Path, *options: str, sockets: Sequence[tuple[str, socket.socket]] = (), watchdog: float = 0
    ) -> None:
        self._address = data.with_name(data.name + ".notify")
        environment = {"NOTIFY_SOCKET": str(self._address)}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        if sockets:
            environment |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(name for name, _ in sockets)}
        super().__init__(data, *options, environment=environment)
        self._sockets = [sock for _, sock in sockets]
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(self._address))
        self._notified.setblocking(False)
        self.told: list[dict[str, str]] = []

    def _begin(self, stderr: int) -> "subprocess.Popen[bytes]":
        numbers = [sock.fileno() for sock in self._sockets]
        moves = " ".join(f"{3 + index}<&{number}" for index, number in enumerate(numbers))
        return subprocess.Popen(
            ["bash", "-c", f"{_SCRIPT} {moves}", "bash", *self.arguments()], env=self.environment,
            cwd=self.data.parent, stdout=subprocess.PIPE, stderr=stderr, pass_fds=numbers,
        )  # fmt: skip

    async def hears(self, line: str) -> dict[str, str]:
        """The next thing that it tells with this line; what it told before is in `told`."""
        name, _, value = line.partition("=")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self._notified, 1 << 16)
                said = dict(each.split("=", 1) for each in data.decode().splitlines())
                self.told.append(said)
                if name in said and said[name].startswith(value):
                    return said

    def forget(self) -> None:
        """Look at nothing that it has told so far."""
        self.told.clear()
        with contextlib.suppress(BlockingIOError):
            while self._notified.recv(1 << 16):
                pass

    def close(self) -> None:
        super().close()
        self._notified.close()
