"""Where a server is: `host:port`, as it is written and as it is meant."""

from collections.abc import Sequence

from msgspec import Struct

PORT = 8000


class Server(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read(servers: str | Sequence[str]) -> list[Server]:
    """`localhost:8000,[::1]:8001,chat.example.org` or a list of such. Raises ValueError."""
    words = servers.split(",") if isinstance(servers, str) else [part for each in servers for part in each.split(",")]
    return [_one(word.strip()) for word in words]


def _one(word: str) -> Server:
    host, colon, port = word.rpartition(":")
    if not colon or word.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = word, str(PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or any(char.isspace() for char in host) or not (port.isascii() and port.isdigit()):
        raise ValueError(f"a server is HOST:PORT, like localhost:8000, not {word!r}")
    if not 1 <= int(port[:6]) <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}")
    return Server(host, int(port))
