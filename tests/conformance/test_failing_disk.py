"""Calls of the system that fail: what has no room is refused, all else ends the server; what it acknowledged is there.

A library that is loaded before the server fails them: `tests/failing.c`.
"""

import contextlib
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.failing_server import DATABASE, LOG, PART, FailingServer, assert_not_done, library
from tests.conformance.senders import Sender, all_of_main, check
from tests.conformance.uploads import bytes_of, chunk, fetch, open_upload, send_file, send_rest
from tests.harness import Chat, Json, JsonClient

__all__ = ["library"]  # a fixture

DATA = bytes_of(50_000, 5)


Failing = tuple[Chat, FailingServer]


@pytest.fixture
async def failing(tmp_path: Path, library: Path) -> AsyncIterator[Failing]:
    server = FailingServer(tmp_path / "data", library)
    server.start()
    chat = Chat(server)
    yield chat, server
    await chat.close()
    server.fail()
    server.close()
    assert "Traceback" not in server.log


async def say(client: JsonClient, sender: Sender, number: int) -> Json:
    (reply,) = await client.pipeline([sender.command(number)])
    sender.take(reply)
    return reply


async def assert_kept(chat: Chat, server: FailingServer, sender: Sender) -> None:
    """After the next start."""
    await chat.close()
    server.fail()
    server.start()
    check(sender, await all_of_main(chat))


@pytest.mark.parametrize(
    "fault",
    [("write", errno.EIO, LOG), ("fsync", errno.EIO, DATABASE), ("fsync", errno.ENOSPC, LOG)]
    + [
        pytest.param(fault, marks=pytest.mark.thorough)
        for fault in (("write", errno.EROFS, LOG), ("fsync", errno.EIO, LOG), ("fsync", errno.ENOSPC, DATABASE))
    ],
    ids=str,
)
async def test_a_disk_that_failed_ends_the_server(failing: Failing, fault: tuple[str, int, str]) -> None:
    chat, server = failing
    sender, client = Sender("sender"), await chat.json("sender")
    await say(client, sender, 0)
    server.fail(fault)
    number = 1
    # Bytes reach the database when SQLite's log has a thousand pages. Where a batch of the server's own finds it out,
    # the connection ends without a word.
    with contextlib.suppress(ConnectionError, EOFError):
        while (reply := await say(client, sender, number))["type"] == "ok":
            number += 1
        assert reply["code"] == "unavailable" and "done" not in reply, "nobody knows what is on the disk"
    assert server.ended() == 1 and "the disk failed" in server.log
    await assert_kept(chat, server, sender)


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, *(pytest.param(number, marks=pytest.mark.thorough) for number in (errno.EDQUOT, errno.EFBIG))],
    ids=errno.errorcode.get,
)
async def test_what_has_no_room_is_refused_and_all_else_goes_on(failing: Failing, number: int) -> None:
    chat, server = failing
    sender, client = Sender("sender"), await chat.json("sender")
    sent = await send_file(client, "main", "photo", DATA)
    upload = (await open_upload(client, "main", "other", bytes_of(100)))["upload"]
    await say(client, sender, 0)
    server.fail(("write", number, LOG), ("write", number, PART))
    assert_not_done(await say(client, sender, 1))
    assert_not_done(await client.refused(chunk(upload, b"some")))
    assert (await fetch(client, f"/get_file {sent['file']['id']}"))[0] == DATA
    assert await client.code("/history main") == "ok"
    server.fail()
    assert (await say(client, sender, 1))["type"] == "ok"
    server.kill()
    await assert_kept(chat, server, sender)


@pytest.mark.parametrize(
    "fault",
    [("fsync", errno.EIO)]
    + [pytest.param(fault, marks=pytest.mark.thorough) for fault in (("write", errno.EIO), ("fsync", errno.EDQUOT))],
    ids=str,
)
async def test_a_disk_that_fails_under_a_file_ends_the_server(failing: Failing, fault: tuple[str, int]) -> None:
    chat, server = failing
    client = await chat.json("anna")
    await send_file(client, "main", "first", bytes_of(10))
    opened = await open_upload(client, "main", "photo", DATA)
    server.fail((*fault, PART))
    reply = opened
    while reply["type"] == "ok":
        _, reply = await client.command(chunk(opened["upload"], DATA[reply["received"] : reply["received"] + 30_000]))
    assert reply["code"] == "unavailable" and "done" not in reply
    assert server.ended() == 1
    await chat.close()
    server.fail()
    server.start()
    client = await chat.json("anna")
    await send_rest(client, await open_upload(client, "main", "photo", DATA), DATA)


async def test_what_cannot_be_read_is_said_and_logged(failing: Failing) -> None:
    chat, server = failing
    client = await chat.json("anna")
    sent = await send_file(client, "main", "photo", DATA)
    (blob,) = (path for path in (server.data / "files").rglob("*") if path.is_file())
    server.fail(("read", errno.EIO, blob.name))
    reply = await client.refused(f"/get_file {sent['file']['id']}")
    assert reply["code"] == "unavailable"
    server.fail()
    assert await client.code("/send_all it goes on") == "ok"
