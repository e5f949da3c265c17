"""Programs in real terminals. tmux tells nothing when a screen changes, so `wait` looks again until a deadline."""

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS

LOOK_AGAIN_SECONDS = 0.05
KEPT = ("HOME", "PYTHONPATH", "TZ", "TERM")  # of the environment


class Tmux:
    """A tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._socket = str(folder / "socket")
        self._count = 0

    def run(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_SECONDS).stdout.decode()

    def start(
        self, arguments: list[str], environment: dict[str, str], columns: int = 80, lines: int = 24
    ) -> "Terminal":
        """A program in a terminal of this size; it stays open when the program ends."""
        self._count += 1
        name = f"t{self._count}"
        kept = [f"{key}={shlex.quote(environment[key])}" for key in KEPT if key in environment]
        line = f"cd {shlex.quote(environment['HOME'])}; unset XDG_DATA_HOME XDG_CONFIG_HOME; "
        line += f'{" ".join(kept)} {shlex.join(arguments)}; echo "exit status $?"; exec sleep 1000'
        self.run("new-session", "-d", "-s", name, "-x", str(columns), "-y", str(lines), line)
        return Terminal(self, name)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=TIMEOUT_SECONDS)


class Terminal:
    def __init__(self, tmux: Tmux, name: str) -> None:
        self._tmux, self.name = tmux, name

    def screen(self) -> list[str]:
        """The lines on the screen, without blanks at their ends and empty ones at the foot."""
        return [line.rstrip() for line in self._tmux.run("capture-pane", "-p", "-t", self.name).rstrip().split("\n")]

    def type(self, text: str) -> None:
        self._tmux.run("send-keys", "-t", self.name, "-l", text)

    def key(self, *names: str) -> None:
        """Keys by tmux's names for them: Enter, C-c, Tab, M-Enter."""
        self._tmux.run("send-keys", "-t", self.name, *names)

    def enter(self, text: str) -> None:
        self.type(text)
        self.key("Enter")

    def resize(self, columns: int, lines: int) -> None:
        self._tmux.run("resize-window", "-t", self.name, "-x", str(columns), "-y", str(lines))

    def wait(self, what: str | Callable[[list[str]], bool], seconds: float = TIMEOUT_SECONDS) -> list[str]:
        """The screen, as soon as this is on it (a part of a line) or true of it."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if any(what.rstrip() in line for line in screen) if isinstance(what, str) else what(screen):
                return screen
            assert time.monotonic() < deadline, f"{what} did not come; the screen:\n" + "\n".join(screen)
            time.sleep(LOOK_AGAIN_SECONDS)
