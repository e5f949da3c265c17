"""Opening a connection to NATS: what is missing or too old is named."""

from pathlib import Path

import pytest

from chat_server.errors import StartError
from chat_server.log import nats_connection
from chat_server.log.jetstream_api import open_nats
from chat_server.log.nats_connection import NatsAccess
from chat_server.runtime import SystemRuntime
from tests.cluster.servers import NatsServers, free_ports
from tests.cluster.streams import begin


async def fails(urls: list[str], **access: object) -> str:
    with pytest.raises(StartError) as raised:
        await open_nats(SystemRuntime(), NatsAccess(urls, **access), "n1", 2)  # type: ignore[arg-type]
    return str(raised.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    (port,) = free_ports(1)
    told = await fails([f"nats://127.0.0.1:{port}"])
    assert f"nats://127.0.0.1:{port}" in told and "refused" in told.lower()


async def test_a_server_that_is_alone_for_now_is_connected(tmp_path: Path) -> None:
    """Whoever asks for streams waits for the others."""
    servers = NatsServers(tmp_path, 3)
    try:
        servers.all[0].start()
        connection = await open_nats(SystemRuntime(), NatsAccess(servers.urls), "n1")
        servers.start()
        await begin(connection)
        await connection.close()
    finally:
        servers.close()


async def test_what_a_server_lacks_is_named(tmp_path: Path) -> None:
    mute = "{ user: c, password: d, permissions: { publish: [_INBOX.>] } }"
    users = f"authorization {{ users: [ {{ user: a, password: b }}, {mute} ] }}\n"
    servers = NatsServers(tmp_path, 1, users)
    servers.start()
    try:
        assert "Authorization Violation" in await fails(servers.urls)
        assert "Authorization Violation" in await fails(servers.urls, user="a", password="wrong")
        assert "permissions violation" in await fails(servers.urls, user="c", password="d")
        await (await open_nats(SystemRuntime(), NatsAccess(servers.urls, "a", "b"), "n1", 10)).close()
    finally:
        servers.close()


async def test_a_server_without_jetstream_is_named(tmp_path: Path) -> None:
    servers = NatsServers(tmp_path, 1)
    configuration = servers.all[0].configuration
    configuration.write_text(
        "\n".join(line for line in configuration.read_text().split("\n") if "jetstream" not in line)
    )
    servers.start()
    try:
        assert "JetStream" in await fails(servers.urls)
    finally:
        servers.close()


async def test_an_old_server_is_not_used(one_server: NatsServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_connection, "SERVER_VERSION_MIN", (99, 0, 0))
    assert "99.0.0 or newer is needed" in await fails(one_server.urls)


async def test_a_password_in_a_url_is_not_told() -> None:
    (port,) = free_ports(1)
    assert "secret" not in await fails([f"nats://somebody:secret@127.0.0.1:{port}"])
