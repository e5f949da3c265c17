"""How many connections there may be, and what becomes of those that are too many."""

import contextlib
import resource
import socket
from pathlib import Path
from time import monotonic

import pytest

from chat_server.admin import cli
from chat_server.admin.control import CONNECTIONS_MAX
from chat_server.errors import StartError
from tests.conformance.conftest import Start
from tests.conformance.operating import done, refused
from tests.conformance.uploads import fetch, send_file
from tests.harness import REMOTE, Chat
from tests.samples import numbers


async def test_connections_of_one_address(start_remote: Start, tmp_path: Path) -> None:
    metrics = tmp_path / "chat.prom"
    chat = start_remote("--connections-per-address", "2", "--metrics-file", str(metrics))
    for _ in range(2):
        await chat.json(source=REMOTE)
    refused = await chat.connection(source=REMOTE)
    assert (await refused.rest()) == [
        "* closing: your address has all the 2 connections that one may have; close one, then connect again"
    ]
    await chat.json(source="127.0.0.3")
    for _ in range(4):
        await chat.json()
    assert chat.server.terminate() == 0
    assert numbers(metrics)["chat_connections_refused_total"] == 1


async def test_where_descriptors_run_out_those_who_are_in_notice_nothing(start: Start) -> None:
    """Most of what there is room for is taken away while it runs, and strangers try to take the rest."""
    chat = start("--log-level", "warning")
    alice, bob = await chat.json(), await chat.json()
    file = (await send_file(alice, "main", "x.txt", b"x" * 1000))["id"]
    process = chat.server.process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    begun = monotonic()
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (60, limits[1]))
    strangers = [await chat.connection() for _ in range(120)]
    await chat.server.logged("few open files are left")
    assert (await alice.ok("/send_all still here"))["id"]
    assert (await fetch(bob, f"/get_file {file}"))[0] == b"x" * 1000
    assert (await bob.ok(f"/delete_account {bob.name}"))["user"] == bob.name
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    for stranger in strangers:
        stranger.reset()
    await chat.json()
    assert chat.server.log.count("few open files are left") <= monotonic() - begun + 1


async def test_without_any_descriptor_the_store_is_read_all_the_same(start: Start) -> None:
    """No reader has been used before: each has its files open from the start on."""
    chat = start("--log-level", "warning")
    alice = await chat.json()
    await alice.ok("/send_all sought")
    process = chat.server.process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    for line in ("/search sought", "/files main", "/history main", "/status", "/send_all sought too"):
        assert await alice.code(line) == "ok", line
    assert await alice.code("/get_file 1") == "unknown_file"
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)


async def test_whoever_runs_the_server_is_told_and_gets_in_again_once_there_are_descriptors(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = start("--log-level", "warning")
    process = chat.server.process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(chat.server.data / "control.sock"))
        await chat.server.logged("none is accepted")
        monkeypatch.setattr(cli, "TAKEN_SECONDS", 0.01)
        asking = cli._connected(chat.server.data)
        assert asking is not None
        with asking, pytest.raises(StartError, match="it has no open file left"):
            next(cli._ask(asking, b"/stats"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
        assert "live" in done(chat.server, "stats")


async def test_control_connections_that_stay_are_bounded(start: Start) -> None:
    chat = start()
    with contextlib.ExitStack() as idle:
        opened = [idle.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CONNECTIONS_MAX)]
        for each in opened:
            each.connect(str(chat.server.data / "control.sock"))
        assert refused(chat.server, "stats") == (
            f"the server has all the {CONNECTIONS_MAX} connections that it takes; try again later; nothing was done"
        )
        for each in opened:
            each.shutdown(socket.SHUT_WR)
        assert [each.recv(1) for each in opened] == [b""] * CONNECTIONS_MAX, "the server has let go of them"
        assert done(chat.server, "stats")


async def test_no_thread_is_begun_once_it_runs(start: Start) -> None:
    """Somebody else on the machine may have used them up by then; a sign-in that needs one would never be answered."""
    chat = start()
    before = threads(chat)
    alice = await chat.json_stranger()
    await alice.ok("/sign_in alice a-password")
    await (await chat.json_stranger()).ok("/sign_in alice a-password")
    await alice.ok("/send_all hello")
    await alice.ok("/search hello")
    file = (await send_file(alice, "main", "x.txt", b"x"))["file"]["id"]
    assert (await fetch(alice, f"/get_file {file}"))[0] == b"x"
    done(chat.server, "stats")
    done(chat.server, "backup", str(chat.server.data.with_name("backup.tar")))
    assert threads(chat) == before


def threads(chat: Chat) -> int:
    assert chat.server.process is not None
    return len(list(Path(f"/proc/{chat.server.process.pid}/task").iterdir()))


@pytest.mark.parametrize("begun", [0, 3000, 4096, 60_000])
async def test_a_long_line_behind_a_sign_in_is_whole(start: Start, begun: int) -> None:
    """However much of it came before the sign-in was done; a stranger's own line of that length is refused."""
    chat = start("--text-max", "60000")
    client = await chat.json_stranger()
    line = f"/send_all {'x' * 59_000}\n".encode()
    await client.send_bytes(b"/sign_in alice a-password\n" + line[:begun])
    if not begun:
        await client.next()
    await client.send_bytes(line[begun:] + b"/ping\n")
    while (reply := await client.next())["type"] != "ok" or reply["re"] != "send_all":
        assert reply["type"] != "error"
    stranger = await chat.json_stranger()
    await stranger.send(f"/sign_in {'x' * 5000}")
    assert (await stranger.next())["code"] == "line_too_long"
