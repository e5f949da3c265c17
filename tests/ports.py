"""Ports of loopback for what has to know its port before it listens there, or to find it free when it comes back.

A port that the kernel chose and that was closed again is the next one's who asks for any: another test took it. These
are never given by the kernel, and belong to this process until it ends. Where the number is only needed afterwards,
port 0 is better.
"""

import socket

# Below 32,768, from where on the kernel of Linux gives them for port 0 and to whoever connects.
_ALL = iter(range(20_000, 32_768))
# A socket of UDP at the same number is in nobody's way, and tells the other processes that it is taken.
_claims: list[socket.socket] = []


def free_port() -> int:
    for port in _ALL:
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        if is_free(port):
            return port
    raise AssertionError("all ports are taken")


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
