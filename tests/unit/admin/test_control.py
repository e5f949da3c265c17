import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.admin import control
from chat_server.admin.control import SOCKET, ControlSocket, answer
from chat_server.protocol.base import Reply
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Page
from chat_server.runtime import SystemRuntime
from tests.unit.fakes import NOON_MS


class Unreadable:
    """A backend whose disk cannot be read."""

    def now(self) -> str:
        return iso(NOON_MS)

    async def order(self, command: Any) -> Reply:
        raise AssertionError

    async def read(self, query: Any) -> AsyncIterator[Page]:
        yield Page([])
        raise apsw.IOError("disk I/O error")


async def test_a_disk_that_cannot_be_read_is_told_as_that_and_logged_as_that(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        ((data, verb, result, _),) = [each async for each in answer(Unreadable(), b'{"cmd":"stats","label":"7f"}', 100)]
    said = json.loads(data)
    assert (said["code"], said["done"], said["label"]) == ("unavailable", False, "7f")
    assert (verb, result) == ("stats", "unavailable")
    (line,) = caplog.messages
    assert line == "the disk failed while the answer to stats was read: disk I/O error"


def test_who_leaves_in_the_middle_of_an_answer_is_no_mistake_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As `chat-server audit | head` does. The loop is the server's own: it has an error of its own for such a write."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        client = socket.socket(socket.AF_UNIX)

        async def two_lines(backend: Any, line: bytes, chars_max: int) -> AsyncIterator[tuple[bytes, str, str, str]]:
            yield b"one\n", "", "", ""
            client.close()
            while not backend.transport.is_closing():
                await asyncio.sleep(0.01)
            yield b"two\n", "audit", "ok", ""

        def connection(node: Any, transport: asyncio.Transport, verify: Any) -> Any:
            return SimpleNamespace(transport=transport, number=7, keeps_files=False, close=has_ended.set)

        has_ended = asyncio.Event()
        monkeypatch.setattr(control, "answer", two_lines)
        monkeypatch.setattr(control, "ControlConnection", connection)
        runtime = SystemRuntime()
        actions = ActionLog(runtime, LineForm(runtime, json=False), enabled=False, stream=io.StringIO())
        node: Any = SimpleNamespace(runtime=runtime)
        listener = ControlSocket(node, tmp_path, 1000, actions, {})
        listener.open()
        client.connect(str(tmp_path / SOCKET))
        client.send(b"/audit\n")
        await has_ended.wait()
        listener.close()

    SystemRuntime().run(main())
    assert caplog.messages == ["control connection 7 ended: whoever asked has left"]
