"""Opening a connection to NATS: what is missing or too old is named."""

import asyncio
import gc
from contextlib import suppress
from pathlib import Path

import pytest

from chat_server.errors import StartError
from chat_server.log import nats_connection
from chat_server.log.jetstream_api import open_nats
from chat_server.log.nats_connection import Nats, NatsAccess
from chat_server.runtime import SystemRuntime
from tests.cluster.servers import NatsServers
from tests.cluster.streams import begin
from tests.ports import free_port

INFO = b'INFO {"version": "2.15.1", "max_payload": 1048576, "headers": true}\r\n'


async def fails(urls: list[str], **access: object) -> str:
    with pytest.raises(StartError) as raised:
        await open_nats(SystemRuntime(), NatsAccess(urls, **access), "n1", 2)  # type: ignore[arg-type]
    return str(raised.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
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
    port = free_port()
    assert "secret" not in await fails([f"nats://somebody:secret@127.0.0.1:{port}"])


async def test_what_is_no_nats_server_is_tried_again() -> None:
    """The package has an error of its own for most of what it does not expect, and none for this line."""
    tries, is_tried_again = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries > 2:
            is_tried_again.set()
        writer.write(b"INFO\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Nats(SystemRuntime(), NatsAccess([f"nats://127.0.0.1:{port}"]), "n1")
        await is_tried_again.wait()
        assert f"127.0.0.1:{port}: it does not answer as a NATS server does" in connection.trouble
        await connection.close()


async def test_who_begins_to_listen_during_the_connecting_is_subscribed() -> None:
    is_subscribed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        pings = 0
        async for line in reader:
            if line.startswith(b"PING"):
                pings += 1
                if pings == 2:
                    # All that was listened to before has been subscribed.
                    connection.listen("later", lambda message: None)
                writer.write(b"PONG\r\n")
            elif line.startswith(b"SUB later "):
                is_subscribed.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Nats(SystemRuntime(), NatsAccess([f"nats://127.0.0.1:{port}"]), "n1")
        await is_subscribed.wait()
        await connection.close()


def test_a_connection_that_breaks_off_leaves_no_task_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """The loop is the server's own: there a write to a socket that is closed is an error."""

    async def main() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(INFO)
            with suppress(OSError):
                async for line in reader:
                    if line.startswith(b"PING"):
                        writer.write(b"PONG\r\n")

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = Nats(SystemRuntime(), NatsAccess([f"nats://127.0.0.1:{port}"]), "n1")
            connection.listen("a", lambda message: None)
            for connections in range(1, 4):
                while len(writers) < connections or not connection.is_connected:
                    await asyncio.sleep(0.01)
                writers[-1].transport.abort()
                while connection.is_connected:
                    connection.publish("x", b"y" * 10_000)
                    await asyncio.sleep(0)
            await connection.close()
        gc.collect()

    SystemRuntime().run(main())
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
