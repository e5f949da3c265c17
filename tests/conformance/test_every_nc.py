"""Every `nc` there is: what people at a terminal and scripts with a pipe have in place of a client.

Each program that is installed talks to the server: at a terminal, over a pipe that ends, and until /quit. With CI=true
in the environment one that is missing is a failure. README.md says what each of them needs.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

import pytest
import trustme
from msgspec import Struct

from tests.conformance.conftest import UNLIMITED
from tests.descriptors import is_readable
from tests.harness import TIMEOUT_SECONDS, Server, unique

HOST = "127.0.0.1"
# It begins with a command of openssl's own, and has two and four bytes a character.
TEXT = "Quite right: grüße 👍 привет 日本"
# telnet takes some bytes of UTF-8 for keys of its own.
TELNETS_TEXT = "Quite right: grüße 👍"
# A terminal takes at most 4,095 bytes of one line.
LONG = "é" * 1900


class Program(Struct, frozen=True):
    """`arguments` come after the program, with {port} and {tls} for the two ports.

    - `leaves`: whether /quit ends it, or only with another Enter, since it waits for the keyboard.
    - `at_end`: what comes of a pipe that ends: it shows all that is answered and ends; or waits for the server to hang
      up, so that the last line has to be /quit; or breaks off, so that the pipe has to stay open until the answer.
    """

    arguments: str
    package: str
    leaves: bool = True
    at_end: Literal["shows", "waits", "breaks off"] = "shows"


PROGRAMS = {
    "nc.openbsd": Program(f"-N {HOST} {{port}}", "netcat-openbsd"),
    "nc.traditional": Program(f"{HOST} {{port}}", "netcat-traditional", at_end="waits"),
    "ncat": Program(f"{HOST} {{port}}", "ncat", leaves=False),
    "busybox": Program(f"nc {HOST} {{port}}", "busybox"),
    "socat": Program(f"- TCP:{HOST}:{{port}}", "socat"),
    "telnet": Program(f"{HOST} {{port}}", "inetutils-telnet", at_end="breaks off"),
    "plink": Program(f"-raw -P {{port}} {HOST}", "putty-tools", leaves=False),
    "openssl": Program(f"s_client -quiet -connect {HOST}:{{tls}}", "openssl", at_end="waits"),
    "bash": Program(
        f"-c 'exec 3<>/dev/tcp/{HOST}/{{port}}; cat <&0 >&3 & cat <&3'", "bash", at_end="waits"
    ),
}  # fmt: skip


def _text_for(name: str) -> str:
    return TELNETS_TEXT if name == "telnet" else TEXT


def _found(name: str) -> bool:
    if shutil.which(name) is not None:
        return True
    missing = f"{name} is not installed: apt-get install {PROGRAMS[name].package}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder: Path = tmp_path_factory.mktemp("nc")
    chain = folder / "chain.pem"
    trustme.CA().issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(chain))
    server = Server(folder / "data", *UNLIMITED, "--tls-cert", str(chain), "--tls-key", str(chain), "--tls-port", "0")
    server.start()
    tls = re.search(r":(\d+) \(TLS\)", server.listening)
    assert tls is not None
    yield {"port": str(server.port), "tls": tls[1]}
    server.close()
    assert "Traceback" not in server.log


class Window:
    """A program at a terminal of its own, or between two pipes."""

    def __init__(self, name: str, ports: dict[str, str], *, at_terminal: bool) -> None:
        line = f"exec {name} {PROGRAMS[name].arguments.format(**ports)}"
        self.shown = b""
        if at_terminal:
            self._read, terminal = pty.openpty()
            self._write = self._read

            def control() -> None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

            self.process = subprocess.Popen(
                ["sh", "-c", line], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                preexec_fn=control,
            )  # fmt: skip
            os.close(terminal)
        else:
            self.process = subprocess.Popen(
                ["sh", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            assert self.process.stdin is not None and self.process.stdout is not None
            self._read, self._write = self.process.stdout.fileno(), self.process.stdin.fileno()

    def type(self, text: str) -> None:
        os.write(self._write, text.encode())

    def end_of_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def expect(self, words: str) -> None:
        """Wait for a line that has these words, and forget what came up to it."""
        wanted = re.compile(f"^[^\r\n]*{re.escape(words)}[^\r\n]*\r?\n".encode(), re.MULTILINE)
        end = monotonic() + TIMEOUT_SECONDS
        while (found := wanted.search(self.shown)) is None:
            assert self._take(end), f"{words!r} did not come; {self.shown[-500:]!r} did"
        self.shown = self.shown[found.end() :]

    def end(self) -> str:
        """Wait until the program has ended; return what else it showed."""
        end = monotonic() + TIMEOUT_SECONDS
        while self._take(end):
            pass
        self.process.wait(max(0.1, end - monotonic()))
        return self.shown.decode()

    def _take(self, end: float) -> bool:
        if not is_readable(self._read, max(0.0, end - monotonic())):
            return False
        try:
            data = os.read(self._read, 65_536)
        except OSError:  # so ends a terminal without a program
            return False
        self.shown += data
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is None:
            os.close(self._read)
        else:
            assert self.process.stdout is not None
            self.process.stdin.close()
            self.process.stdout.close()


@pytest.fixture
def opened(ports: dict[str, str]) -> Iterator[list[Window]]:
    windows: list[Window] = []
    yield windows
    for window in windows:
        window.close()


each_program = pytest.mark.parametrize("name", PROGRAMS)


@pytest.fixture
def at_terminal(ports: dict[str, str], opened: list[Window]) -> Callable[[str], Window]:
    """A window of this program whose greeting was read."""

    def open(name: str) -> Window:
        assert _found(name)
        window = Window(name, ports, at_terminal=True)
        opened.append(window)
        window.expect("/help for all commands")
        return window

    return open


@each_program
def test_a_person_at_a_terminal(name: str, at_terminal: Callable[[str], Window]) -> None:
    window = at_terminal(name)
    texts = (_text_for(name), "Right", LONG)
    for line, answer in (
        (f"/sign_in {unique('nc')}", "+ signed in as"),
        ("/talk main", "+ talking to main"),
        *((text, "+ sent #") for text in texts),
    ):
        window.type(f"{line}\r")
        window.expect(answer)
    window.type("/history main limit 3\r")
    for text in texts:
        window.expect(f": {text} (#")
    window.type("/quit\r")
    window.expect("+ goodbye")
    while not PROGRAMS[name].leaves and window.process.poll() is None:
        # The first one may still be taken.
        with contextlib.suppress(OSError):
            window.type("\r")
        sleep(0.05)
    window.end()


@each_program
def test_a_pipe_that_ends(name: str, ports: dict[str, str], opened: list[Window]) -> None:
    assert _found(name)
    window = Window(name, ports, at_terminal=False)
    opened.append(window)
    at_end, text = PROGRAMS[name].at_end, _text_for(name)
    lines = [f"/sign_in {unique('nc')}", f"/send_all {text}", f"/send_all {LONG * 2}", "/history main limit 2"]
    window.type("".join(f"{line}\n" for line in (*lines, "/ping last", *(["/quit"] if at_end == "waits" else []))))
    if at_end != "breaks off":
        window.end_of_input()
    for words in ("+ signed in as", "+ sent #", "+ sent #", f": {text} (#", f": {LONG * 2} (#", "+ pong last"):
        window.expect(words)
    if at_end == "breaks off":
        window.end_of_input()
    window.end()


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        # It sends each key at once: Enter is CR NUL then, and what it negotiates stands in the first line.
        ("telnet", [
            ("\x1d", None), ("mode character\r", "mode character"),
            ("/ping one\r", "+ pong one"), ("/ping two\r", "+ pong two"),
        ]),
        # A key that it takes for itself, Ctrl-C or one byte of `Ü`: it shows nothing more before the server answers
        # it, and loses that byte.
        ("telnet", [("\x03", None), ("/ping after\r", "+ pong after"), ("/ping Übung\r", "- bad_encoding")]),
        # Without a line editor an arrow is in the line; it makes no text of a command.
        ("nc.openbsd", [
            (f"/sign_in {unique('nc')}\r", "+ signed in as"), ("/talk main\r", "+ talking to main"),
            ("\x1b[A\x1b[D/ping here\r", "+ pong here"),
        ]),
    ],
    ids=["each key at once", "keys of telnet", "arrows"],
)  # fmt: skip
def test_keys_that_are_no_letters(
    name: str, typed: list[tuple[str, str | None]], at_terminal: Callable[[str], Window]
) -> None:
    window = at_terminal(name)
    for keys, answer in typed:
        window.type(keys)
        if answer is not None:
            window.expect(answer)
    window.type("/quit\r")
    window.expect("+ goodbye")
    window.end()


def test_the_readme_names_each_of_them() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("\n## Every `nc`\n")[2].partition("\n## ")[0]
    for name in PROGRAMS:
        assert f"| `{name}" in section, name
