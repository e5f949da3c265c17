"""Addresses of servers: `host:port`, as people write them."""

import ipaddress
from collections.abc import Sequence

from msgspec import Struct

PORT = 8000


class Server(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def identity(self) -> str:
        """The same for each way in which this server may be written. Nothing is looked up: a
        name may lead to a stranger's address tomorrow."""
        host = self.host.lower().rstrip(".")
        address = _address(host)
        if address is not None:
            # `localhost` means either of these.
            host = "localhost" if str(address) in ("127.0.0.1", "::1") else str(address)
        return str(Server(host, self.port))


def read(servers: str | Sequence[str]) -> list[Server]:
    """`localhost:8000,[::1]:8001,chat.example.org` or a list of such. Raises ValueError."""
    words = servers.split(",") if isinstance(servers, str) else [part for each in servers for part in each.split(",")]
    return [_one(word.strip()) for word in words]


def _one(word: str) -> Server:
    host, colon, port = word.rpartition(":")
    if not colon or word.endswith("]"):
        host, port = word, str(PORT)
    elif ":" in host and not host.startswith("["):
        # An IPv6 address without brackets.
        if _address(host) is not None and _address(word) is not None:
            raise ValueError(f"a server is HOST:PORT: for {word} write [{host}]:{port}, or [{word}]:{PORT}")
        if _address(host) is None:
            host, port = (word if _address(word) is not None else ""), str(PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or any(char.isspace() for char in host) or not (port.isascii() and port.isdigit()):
        raise ValueError(f"a server is HOST:PORT, like localhost:8000, not {word!r}")
    if not 1 <= int(port[:6]) <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}")
    return Server(host, int(port))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
