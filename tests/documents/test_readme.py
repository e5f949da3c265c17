"""The README's session, run as it stands there: a real server, the real nc, compared line by line.

The README is the single source. A block ```` ```console NAME ```` shows the window NAME; blocks and their lines are
followed in their order. `$ ` starts a program in the window, `> ` is typed, every other line is waited for and must be
the next one that comes. So a line is typed only when all that stands before it, in any window, has come. Times, ids and
ports are masked; `…` inside a line stands for anything, alone on a line for any lines.
"""

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from chat_server import __version__
from tests.harness import Server

README = Path(__file__).parents[2] / "README.md"
WAIT_SECONDS = 30
PORT = "8000"
# After these the server hangs up: nothing more may come.
GOODBYES = ("+ goodbye", '{"type":"ok","re":"quit"}')

_BLOCK = re.compile(r"^```console (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<iso>"),
    (re.compile(r"(\d{4}-\d\d-\d\d )?\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"#\d+"), "#<id>"),
    (re.compile(r'"(id|seq|message_id|delayed_id)":\d+'), r'"\1":<id>'),
    (re.compile(r"(delayed message|/cancel_delayed) \d+"), r"\1 <id>"),
)
_SERVER_MASKS = (
    (re.compile(r"(listening on 127\.0\.0\.1:|nc localhost )\d+"), r"\1<port>"),
    (re.compile(r"^  data       .*"), "  data       <directory>"),
    (re.compile(r"up to \d+ connections"), "up to <number> connections"),
)


class Window:
    """A program with pipes. Its lines are read by a thread, so that waiting for one can end."""

    def __init__(self, command: str) -> None:
        # In a session of its own, so that a shell goes together with what it started.
        self.process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._stdin = self.process.stdin
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=_read_lines, args=(self.process.stdout, self._lines), daemon=True)
        self._reader.start()

    def type(self, line: str) -> None:
        self._stdin.write(f"{line}\n".encode())
        self._stdin.flush()

    def next(self) -> str | None:
        """The next line; None at the end of the program's output."""
        try:
            return self._lines.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            return f"(nothing came for {WAIT_SECONDS} s)"

    def end_of_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.end_of_input()
        self._reader.join()


def _read_lines(stream: IO[bytes], lines: "queue.Queue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line.decode().rstrip("\n"))
    lines.put(None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    try:
        yield server
    finally:
        server.close()


def read_blocks() -> list[tuple[str, list[str]]]:
    """The windows and their lines, in the README's order."""
    return [(name, body.splitlines()) for name, body in _BLOCK.findall(README.read_text())]


def mask(line: str) -> str:
    for pattern, replacement in _MASKS:
        line = pattern.sub(replacement, line)
    return line


def is_same(shown: str, real: str) -> bool:
    parts = (re.escape(part) for part in mask(shown).split("…"))
    return re.fullmatch(".*".join(parts), mask(real), re.DOTALL) is not None


class Session:
    """Follows the README's blocks. `story` is what has happened so far, for whoever reads a failure."""

    def __init__(self, port: str) -> None:
        self._port = port
        self.windows: dict[str, Window] = {}
        self.story: list[str] = []

    def follow(self, name: str, line: str, *, after_gap: bool) -> None:
        if line.startswith("$ "):
            assert name not in self.windows, f"{name} has not ended its first program"
            self.windows[name] = Window(line.removeprefix("$ ").replace(PORT, self._port))
        elif line.startswith("> "):
            self.windows[name].type(line.removeprefix("> "))
        else:
            self._expect(name, line, after_gap)
            if line in GOODBYES:
                self._expect_end(name)
        self.story.append(f"{name}: {line}")

    def _expect(self, name: str, line: str, after_gap: bool) -> None:
        real = self.windows[name].next()
        while after_gap and real is not None and not real.startswith("(nothing came") and not is_same(line, real):
            real = self.windows[name].next()
        assert real is not None and is_same(line, real), self._told(name, line, real)

    def _expect_end(self, name: str) -> None:
        # Its input stays open, as at a terminal: it ends by itself.
        real = self.windows[name].next()
        assert real is None, self._told(name, "(the end)", real)
        self.windows.pop(name).kill()

    def _told(self, name: str, line: str, real: str | None) -> str:
        return "\n".join((*self.story, f"{name}, README: {line}", f"{name}, server: {real or '(the end)'}"))


def test_session(server: Server) -> None:
    session = Session(str(server.port))
    try:
        for name, lines in read_blocks():
            if name == "server":
                continue
            for before, line in zip(("", *lines), lines, strict=False):
                if line != "…":
                    session.follow(name, line, after_gap=before == "…")
        assert not session.windows, "every window says goodbye"
    finally:
        for window in session.windows.values():
            window.kill()
    assert server.terminate() == 0


def test_what_the_server_says_at_its_start(server: Server) -> None:
    def masked(line: str) -> str:
        for pattern, replacement in _SERVER_MASKS:
            line = pattern.sub(replacement, line)
        return line

    (shown,) = [lines for name, lines in read_blocks() if name == "server"]
    assert server.process is not None and server.process.stdout is not None
    said = [f"chat-server {__version__} listening on 127.0.0.1:{server.port}"]
    while not said[-1].startswith("try it:"):
        said.append(server.process.stdout.readline().decode().rstrip("\n"))
        assert said[-1], said
    assert shown[0] == "$ make run"
    assert [masked(line) for line in shown[1:]] == [masked(line) for line in said]
    assert server.terminate() == 0


def test_shows_what_it_promises() -> None:
    """The session would be true, but of little use, without these."""
    windows = {name for name, _ in read_blocks()}
    typed = [line for _, lines in read_blocks() for line in lines if line.startswith("> ")]
    shown = [line for _, lines in read_blocks() for line in lines]
    assert {"server", "alice", "bob", "script", "program"} <= windows
    for command in ("/sign_in", "/send_all", "/send ", "/talk main", "/send_delayed", "/help", '{"cmd":"send_all"'):
        assert any(line.startswith(f"> {command}") for line in typed), command
    assert any(re.match(r"\* 3 unread: ", line) for line in shown)


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("[12:00:31] main alice: hi (#1)", "[2026-11-21 23:59:59] main alice: hi (#77)", True),
        ("[12:00:31] main alice: hi (#1)", "[12:00:31] main alice: ho (#1)", False),
        ('{"type":"ok","id":4,…}', '{"type":"ok","id":5,"at":"x"}', True),
        ("+ sent #1", "+ sent #1 ", False),
        ("delayed message 1 goes out", "delayed message 12 goes out", True),
        ("a (b) c", "a b c", False),
    ],
)
def test_compares(shown: str, real: str, same: bool) -> None:
    assert is_same(shown, real) is same
