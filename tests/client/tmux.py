"""The real client in tmux, as a person has it: keys go in, what is on the screen comes out.

tmux tells nothing when a screen changes, so `until` looks again until a deadline.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS, Server

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.02
COLUMNS, ROWS = 110, 34
GIVEN = ("EDITOR", "HOME", "PYTHONPATH", "TZ", "TERM")


class Terminal:
    """One session of a tmux server of its own."""

    def __init__(self, socket: str, name: str) -> None:
        self._socket, self.name = socket, name

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self._socket, *words], capture_output=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

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
            time.sleep(POLL_SECONDS)
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
        terminal = Terminal(self._socket, name)
        folder = self._folder / home
        folder.mkdir(exist_ok=True)
        variables = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "TZ": "UTC",
                     "PYTHONPATH": ROOT, "COLORTERM": "truecolor", "LANG": "C.UTF-8"}  # fmt: skip
        setting = " ".join(f"{key}={shlex.quote(str(value))}" for key, value in variables.items())
        line = f"trap : INT; {setting} {command}; echo left with $?; exec cat"
        terminal.tmux(
            "-f", "/dev/null", "new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows),
            f"env -u TMUX sh -c {shlex.quote(line)}",
            ";", "set-option", "-g", "default-terminal", "tmux-256color",
            ";", "set-option", "-g", "focus-events", "off",
        )  # fmt: skip
        return terminal

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True)
