"""Settings that are read again: by SIGHUP and by `chat-server reload`, and what becomes of wrong ones."""

import contextlib
import os
import pty
import signal
import sys
from pathlib import Path

import apsw
import pytest

from tests.certificates import Certificate, connect
from tests.conformance.conftest import UNLIMITED, Start
from tests.conformance.operating import done, refused
from tests.fork_server import run
from tests.harness import TIMEOUT_SECONDS, Server

HUNG_UP = "the settings were read again: "


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "chat.toml"
    file.write_text('page = 5\nlog-level = "info"\n')
    return file


def write(file: Path, text: str | None) -> None:
    """With None it is removed."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text + "\n")


@pytest.mark.parametrize("how", ["by SIGHUP", "by the subcommand"])
async def test_what_can_change_changes_and_the_rest_is_said(
    start: Start, config: Path, tmp_path: Path, how: str
) -> None:
    chat = start("--config", str(config))
    alice, bob = await chat.json("alice"), await chat.json("bob")
    metrics = tmp_path / "chat.prom"
    write(
        config,
        'text-max = 10\npage = 7\nmain-rate-limit = "1/1h"\nline-max = "2KiB"\noperator = "bob"\n'
        f'connections-max = 3\nlog-format = "json"\nreport-min-age = "5m"\nmetrics-file = "{metrics}"\n',
    )
    if how == "by SIGHUP":
        assert chat.server.process is not None
        chat.server.process.send_signal(signal.SIGHUP)
        told = await chat.server.logged(HUNG_UP)
    else:
        told = done(chat.server, "reload")
    for line in (
        "text-max is 10 now; it was 4096", "page is 7 now; it was 5", "operator is bob now; it was none",
        "line-max is 2KB now, for new connections; it was 64KB", "connections-max is 3 now; it was 10000",
        "log-format stays text; a restart makes it json",
    ):  # fmt: skip
        assert line in told, told
    # The command line wins over the file.
    assert "main-rate-limit" not in told
    assert (await alice.refused("/send_all more than ten characters"))["code"] == "too_large"
    await alice.ok("/send_all ten")
    carol = await chat.json_stranger()
    limits = (await carol.ok("/format json"))["limits"]
    assert (limits["text_max"], limits["page"], limits["line_max"]) == (10, 7, 2048)
    full = await chat.connection()
    assert "the server has all the 3 connections" in "".join(await full.rest())
    assert "bob" in done(chat.server, "operator", "list")
    assert (await bob.refused("/stats"))["code"] != "unknown_command"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("page = 0", "page in the configuration file: expected a whole number from 1 to 200"),
        ("pages = 1", "has an unknown key: pages"), ("page = ", "is not TOML"),
        ('page = 7\nmetrics-file = "/no/such/directory/x"', "there is no such directory"),
        (None, "cannot read the configuration file"),
    ],
)  # fmt: skip
async def test_wrong_settings_change_nothing_and_are_one_line(
    start: Start, config: Path, wrong: str | None, words: str
) -> None:
    chat = start("--config", str(config))
    write(config, wrong)
    said = refused(chat.server, "reload", "--config", "/dev/null")
    assert words in said and said.endswith("; the settings from before hold")
    log = await chat.server.logged("the settings were not read again: ")
    assert words in next(line for line in log.splitlines() if " ERROR " in line)
    alice = await chat.json_stranger()
    assert (await alice.ok("/format json"))["limits"]["page"] == 5


async def test_a_new_certificate_and_a_bad_one(start: Start, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    chat = start(*certificate.options)
    certificate.renew()
    assert "0 changes" in done(chat.server, "reload")
    await connect(chat.server, certificate.trusted())
    certificate.key.write_text("no key")
    assert "cannot use --tls-cert" in refused(chat.server, "reload")
    await connect(chat.server, certificate.trusted())


def test_without_a_server_there_is_nothing_to_reload(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    assert server.terminate() == 0
    assert refused(server, "reload").startswith(f"no server runs with its data in {server.data}; ")


async def test_data_that_was_changed_waits_for_a_restart_and_the_rest_is_taken(tmp_path: Path, config: Path) -> None:
    """As systemd has it done: by the program, with the settings, and with the runtime directory of the unit."""
    runtime, elsewhere = tmp_path / "runtime", tmp_path / "elsewhere"
    runtime.mkdir()
    server = Server(tmp_path / "data", *UNLIMITED, environment={"RUNTIME_DIRECTORY": str(runtime)})
    # The command line would win over the file.
    begin = server.arguments

    def arguments() -> list[str]:
        words = begin()
        at = words.index("--data")
        return [*words[:at], *words[at + 2 :], "--config", str(config)]

    server.arguments = arguments  # type: ignore[method-assign]
    write(config, f'data = "{server.data}"')
    # A link that an earlier start left.
    (runtime / "data").symlink_to(elsewhere)
    server.start()
    write(config, f'data = "{elsewhere}"\npage = 7')
    reload = [sys.executable, "-m", "chat_server", "reload", "--config", str(config)]
    told = run(reload, server.environment, tmp_path, "", TIMEOUT_SECONDS)
    assert (told.returncode, told.stderr) == (0, "")
    assert "page is 7 now; it was 20" in told.stdout
    assert f"data stays {server.data}; a restart makes it {elsewhere}" in told.stdout
    # Without systemd nothing says where the server is.
    by_hand = {**server.environment, "RUNTIME_DIRECTORY": ""}
    told = run(reload, by_hand, tmp_path, "", TIMEOUT_SECONDS)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1)
    assert "the new one waits for a restart" in told.stderr
    assert not elsewhere.exists()
    told = run([*reload, "--data", str(server.data)], by_hand, tmp_path, "", TIMEOUT_SECONDS)
    assert told.returncode == 0 and "data stays" in told.stdout
    assert server.terminate() == 0


def on_a_terminal(server: Server) -> tuple[int, int]:
    """The process, and the terminal that controls it."""
    arguments = server.arguments()  # they start what it needs beside it, which ends with this process
    child, terminal = pty.fork()
    if child == 0:
        os.execve(arguments[0], arguments, server.environment)
    return child, terminal


def read_until(terminal: int, wanted: bytes) -> None:
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 1 << 16)


def test_a_terminal_that_is_closed_stops_it(tmp_path: Path) -> None:
    """While it is open, SIGHUP reads the settings; what closes a terminal sends the same signal."""
    server = Server(tmp_path / "data", *UNLIMITED)
    child, terminal = on_a_terminal(server)
    read_until(terminal, b"try it: ")
    log = server.data / "chat-server.log"
    os.kill(child, signal.SIGHUP)
    while HUNG_UP not in log.read_text():
        os.sched_yield()
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert log.read_text().endswith(" INFO chat.server stopped\n")


@pytest.mark.parametrize("is_open", [True, False], ids=["the terminal is open", "the terminal is closed"])
def test_sighup_before_it_listens_waits_until_then_but_for_a_closed_terminal(tmp_path: Path, is_open: bool) -> None:
    """A start may take long: here another program keeps the database locked."""
    server = Server(tmp_path / "data", *UNLIMITED)
    server.start()
    assert server.terminate() == 0
    with contextlib.closing(apsw.Connection(str(server.data / "chat.db"))) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        child, terminal = on_a_terminal(server)
        read_until(terminal, b"it is waited for")
        if is_open:
            os.kill(child, signal.SIGHUP)
        else:
            os.close(terminal)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
            return
    read_until(terminal, b"try it: ")
    while HUNG_UP not in (server.data / "chat-server.log").read_text():
        os.sched_yield()
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)


def test_a_server_that_a_watchdog_ends_tells_where_its_threads_were(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", *UNLIMITED)
    server.start()
    # faulthandler looks at threads that go on, and once in some runs of the suite it fell over a frame that had gone.
    status = server.end(signal.SIGABRT)
    assert "Fatal Python error: Aborted" in server.log
    assert status == -signal.SIGSEGV or (status == -signal.SIGABRT and "in run" in server.log)
