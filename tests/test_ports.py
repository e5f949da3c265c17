"""Tests that run at once use no port of each other."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import free_ports

PROGRAM = "from tests.ports import free_ports; print(*free_ports(20))"


def test_no_other_process_and_not_the_kernel_gives_a_port_away() -> None:
    ours = free_ports(20)
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, check=True)
    theirs = [int(port) for port in done.stdout.split()]
    assert len({*ours, *theirs}) == 40
    assert max(ours) < int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in ours:
        socket.create_server(("127.0.0.1", port)).close()
