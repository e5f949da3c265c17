"""What becomes of the server where nobody takes what it prints and logs, and which signals it obeys."""

import asyncio
import os
import pty
import signal
import socket
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server.line_writer import WAITING_BYTES_MAX
from tests.conformance.conftest import UNLIMITED
from tests.conformance.operating import done
from tests.harness import STOP_SECONDS_MAX, TIMEOUT_SECONDS, Chat, RemoteServer, Server

DROPPED = "lines of the log were dropped: nobody took them"
# Each writes a line of about 90 bytes to the log: more than a pipe and the server hold, and what is being written.
PINGS = 1000
ROUNDS = 1 + WAITING_BYTES_MAX * 3 // 2 // (90 * PINGS)


@pytest.fixture(params=["a pipe that nobody reads", "a terminal that was stopped"])
def sink(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Where the log goes to, and where it would come out."""
    if "pipe" in request.param:
        out, into = os.pipe()
    else:
        out, into = pty.openpty()
        termios.tcflow(into, termios.TCOOFF)
    yield into, out
    os.close(out)


async def test_nobody_takes_the_log(tmp_path: Path, sink: tuple[int, int]) -> None:
    """More is logged than a pipe and the server hold; everybody is served, and it stops when it is told to."""
    into, _ = sink
    server = Server(tmp_path / "data", *UNLIMITED)
    server.start(stderr=into)
    chat = Chat(server)
    alice = await chat.json()
    for _ in range(ROUNDS):
        assert len(await alice.pipeline(["/ping"] * PINGS)) == PINGS
    assert len(await alice.pipeline(["/send_all hi"] * 10)) == 10
    assert server.end(signal.SIGTERM, STOP_SECONDS_MAX) == 0
    os.close(into)
    await chat.close()


async def test_what_was_dropped_is_said_once_the_log_is_taken_again(tmp_path: Path) -> None:
    out, into = os.pipe()
    server = Server(tmp_path / "data", *UNLIMITED)
    server.start(stderr=into)
    os.close(into)
    chat = Chat(server)
    alice = await chat.json()
    for _ in range(ROUNDS):
        assert len(await alice.pipeline(["/ping"] * PINGS)) == PINGS
    with os.fdopen(out) as lines:
        told = next(line for line in lines if DROPPED in line)
        assert int(told.split()[3]) > 0 and " WARNING chat.log " in told
        await alice.ok("/ping")
        assert " do=ping result=ok " in next(lines)
        await chat.close()
        server.close()


async def test_nobody_takes_what_it_prints(tmp_path: Path) -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)
    for size in (4096, 1):
        while True:
            try:
                os.write(into, b"x" * size)
            except BlockingIOError:
                break
    server = Server(tmp_path / "data")
    with (tmp_path / "data.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220
            server.arguments(), stdout=into, stderr=log, env=server.environment
        )
    await server.logged("started: listening on")
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_SECONDS) == 0
    os.close(out)
    os.close(into)


class Ignoring(Server):
    """The server with signals that are ignored when it starts, as by nohup."""

    ignored = ""

    def arguments(self) -> list[str]:
        return ["sh", "-c", f'trap "" {self.ignored}; exec "$@"', "sh", *super().arguments()]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
async def test_a_signal_that_is_ignored_stays_so(tmp_path: Path, number: signal.Signals) -> None:
    server = Ignoring(tmp_path / "data")
    server.ignored = number.name.removeprefix("SIG")
    server.start()
    chat = Chat(server)
    alice = await chat.json()
    assert server.process is not None
    server.process.send_signal(number)
    await alice.ok("/ping")
    await alice.ok("/ping")
    other = signal.SIGINT if number == signal.SIGTERM else signal.SIGTERM
    assert server.end(other) == 0
    await chat.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_all_addresses_are_those_of_both_families(tmp_path: Path) -> None:
    """Who comes over IPv4 is known by that address."""
    server = RemoteServer(tmp_path / "data", *UNLIMITED, "--host", "::")
    server.start()
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("::1", "::1")):
        with socket.create_connection((host, server.port), source_address=(host, 0)) as sock, sock.makefile() as lines:
            assert lines.readline().startswith("* chat-server ")
            sock.sendall(b"/ping\n")
            assert lines.readline() == "+ pong\n"
        await server.logged(f" address={shown} do=ping ")
    server.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "10.255.255.1"), "cannot listen on 10.255.255.1:0: "),
        (("--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid:0: "),
        (("--host", "a..b"), "cannot listen on a..b:0: "),
        (("--host", ""), "--host: "),
        (("--data", "~nobody_at_all/x"), "--data: expected a directory"),
    ],
)
def test_what_is_wrong_outside_is_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    status, said = Server(tmp_path / "data", *options).refusal()
    assert status == 2 and said.startswith("chat-server: ") and said.count("\n") == 1 and words in said


@pytest.mark.parametrize("rest", ["--data $(printf 'x\\377')", "export $(printf 'x\\377')"])
def test_arguments_that_are_not_utf8_are_one_line(tmp_path: Path, rest: str) -> None:
    _check_said(tmp_path, f'"$@" {rest}', 2, "is not UTF-8")


@pytest.mark.parametrize(
    "word", ["--help", *(pytest.param(word, marks=pytest.mark.thorough) for word in ("--version", "check"))]
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["flushed", "printed"])
def test_what_cannot_be_printed_is_one_line(tmp_path: Path, word: str, unbuffered: str) -> None:
    """It fails where it is flushed, or where it is printed already."""
    _check_said(tmp_path, f'"$@" {word} >/dev/full', 1, "No space left on device", PYTHONUNBUFFERED=unbuffered)


@pytest.mark.parametrize("limit", [8, 20, 64])
def test_too_few_open_files_are_one_line(tmp_path: Path, limit: int) -> None:
    _check_said(tmp_path, f'ulimit -n {limit}; "$@" --port 0', 1, f"open files (ulimit -n) is {limit}")


@pytest.mark.parametrize("name", ["CHAT_DATA", "HOME"])
def test_a_variable_that_is_not_utf8_is_one_line(tmp_path: Path, name: str) -> None:
    _check_said(tmp_path, f'unset XDG_DATA_HOME; {name}=$(printf "/x\\377") "$@" --port 0', 2, "UTF-8")


def _check_said(directory: Path, script: str, status: int, words: str, **environment: str) -> None:
    server = Server(directory / "data")
    program = [each for each in server.arguments()[:3] if each != "--port"]
    ended = subprocess.run(
        ["sh", "-c", script, "sh", *program],
        capture_output=True, text=True, cwd=directory, env=server.environment | environment, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (status, ""), ended.stderr
    assert ended.stderr.startswith("chat-server: ") and ended.stderr.count("\n") == 1 and words in ended.stderr


@pytest.mark.parametrize(
    "rest",
    [
        "<&- >&- 2>&-",
        ">/dev/full",
        *(pytest.param(rest, marks=pytest.mark.thorough) for rest in (">&-", "2>&-", "2>/dev/full")),
    ],
)
async def test_streams_that_are_closed_or_full_do_not_stop_it(tmp_path: Path, rest: str) -> None:
    """And nothing that is logged gets into a file that has the number of a stream."""
    server = Server(tmp_path / "data")
    process = subprocess.Popen(  # noqa: ASYNC220
        ["sh", "-c", f'exec "$@" {rest}', "sh", *server.arguments()],
        env=server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (server.data / "control.sock").exists():
            await asyncio.sleep(0.01)
    assert "connections: 0" in await asyncio.to_thread(done, server, "stats")
    assert _streams_of(process.pid) <= {"/dev/null", "/dev/full"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert not [path for path in server.data.iterdir() if path.is_file() and b" INFO " in path.read_bytes()]


def _streams_of(pid: int) -> set[str]:
    return {str(Path(f"/proc/{pid}/fd/{descriptor}").readlink()) for descriptor in range(3)}
