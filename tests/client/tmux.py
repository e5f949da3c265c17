"""The real client in tmux, as a person has it: keys go in, what is on the screen comes out."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from tests.descriptors import is_readable
from tests.harness import TIMEOUT_SECONDS, Server

ROOT = Path(__file__).parents[2]
# tmux tells when a program writes, but not when a terminal changes its size or its modes.
LOOK_SECONDS = 0.1
COLUMNS, ROWS = 110, 34
GIVEN = ("EDITOR", "HOME", "PYTHONPATH", "TZ", "TERM")


class Control:
    """A tmux in control mode: commands go in, and it tells when a program of its session has written something.

    A process for each command, and looks at the screen every 20 ms, took a quarter of the time of these tests.
    """

    def __init__(self, arguments: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["tmux", *arguments], stdin=pipe, stdout=pipe, bufsize=0)
        self._unread = b""
        self._has_output = False
        self._answer(time.monotonic() + TIMEOUT_SECONDS)

    def ask(self, *words: str) -> str:
        """What this command prints."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(_quoted, words)).encode() + b"\n")
        return self._answer(time.monotonic() + TIMEOUT_SECONDS)

    def wait(self, seconds: float) -> None:
        """Until the program has written something since the last look, at most for this long."""
        deadline = time.monotonic() + seconds
        while not self._has_output and (line := self._line(deadline)) is not None:
            self._note(line)
        self._has_output = False

    def close(self) -> None:
        """Its server has ended."""
        self._process.communicate()

    def _answer(self, deadline: float) -> str:
        while (line := self._needed(deadline)).split(b" ")[0] != b"%begin":
            self._note(line)
        number = line.split(b" ")[1:]
        lines: list[bytes] = []
        while (line := self._needed(deadline)).split(b" ")[1:] != number:
            lines.append(line)
        said = b"".join(each + b"\n" for each in lines).decode()
        assert line.startswith(b"%end "), said
        return said

    def _note(self, line: bytes) -> None:
        self._has_output |= line.startswith(b"%output ")

    def _needed(self, deadline: float) -> bytes:
        line = self._line(deadline)
        assert line is not None, "tmux does not answer"
        return line

    def _line(self, deadline: float) -> bytes | None:
        """The next line; None if none comes in time."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            if not is_readable(self._process.stdout.fileno(), max(0, deadline - time.monotonic())):
                return None
            data = self._process.stdout.read(1 << 16)
            assert data, "tmux has ended"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def _quoted(word: str) -> str:
    """A word for tmux's own parser, which knows octal numbers of bytes."""
    return '"' + "".join(f"\\{byte:03o}" for byte in word.encode()) + '"'


class Terminal:
    """One session of a tmux server of its own."""

    def __init__(self, name: str, control: Control) -> None:
        self.name = name
        self._control = control
        self.tmux = control.ask

    def keys(self, *names: str) -> None:
        """Keys by tmux's names: `Enter`, `M-a`, `C-c`, `PPage`."""
        self.tmux("send-keys", "-t", f"{self.name}:", *names)

    def type(self, text: str, enter: bool = False) -> None:
        self.tmux("send-keys", "-t", f"{self.name}:", "-l", text)
        if enter:
            self.keys("Enter")

    def enter(self, text: str) -> None:
        self.type(text, enter=True)

    def paste(self, text: str) -> None:
        """As a terminal pastes: in brackets."""
        self.tmux("set-buffer", "-b", self.name, text)
        self.tmux("paste-buffer", "-p", "-r", "-b", self.name, "-t", f"{self.name}:")

    def screen(self, styled: bool = False) -> str:
        return self.tmux("capture-pane", "-t", f"{self.name}:", "-p", *(["-e", "-N"] if styled else []))

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-t", f"{self.name}:", "-x", str(columns), "-y", str(rows))

    def until(self, wanted: str | Callable[[str], bool], seconds: float = TIMEOUT_SECONDS) -> str:
        """The screen, as soon as it shows this or this is true of it; it has no blanks at the ends of its lines."""
        shows = (lambda screen: wanted.rstrip() in screen) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + seconds
        while not shows(screen := self.screen()):
            assert time.monotonic() < deadline, f"{self.name} never showed {wanted!r}:\n{screen}"
            self._control.wait(LOOK_SECONDS)
        return screen

    def unread(self, chat: str, number: int) -> str:
        """The screen, as soon as the list of chats has this number beside the chat."""
        return self.until(lambda screen: bool(re.search(rf"[●○\d] {re.escape(chat)} +{number} ", screen)))

    def without(self, unwanted: str) -> str:
        return self.until(lambda screen: unwanted not in screen)


class Tmux:
    """A tmux server of its own, with the terminals of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._socket = f"chat-test-{os.getpid()}-{folder.name}"[:60]
        self._controls: list[Control] = []

    def client(
        self,
        server: Server,
        user: str,
        *options: str,
        columns: int = COLUMNS,
        rows: int = ROWS,
        name: str = "",
        environment: Mapping[str, str] = {},
    ) -> Terminal:
        """The full screen of this user, when it is there; each user has a home of their own."""
        where = f"--server localhost:{server.port} --user {shlex.quote(user)}"
        command = f"{shlex.quote(sys.executable)} -m chat_client {where} {shlex.join(options)}"
        given = "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
        terminal = self.run(name or user, f"{given}{command}", user, columns, rows)
        terminal.until(lambda screen: "❯" in screen and f" · {user}" in screen)
        return terminal

    def script(self, name: str, text: str) -> Path:
        """A program in the folder of the test."""
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o700)
        return path

    def start(
        self, arguments: list[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> Terminal:
        """A program with these variables in place of those of `run`."""
        given = " ".join(f"{name}={shlex.quote(environment[name])}" for name in GIVEN if name in environment)
        command = f"env -u XDG_DATA_HOME -u XDG_CONFIG_HOME {given} {shlex.join(arguments)}"
        return self.run(f"t{next(self._numbers)}", command, columns=columns, rows=rows)

    def run(self, name: str, command: str, home: str = "home", columns: int = COLUMNS, rows: int = ROWS) -> Terminal:
        """A program; the terminal stays open when it ends, and says with which status."""
        folder = self._folder / home
        folder.mkdir(exist_ok=True)
        variables = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "TZ": "UTC",
                     "PYTHONPATH": ROOT, "COLORTERM": "truecolor", "LANG": "C.UTF-8"}  # fmt: skip
        setting = " ".join(f"{key}={shlex.quote(str(value))}" for key, value in variables.items())
        line = f"trap : INT; {setting} {command}; echo left with $?; exec cat"
        control = Control([
            "-L", self._socket, "-C", "-f", "/dev/null",
            "new-session", "-f", "ignore-size", "-s", name, "-x", str(columns), "-y", str(rows),
            f"env -u TMUX sh -c {shlex.quote(line)}",
        ])  # fmt: skip
        self._controls.append(control)
        control.ask("set-option", "-g", "default-terminal", "tmux-256color")
        control.ask("set-option", "-g", "focus-events", "off")
        # Without sessions it would end, and might take a client with it that has just come.
        control.ask("set-option", "-s", "exit-empty", "off")
        return Terminal(name, control)

    def kill(self, terminal: Terminal) -> None:
        """As when its window is closed."""
        subprocess.run(["tmux", "-L", self._socket, "kill-session", "-t", terminal.name], check=True)

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True)
        for control in self._controls:
            control.close()
