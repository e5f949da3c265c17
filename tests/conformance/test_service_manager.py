"""The server as a service of systemd, which the tests play: passed sockets, restarts under load, and what it tells."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Certificate, connect
from tests.conformance.conftest import UNLIMITED
from tests.harness import Chat, Json, JsonClient, rounds
from tests.service_manager import ManagedServer, listening

MESSAGES, RESTARTS = 40, rounds(4)


@pytest.fixture
def passed() -> Iterator[socket.socket]:
    with listening() as sock:
        yield sock


class Person:
    """Is there whenever the server is, and sees each message once."""

    def __init__(self, chat: Chat, name: str) -> None:
        self.chat = chat
        self.name = name
        self.seen: list[int] = []
        self.sent: list[int] = []
        self.token, self.position = "", 0
        self._client: JsonClient | None = None

    async def _back(self) -> JsonClient:
        while self._client is None:
            with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError, AssertionError, KeyError):
                if not self.token:
                    client = await self.chat.json(self.name)
                    self.token, self.position = client.token, client.position
                    self._client = client
                else:
                    client, shown, reply = await self.chat.resume(self.token, self.position)
                    if reply["type"] == "ok":
                        for line in shown:
                            self._see(line)
                        self.position, self._client = max(self.position, reply["seq"]), client
        return self._client

    def _see(self, line: Json) -> None:
        if line["type"] == "message":
            self.seen.append(line["id"])
            self.position = line["seq"]

    async def send(self, many: int) -> None:
        for number in range(many):
            command = {"cmd": "send_all", "text": "x", "key": f"{self.name}-{number}"}
            while True:
                client = await self._back()
                with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
                    label = await client.send_labelled(command)
                    while not client.is_final(line := await client.next(), label):
                        self._see(line)
                    if line["type"] == "ok":
                        self.sent.append(line["id"])
                        break
                    assert line["code"] == "unavailable", line
                    continue
                self._client = None

    async def watch(self, until: int) -> None:
        while len(self.seen) < until:
            client = await self._back()
            try:
                self._see(await client.next())
            except (EOFError, ConnectionResetError):
                self._client = None


async def test_a_restart_under_load_refuses_nobody_and_loses_and_doubles_nothing(
    tmp_path: Path, passed: socket.socket
) -> None:
    """People come back to the socket that waits for them, while no server runs, and go on where they were."""
    server = ManagedServer(tmp_path / "data", *UNLIMITED, sockets=[("plain", passed)])
    server.start()
    assert server.port == passed.getsockname()[1]
    chat = Chat(server)
    senders = [Person(chat, f"sender{number}") for number in range(3)]
    readers = [Person(chat, f"reader{number}") for number in range(3)]
    for reader in readers:
        await reader._back()
    sending = [asyncio.create_task(each.send(MESSAGES)) for each in senders]
    watching = [asyncio.create_task(each.watch(len(senders) * MESSAGES)) for each in readers]
    for restart in range(1, RESTARTS + 1):
        wanted = MESSAGES * restart // (RESTARTS + 1)
        while min(len(each.sent) for each in senders) < wanted and not any(each.done() for each in sending):
            await asyncio.sleep(0.005)
        assert server.process is not None
        await asyncio.to_thread(server.terminate)
        waiting = await chat.connection()
        await asyncio.to_thread(server.start)
        assert (await waiting.line()).startswith("* chat-server "), "it waited in the backlog"
    await asyncio.gather(*sending, *watching)
    sent = sorted(id for each in senders for id in each.sent)
    assert len(set(sent)) == len(sent) == len(senders) * MESSAGES
    for reader in readers:
        assert reader.seen == sent, "each message once, in order"
    await chat.close()
    server.close()


async def test_what_the_manager_is_told(tmp_path: Path) -> None:
    server = ManagedServer(tmp_path / "data", *UNLIMITED, watchdog=0.2)
    server.start()
    ready = await server.hears("READY=1")
    assert server.told[0] == {"STATUS": "starting"}
    assert ready["STATUS"].startswith("0 people online over 0 connections; ")
    chat = Chat(server)
    await (await chat.json()).ok("/send_all hi")
    await server.hears("STATUS=1 people online over 1 connections; 1 messages since the start")
    await server.hears("WATCHDOG=1")
    await chat.close()
    assert server.terminate() == 0
    await server.hears("STOPPING=1")
    server.close()


class HangingServer(ManagedServer):
    """The server, whose writer never comes back from a message."""

    program = (str(Path(__file__).parents[1] / "hanging.py"),)


async def test_a_loop_that_is_well_does_not_hide_a_writer_that_hangs(tmp_path: Path) -> None:
    server = HangingServer(tmp_path / "data", *UNLIMITED, watchdog=0.1)
    server.start()
    chat = Chat(server)
    alice, bob = await chat.json(), await chat.json()
    await server.hears("WATCHDOG=1")
    await alice.send("/send_all hang")
    await server.logged("the writer's thread does nothing any more")
    server.forget()
    for _ in range(4):
        await bob.ok("/ping")
        await server.hears("STATUS=")
    assert not any("WATCHDOG" in said for said in server.told)
    assert server.log.count("does nothing any more") == 1
    server.kill()
    await chat.close()
    server.close()


async def test_both_kinds_of_sockets_over_both_families(tmp_path: Path) -> None:
    """What the options say about ports counts for nothing then."""
    certificate = Certificate(tmp_path)
    with contextlib.ExitStack() as stack:
        tls, plain = stack.enter_context(listening()), stack.enter_context(listening())
        sockets = [("tls", tls), ("chat.socket", plain)]
        if socket.has_dualstack_ipv6():
            sockets.append(("chat.socket", stack.enter_context(listening(socket.AF_INET6, "::1"))))
        options = certificate.options[:4]
        server = ManagedServer(tmp_path / "data", *UNLIMITED, *options, sockets=sockets)
        server.start()
        chat = Chat(server)
        await (await chat.json()).ok("/ping")
        await (await connect(server, certificate.trusted())).command("/ping")
        for name, sock in sockets[1:]:
            with socket.create_connection(sock.getsockname()[:2]) as one, one.makefile() as lines:
                assert lines.readline().startswith("* chat-server "), name
        await chat.close()
        server.close()
