"""The way to NATS: TLS, users who may only do what is theirs, and one clear line for what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from chat_server.cluster.nats_access import connect
from chat_server.errors import StartError
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.stream import NotAppended, Position
from chat_server.runtime import SystemRuntime
from chat_server.settings import load
from tests.cluster.servers import NatsServers

# What examples/cluster gives each node: the API, its own subjects of the log and the bus, and answers.
USERS = """
authorization {{
  users: [
    {{ user: one, password: "first secret", permissions: {{ publish: {{ allow: {allowed} }} }} }}
    {{ user: two, password: "second secret" }}
  ]
}}
tls {{ cert_file: "{cert}", key_file: "{key}" }}
"""
ALLOWED = '["$JS.API.>", "$O.>", "log.*.one", "bus.*.one", "ask.*.one", "_INBOX.>"]'


class SafeNats:
    """A NATS server with TLS and users, and the files that its nodes need."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.ca, cert, key = directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        certificate.cert_chain_pems[0].write_to_path(str(cert))
        certificate.private_key_pem.write_to_path(str(key))
        self.password = directory / "password"
        self.password.write_text("first secret\n")
        self.servers = NatsServers(directory, 1, USERS.format(allowed=ALLOWED, cert=cert, key=key))
        self.servers.start()
        self.url = f"tls://localhost:{self.servers.all[0].port}"

    def options(self, **changed: str | None) -> list[str]:
        options: dict[str, str | None] = {
            "--cluster": self.url,
            "--cluster-user": "one",
            "--cluster-password-file": str(self.password),
            "--cluster-ca": str(self.ca),
        }
        for name, value in changed.items():
            options["--" + name.replace("_", "-")] = value
        return [word for name, value in options.items() if value is not None for word in (name, value)]


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SafeNats]:
    safe = SafeNats(tmp_path_factory.mktemp("safe"))
    yield safe
    safe.servers.close()


async def test_a_node_with_tls_and_a_user_works_on_its_own_subjects_alone(safe: SafeNats) -> None:
    connection = await connect(load(safe.options(), {}), SystemRuntime(), "one")
    try:
        chain = JetStreamChain(connection)
        await chain.begin(1)
        assert await chain.append(1, "one", b"own", "1") == 1
        with pytest.raises(NotAppended, match=r"(?i)permissions violation"):
            await chain.append(1, "two", b"forged", "2")
        assert await chain.last(1) == 1
        assert (await chain.read(Position(1, 0)).next()).data == b"own"
    finally:
        await connection.close()


async def fails(options: list[str]) -> str:
    with pytest.raises(StartError) as raised:
        await connect(load(options, {}), SystemRuntime(), "one")
    return str(raised.value)


async def test_what_is_wrong_with_the_way_is_said(safe: SafeNats, tmp_path: Path) -> None:
    assert "certificate verify failed" in await fails(safe.options(cluster_ca=None))
    assert "cannot use --cluster-ca" in await fails(safe.options(cluster_ca=str(safe.password)))
    assert "No such file" in await fails(safe.options(cluster_password_file=str(tmp_path / "none")))
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in await fails(safe.options(cluster_password_file=str(tmp_path / "empty")))
    assert "cannot use --cluster-cert" in await fails(
        safe.options(cluster_cert=str(safe.ca), cluster_key=str(safe.password))
    )
    (tmp_path / "wrong").write_text("wrong")
    assert "Authorization Violation" in await fails(safe.options(cluster_password_file=str(tmp_path / "wrong")))


async def test_no_password_goes_to_a_server_without_tls(tmp_path: Path, safe: SafeNats) -> None:
    servers = NatsServers(tmp_path, 1)
    servers.start()
    try:
        assert "does not speak TLS" in await fails(safe.options(cluster=servers.urls[0].replace("nats:", "tls:")))
    finally:
        servers.close()
