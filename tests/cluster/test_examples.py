"""The configuration of examples/cluster starts three servers, on which each node may do what is its own."""

from pathlib import Path

import pytest
import trustme

from chat_server.cluster.nats_access import connect
from chat_server.log.jetstream import JetStreamChain, NatsObjects
from chat_server.log.stream import NotAppended
from chat_server.runtime import SystemRuntime
from chat_server.settings import load
from tests.cluster.servers import NatsServer, free_ports
from tests.cluster.test_jetstream import pieces, settled

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"
NAMES = ("one", "two", "three")


def configurations(directory: Path) -> dict[int, str]:
    """The example for each machine, with ports and files of this one in place of theirs; by the port for clients."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    text = (EXAMPLES / "nats-server.conf").read_text().replace("/etc/nats/", f"{directory}/")
    ports = free_ports(6)
    for name, port in zip(NAMES, ports[3:], strict=True):
        text = text.replace(f"{name}.example:6222", f"localhost:{port}")
    return {
        port: text.replace("0.0.0.0:4222", f"127.0.0.1:{port}")
        .replace("0.0.0.0:6222", f"127.0.0.1:{route}")
        .replace("/var/lib/nats", str(directory / name))
        for name, port, route in zip(NAMES, ports[:3], ports[3:], strict=True)
    }


async def test_the_examples_are_a_cluster(tmp_path: Path) -> None:
    made = configurations(tmp_path)
    servers = [NatsServer(tmp_path, name, port, text) for name, (port, text) in zip(NAMES, made.items(), strict=True)]
    (tmp_path / "password").write_text("change-me-2\n")
    urls = ",".join(f"tls://localhost:{port}" for port in made)
    options = ["--cluster", urls, "--cluster-user", "two", "--cluster-password-file", str(tmp_path / "password")]
    settings = load([*options, "--cluster-ca", str(tmp_path / "ca.pem")], {})
    try:
        for server in servers:
            server.start()
        connection = await connect(settings, SystemRuntime(), "two")
        chain, objects = JetStreamChain(connection), NatsObjects(connection)
        await settled(chain.begin, 1)
        await settled(chain.append, 1, "two", b"own", "1")
        with pytest.raises(NotAppended, match=r"(?i)permissions violation"):
            await chain.append(1, "three", b"forged", "2")
        await settled(objects.begin, "bucket")
        await objects.put("bucket", "object", pieces(b"x" * 300_000))
        assert sum([len(chunk) async for chunk in objects.get("bucket", "object")]) == 300_000
        await settled(objects.delete_bucket, "bucket")
        await settled(chain.delete, 1)
        await connection.close()
    finally:
        for server in servers:
            server.kill()


def test_the_example_of_a_node_is_valid(tmp_path: Path) -> None:
    settings = load(["--config", str(EXAMPLES / "chat.toml")], {})
    assert settings.nats_urls == [f"tls://{name}.example:4222" for name in NAMES]
    assert (settings.node, settings.cluster_user) == ("one", "one")
