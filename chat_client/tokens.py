"""The tokens of one server, kept in a file that nobody else may read (mode 0600), so that the next start just connects.

One file for all servers: `{"localhost:8000": {"last": "bob", "tokens": {"bob": "..."}}}`. A file that cannot be read
is as none. Writing replaces it whole; two clients that write at once may lose one of the tokens, no more.
"""

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct, field


class _Kept(Struct):
    last: str = ""
    tokens: dict[str, str] = field(default_factory=dict)


def last_server(path: Path) -> str | None:
    """The server to which somebody has signed in last."""
    return next(reversed(_read(path)), None)


def _read(path: Path) -> dict[str, _Kept]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Kept])
    except (OSError, msgspec.DecodeError):
        return {}


class TokenFile:
    """`server`: as it was named; the nodes of a cluster, named together, have the same tokens."""

    def __init__(self, path: Path, server: str) -> None:
        self._path, self._server = path, server

    def last_user(self) -> str | None:
        """Who signed in there last."""
        kept = _read(self._path).get(self._server)
        return kept.last if kept and kept.tokens.get(kept.last.casefold()) else None

    def get(self, user: str) -> str | None:
        kept = _read(self._path).get(self._server)
        return kept.tokens.get(user.casefold()) if kept else None

    def put(self, user: str, token: str) -> None:
        servers = _read(self._path)
        kept = servers[self._server] = servers.pop(self._server, _Kept())  # the last one in the file
        kept.last = user
        kept.tokens[user.casefold()] = token
        self._write(servers)

    def drop(self, user: str) -> None:
        servers = _read(self._path)
        kept = servers.get(self._server)
        if kept and kept.tokens.pop(user.casefold(), None) is not None:
            self._write(servers)

    def _write(self, servers: dict[str, _Kept]) -> None:
        """A disk that is full or read-only costs the token, not the chat."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self._path.parent, prefix=".tokens")  # of mode 0600
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(msgspec.json.encode(servers))
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink(missing_ok=True)
