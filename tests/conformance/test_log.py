"""The log: where it goes, what it never has, and what `chat-server trace` tells out of it."""

import os
import pty
import re
import stat
from pathlib import Path

from tests.conformance.conftest import UNLIMITED, Start
from tests.conformance.operating import SECRET, done, json_operator, refused, word
from tests.harness import Chat, Server

TEXT = "TEXT"


async def test_a_message_is_traced_beside_the_server_and_without_it(start: Start, tmp_path: Path) -> None:
    chat = start("--log-file", str(tmp_path / "Server0" / "chat-server.log"))
    alice, bob = await chat.json("alice"), await chat.json("bob")
    id = (await alice.ok("/send_all hi"))["id"]
    await alice.ok(f"/edit {id} hello")
    await bob.ok(f"/react {id} +1")
    await alice.ok("/delete_account alice")
    while "delete_account" not in done(chat.server, "trace", f"#{id}"):
        """Lines of the log gather for 20 ms."""
    for _ in range(2):
        # The sessions of the first node of a cluster are 1001, 2001 and so on.
        trace = re.sub(r"session (\d)001 ", r"session \1 ", done(chat.server, "trace", f"#{id}"))
        told = [line.partition("  ")[2] for line in trace.splitlines()]
        assert told[0].startswith("came in by send_all, by alice, session 1 from 127.0.0.1: ok after ")
        assert told[1].startswith(f"on disk as seq {id} with batch ") and told[1].endswith("; connections told: 2")
        assert [line.split(":")[0] for line in told[2::2]] == [
            "changed by edit, by alice, session 1 from 127.0.0.1", "changed by react, by bob, session 2 from 127.0.0.1",
            "the account of alice was deleted, and what it wrote with it (delete_account by alice, session 1 from"
            " 127.0.0.1)",
        ]  # fmt: skip
        assert "react #1 by bob, session 2" in done(chat.server, "trace", "@bob")
        assert "there is no #99 yet" in refused(chat.server, "trace", "#99")
        if chat.server.process is not None:
            assert chat.server.terminate() == 0
    log = (chat.server.data / "chat-server.log").read_text()
    told_too = word(chat.server, "trace", f"#{id}", "-", said=log).stdout
    assert told_too == done(chat.server, "trace", f"#{id}")
    assert not chat.server.log, "stderr has warnings alone"
    assert stat.S_IMODE((chat.server.data / "chat-server.log").stat().st_mode) == 0o600
    (chat.server.data / "chat-server.log").unlink()
    assert "journalctl" in refused(chat.server, "trace", f"#{id}")


async def test_who_leaves_right_behind_a_message_counts_among_those_whom_it_went_to(
    start: Start, tmp_path: Path
) -> None:
    chat = start("--log-file", str(tmp_path / "Server0" / "chat-server.log"))
    alice = await chat.text_stranger()
    await alice.enter("/sign_in alice")
    _, bob = await chat.text("carol"), await chat.text("bob")
    await bob.send("/send_all bye\n/quit")
    await bob.rest()
    await alice.send("/send carol bye\n/quit")
    await alice.rest()
    told: list[str] = []
    while len(told) < 2:
        told = re.findall(r" batch .* to=(\d+) ", (chat.server.data / "chat-server.log").read_text())
    assert told == ["3", "2"]


async def test_on_a_terminal_the_log_goes_into_a_file_and_warnings_are_shown(tmp_path: Path) -> None:
    out, terminal = pty.openpty()
    server = Server(tmp_path / "data", *UNLIMITED, "--operator", "nobody")
    server.start(stderr=terminal)
    os.close(terminal)
    chat = Chat(server)
    await (await chat.json()).ok("/ping")
    await chat.close()
    assert server.terminate() == 0
    shown = os.read(out, 1 << 16).decode().splitlines()
    os.close(out)
    assert len(shown) == 1 and " WARNING chat.server the operator nobody has no account" in shown[0]
    log = (server.data / "chat-server.log").read_text()
    assert (
        " do=ping result=ok " in log
        and shown[0].partition(" ")[2] in log
        and log.endswith(" INFO chat.server stopped\n")
    )


async def test_the_journal_gets_priorities_and_no_times(tmp_path: Path) -> None:
    out, into = os.pipe()
    found = os.fstat(into)
    server = Server(tmp_path / "data", environment={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    server.start(stderr=into)
    os.close(into)
    chat = Chat(server)
    await (await chat.json("alice")).ok("/ping")
    await chat.close()
    assert server.terminate() == 0
    with os.fdopen(out) as lines:
        log = lines.read().splitlines()
    assert all(line.startswith(("<6>chat.", "<6>action ", "<6>batch ")) for line in log)
    pinged = re.compile(r"<6>action user=alice session=\d+ address=127\.0\.0\.1 do=ping result=ok ")
    assert any(map(pinged.match, log))


async def test_a_log_that_cannot_be_written_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    for file, why in (("/dev/full", "No space left on device"), (str(tmp_path), "Is a directory")):
        server = Server(tmp_path / "data", *UNLIMITED, "--log-file", file)
        server.start()
        chat = Chat(server)
        alice = await chat.json()
        for _ in range(10):
            await alice.ok("/send_all hi")
        assert server.terminate() == 0
        assert server.log.count(f"cannot write the log {file}: {why}; the server goes on") == 1
        server._log.unlink()
        await chat.close()


async def test_no_text_gets_into_the_log(start: Start) -> None:
    """Nor a password, a token or a reason, of whatever command; names of users are there."""
    chat = start("--operator", "boss", "--log-level", "debug")
    boss, (alice, bob) = await json_operator(chat), (await chat.json("alice"), await chat.json("bob"))
    id = (await alice.ok(f"/send_all {TEXT}"))["id"]
    tokens = [alice.token, bob.token, boss.token]
    for client, line in (
        (alice, f"/edit {id} {TEXT}"), (alice, f"/reply {id} {TEXT}"), (alice, f"/send bob {TEXT}"),
        (alice, f"/send_delayed main 1s {TEXT}"), (bob, f"/report alice {TEXT}"), (bob, f"/search {TEXT}"),
        (bob, f"/away {TEXT}"), (alice, f"/create_chat room{TEXT}"), (alice, f"/password {TEXT}pass"),
        (boss, f"/ban bob 1s {TEXT}"), (boss, f"/announce {TEXT}"), (boss, f"/kick bob {TEXT}"),
        (alice, f"/send_file main {TEXT}.txt 3"), (alice, f"/no_such_verb {TEXT}"), (alice, f"/edit x {TEXT}"),
        (alice, f"/preference {TEXT} {TEXT}"), (boss, f"/delete {id}"), (alice, "/delete_account alice"),
    ):  # fmt: skip
        await client.command(line)
    await chat.server.logged("do=delayed ")
    done(chat.server, "forget", "bob", "--yes")
    assert chat.server.terminate() == 0
    log = chat.server.log
    assert "user=alice" in log and " do=forget of=bob" in log
    for secret in (TEXT, SECRET, *tokens):
        assert secret not in log
