"""The service manager, systemd: the sockets that it passes, and what it is told of the server's state.

The protocols are sd_listen_fds(3) and sd_notify(3); without one all of this does nothing. What is sent is never waited
for, and a manager that does not take it changes nothing.
"""

import logging
import os
import resource
import socket
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple

from chat_server.addresses import is_loopback, plain_address
from chat_server.errors import StartError
from chat_server.runtime import Clock

log = logging.getLogger("chat.server")

FIRST_DESCRIPTOR = 3
# The name of sockets whose connections speak TLS (FileDescriptorName= of the socket unit).
TLS = "tls"
# While a start gets on, it may take so much longer each time; a start that does nothing runs into its time limit.
EXTEND_SECONDS, EXTENDED_BY_SECONDS = 10.0, 30.0
# What waiting for a lock or for NATS uses at most in that time; a migration or an index uses all that there is.
IDLE_CPU_SECONDS = 0.5


class PassedSocket(NamedTuple):
    sock: socket.socket
    is_tls: bool


def _descriptors(environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return the numbers and names of the descriptors that were passed to this process."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return []
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * int(count)
    return [(FIRST_DESCRIPTOR + index, names[index]) for index in range(int(count))]


def passed_host(environment: Mapping[str, str]) -> str | None:
    """Return the address that passed sockets listen on, one beyond loopback if there is one; None without sockets.

    Raises StartError.
    """
    hosts = []
    for number, name in _descriptors(environment):
        sock = _open(number, name)
        hosts.append(plain_address(sock.getsockname()[0]))
        sock.detach()
    return next((host for host in hosts if not is_loopback(host)), hosts[0] if hosts else None)


def _open(number: int, name: str) -> socket.socket:
    """Return the listening socket with this number. Raises StartError."""
    what = f"descriptor {number} ({name or 'without a name'}) that the service manager passed"
    try:
        sock = socket.socket(fileno=number)
        listens = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as error:
        raise StartError(f"{what} is no socket: {error.strerror}", status=2) from None
    family, kind = sock.family, sock.type
    if not listens or kind != socket.SOCK_STREAM or family not in (socket.AF_INET, socket.AF_INET6):
        sock.detach()
        raise StartError(
            f"{what} is no TCP socket that listens; in the socket unit say ListenStream= with a port, and Accept=no",
            status=2,
        )
    return sock


def data_link(environment: Mapping[str, str]) -> Path | None:
    """Return where a service links its data: in the unit's RuntimeDirectory=, if it has one.

    ExecReload= knows the settings, and the server's data is elsewhere once `data` was changed there.
    """
    directory = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(directory) / "data" if directory else None


class ServiceManager:
    """`sockets` are those that were passed; the server listens on them and opens none of its own then."""

    def __init__(self, clock: Clock, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take what is meant for this process out of the environment, so that no other process takes it for its own.

        Raises StartError.
        """
        self._clock = clock
        self.sockets: list[PassedSocket] = []
        for number, name in _descriptors(environment):
            sock = _open(number, name)
            os.set_inheritable(number, False)
            self.sockets.append(PassedSocket(sock, name == TLS))
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog_seconds(environment) if self._address else None
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)
        self._socket = None if self._address is None else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._is_ready = threading.Event()
        self._data_link = data_link(environment)

    @property
    def is_there(self) -> bool:
        """Whether anybody wants to know of the server's state."""
        return self._socket is not None

    def link_data(self, data: Path) -> None:
        """Link it for ExecReload=, which looks where the settings say if that fails."""
        if self._data_link is None:
            return
        try:
            self._data_link.unlink(missing_ok=True)
            self._data_link.symlink_to(data)
        except OSError as error:
            log.warning("a reload after a change of data will not find this server: %s: %s", self._data_link, error)

    # ---- what it is told

    def tell_starting(self) -> None:
        """Ask for more time for as long as the start gets on, until `tell_ready`."""
        if self._socket is not None:
            self._tell("STATUS=starting")
            threading.Thread(target=self._extend, name="extend", daemon=True).start()

    def tell_ready(self, status: str) -> None:
        self._is_ready.set()
        self._tell("READY=1", f"STATUS={status}")

    def tell_alive(self) -> None:
        self._tell("WATCHDOG=1")

    def tell_status(self, status: str) -> None:
        self._tell(f"STATUS={status}")

    def tell_reloading(self) -> None:
        """`tell_ready` MUST follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def tell_stopping(self) -> None:
        self._is_ready.set()
        self._tell("STOPPING=1", "STATUS=stopping")

    def _tell(self, *lines: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            log.debug("the service manager does not take %s: %s", lines[0], error)

    def _extend(self) -> None:
        before = _work_done()
        while not self._is_ready.wait(EXTEND_SECONDS):
            now = _work_done()
            if now[0] - before[0] > IDLE_CPU_SECONDS or now[1] != before[1]:
                self._tell(f"EXTEND_TIMEOUT_USEC={int(EXTENDED_BY_SECONDS * 1e6)}")
            before = now


def _work_done() -> tuple[float, int]:
    """Return the CPU seconds, and the blocks read and written, of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_inblock + used.ru_oublock


def _address(said: str) -> str | None:
    """Return the address of NOTIFY_SOCKET; one that begins with @ has no file."""
    if said.startswith("@"):
        return "\0" + said[1:]
    return said if said.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    said, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not (said.isascii() and said.isdigit() and int(said)) or pid not in (None, "", str(os.getpid())):
        return None
    return int(said) / 1e6
