import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server import service_manager
from chat_server.errors import StartError
from chat_server.service_manager import ServiceManager, passed_host
from tests.unit.fakes import FakeClock


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def environment(**more: str) -> dict[str, str]:
    return {"LISTEN_PID": str(os.getpid()), **more}


@contextlib.contextmanager
def passed(monkeypatch: pytest.MonkeyPatch, sock: socket.socket) -> Iterator[None]:
    """The socket has the number of the first that is passed."""
    monkeypatch.setattr(service_manager, "FIRST_DESCRIPTOR", sock.fileno())
    with sock:
        yield


def bound(family: socket.AddressFamily, host: str) -> socket.socket:
    sock = socket.socket(family)
    sock.bind((host, 0))
    sock.listen()
    return sock


@pytest.mark.parametrize(("host", "name", "is_tls"), [("127.0.0.1", "tls", True), ("0.0.0.0", "chat.socket", False)])
def test_a_socket_that_was_passed(monkeypatch: pytest.MonkeyPatch, host: str, name: str, is_tls: bool) -> None:
    with passed(monkeypatch, sock := bound(socket.AF_INET, host)):
        given = environment(LISTEN_FDS="1", LISTEN_FDNAMES=name)
        assert passed_host(given) == host
        (taken,) = ServiceManager(FakeClock(), given).sockets
        assert (taken.sock.getsockname(), taken.is_tls) == (sock.getsockname(), is_tls)
        assert not os.get_inheritable(sock.fileno())
        assert given == {}, "nobody else takes it for its own"
        taken.sock.detach()


@pytest.mark.parametrize(
    "given",
    [
        {}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, environment(), environment(LISTEN_FDS="0"),
        environment(LISTEN_FDS="many"),
    ],
)  # fmt: skip
def test_nothing_was_passed(given: dict[str, str]) -> None:
    assert passed_host(given) is None
    assert ServiceManager(FakeClock(), given).sockets == []


def test_what_is_no_listening_tcp_socket_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "unix"))
    unix.listen()
    for sock in (socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM), unix):
        with passed(monkeypatch, sock):
            for take in (passed_host, lambda given: ServiceManager(FakeClock(), given)):
                with pytest.raises(StartError, match="is no TCP socket that listens"):
                    take(environment(LISTEN_FDS="1"))
            assert sock.fileno() >= 0, "it is not closed by that"
    with open(os.devnull) as file:
        monkeypatch.setattr(service_manager, "FIRST_DESCRIPTOR", file.fileno())
        with pytest.raises(StartError, match=r"descriptor \d+ \(web\) that the service manager passed is no socket"):
            passed_host(environment(LISTEN_FDS="1", LISTEN_FDNAMES="web"))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, None), ({"WATCHDOG_USEC": "30000000"}, 30.0), ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),
    ],
)  # fmt: skip
def test_how_often_the_watchdog_wants_to_hear(given: dict[str, str], seconds: float | None, tmp_path: Path) -> None:
    assert ServiceManager(FakeClock(), {**given, "NOTIFY_SOCKET": str(tmp_path)}).watchdog_seconds == seconds
    assert ServiceManager(FakeClock(), given).watchdog_seconds is None, "nobody would hear it"


def test_what_the_manager_is_told(notified: socket.socket) -> None:
    clock = FakeClock()
    manager = ServiceManager(clock, {"NOTIFY_SOCKET": notified.getsockname()})
    assert manager.is_there
    manager.tell_ready("up")
    manager.tell_reloading()
    manager.tell_alive()
    manager.tell_stopping()
    assert [notified.recv(1000).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=up", f"RELOADING=1\nMONOTONIC_USEC={int(clock.monotonic() * 1e6)}", "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]  # fmt: skip


@pytest.mark.parametrize("address", [None, "nonsense", "/no/such/socket", "@nobody"])
def test_a_manager_that_does_not_hear_changes_nothing(address: str | None) -> None:
    manager = ServiceManager(FakeClock(), {"NOTIFY_SOCKET": address} if address else {})
    manager.tell_starting()
    manager.tell_ready("up")
    assert manager.is_there == bool(address and address[0] in "/@")


def test_a_name_without_a_file_and_a_manager_that_is_full() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0chat-test-notify")
        manager = ServiceManager(FakeClock(), {"NOTIFY_SOCKET": "@chat-test-notify"})
        for _ in range(10_000):
            manager.tell_alive()
        assert sock.recv(100) == b"WATCHDOG=1"


def test_a_start_that_gets_on_has_more_time_and_one_that_does_nothing_has_not(
    monkeypatch: pytest.MonkeyPatch, notified: socket.socket
) -> None:
    work = iter([(0.0, 0), (0.1, 0), (0.2, 0), (0.9, 0), (0.9, 7), (0.9, 7)])
    looks: list[object] = []

    def look() -> tuple[float, int]:
        looks.append(None)
        return next(work, (0.9, 7))

    monkeypatch.setattr(service_manager, "_work_done", look)
    monkeypatch.setattr(service_manager, "EXTEND_SECONDS", 0.001)
    manager = ServiceManager(FakeClock(), {"NOTIFY_SOCKET": notified.getsockname()})
    manager.tell_starting()
    assert [notified.recv(100) for _ in range(3)] == [b"STATUS=starting", *[b"EXTEND_TIMEOUT_USEC=30000000"] * 2]
    while len(looks) < 10:
        pass
    manager.tell_ready("up")
    assert notified.recv(100) == b"READY=1\nSTATUS=up"
