"""The private file with the tokens of all servers, so that the next start just connects.

    {"last": "localhost:8000", "servers": {"localhost:8000": {"last": "bob", "tls": false, "tokens": {"bob": "..."}}}}

A server that was signed in to over TLS is never spoken to without: whoever stands in between would be sent the token as
it is, or asked for the password, by the first start that leaves `--tls` out. A token belongs to a server, however that
is written (`Server.identity`), and is given to no other. Servers that are named together are one cluster, where a token
is good everywhere. A file that cannot be read counts as empty. Writing replaces it whole, under a lock: two clients
that started at once lost one of their tokens without it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, field

from chat_client.common.private_file import locked, read, replace
from chat_client.sdk.server_address import Server
from chat_server.protocol.names import fold


class _Server(Struct):
    last: str = ""
    tls: bool = False
    tokens: dict[str, str] = field(default_factory=dict)


class _Kept(Struct):
    last: str = ""
    servers: dict[str, _Server] = field(default_factory=dict)


def last_server(path: Path) -> str | None:
    """The server of the last sign-in, or its servers with commas."""
    return _read(path).last or None


def _read(path: Path) -> _Kept:
    try:
        return _read_or_fail(path)
    except OSError:
        return _Kept()


def _read_or_fail(path: Path) -> _Kept:
    """Raises OSError."""
    try:
        return msgspec.json.decode(read(path), type=_Kept)
    except msgspec.DecodeError:
        return _Kept()


class TokenFile:
    def __init__(self, path: Path, servers: Sequence[Server], *, tls: bool = False) -> None:
        """`tls`: the user wants it, whatever was before."""
        self._path, self._servers = path, servers
        self.tls = tls or any(each.tls for each in self._known())

    def last_user(self) -> str | None:
        """The user who signed in there last."""
        return next((each.last for each in self._known() if fold(each.last) in each.tokens), None)

    def _known(self) -> list[_Server]:
        kept = _read(self._path).servers
        return [kept[each.identity] for each in self._servers if each.identity in kept]

    def get(self, user: str, server: Server) -> str | None:
        kept = _read(self._path).servers.get(server.identity)
        return kept.tokens.get(fold(user)) if kept else None

    def put(self, user: str, token: str) -> None:
        """Raises OSError."""
        with self._changing() as kept:
            kept.last = ",".join(map(str, self._servers))
            for each in self._servers:
                server = kept.servers.setdefault(each.identity, _Server())
                # Another client may have come by TLS since this one began.
                server.last, server.tls = user, server.tls or self.tls
                server.tokens[fold(user)] = token

    def drop(self, user: str, token: str) -> None:
        """Raises OSError."""
        with self._changing() as kept:
            for each in self._servers:
                server = kept.servers.get(each.identity, _Server())
                if server.tokens.get(fold(user)) == token:
                    del server.tokens[fold(user)]

    @contextmanager
    def _changing(self) -> Iterator[_Kept]:
        """What is kept, to be changed while no other client does; it is written if it was. Raises OSError."""
        with locked(self._path):
            kept = _read_or_fail(self._path)
            before = msgspec.json.encode(kept)
            yield kept
            if msgspec.json.encode(kept) != before:
                replace(self._path, msgspec.json.encode(kept))
