"""TLS in tests: certificates of an authority of their own, and clients that trust it."""

import asyncio
import re
import socket
import ssl
from datetime import datetime
from pathlib import Path

import trustme

from tests.harness import Server, TextClient

HOST = "localhost"


class Certificate:
    """A certificate of an authority of its own, as files."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"
        self.renew()

    def renew(self, ends: datetime | None = None) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert(HOST, not_after=ends)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())

    @property
    def options(self) -> tuple[str, ...]:
        return "--tls-cert", str(self.cert), "--tls-key", str(self.key), "--tls-port", "0"

    def trusted(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def tls_port(server: Server) -> int:
    return int(re.findall(r"listening on .*:(\d+) \(TLS\)", server.listening)[-1])


async def connect(server: Server, context: ssl.SSLContext) -> TextClient:
    """Past the greeting. Raises ssl.SSLError where the two do not agree."""
    streams = await asyncio.open_connection(HOST, tls_port(server), ssl=context, family=socket.AF_INET)
    client = TextClient(*streams)
    assert (await client.line()).startswith("* chat-server ")
    return client
