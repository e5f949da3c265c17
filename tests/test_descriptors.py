import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.descriptors import is_readable
from tests.fork_server import ForkServer

HIGH = 1100  # select() takes none above 1,023
SERVE = """
import os, socket, sys
from tests.fork_server import serve
os._exit(int(serve(socket.socket(fileno=int(sys.argv[1])))[0]))
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe with high numbers."""
    low = os.pipe()
    read, write = (fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, HIGH) for each in low)
    for each in low:
        os.close(each)
    yield read, write
    for each in (read, write):
        os.close(each)


def test_a_high_descriptor_can_be_waited_for(pipe: tuple[int, int]) -> None:
    read, write = pipe
    assert not is_readable(read, 0)
    os.write(write, b"x")
    assert is_readable(read, 0) and is_readable(read, None)


def test_a_fork_server_with_a_high_descriptor_runs_a_program(pipe: tuple[int, int]) -> None:
    """It was lost where the tests had as many open when they started it."""
    server = ForkServer()
    server._socket, low = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with server._socket, low:
        other = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, HIGH)
        process = subprocess.Popen([sys.executable, "-c", SERVE, str(other)], pass_fds=[other])
        os.close(other)
        low.close()
        forked = server.start(["7"], os.environ, Path.cwd(), subprocess.DEVNULL, pipe[1], pipe[1])
        assert forked.wait() == 7
    assert process.wait() == 0
