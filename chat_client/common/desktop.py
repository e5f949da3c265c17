"""The desktop around the terminal: its opener for files, its notifications. Nothing that a peer wrote is an option or
markup there."""

import html
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chat_client.sdk.errors import ChatError


def open_file(path: Path) -> None:
    """By the desktop's own opener, which is not waited for. Raises ChatError."""
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if _started(shutil.which(opener), str(path.absolute())) is None:
        raise ChatError(f"there is no {opener} here that could open it; the file is {path}")


class Notifier:
    """notify-send, where it is and there is a desktop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        desktop = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
        self._program = shutil.which("notify-send", path=environment.get("PATH")) if desktop else None
        self._running: subprocess.Popen[bytes] | None = None

    def show(self, title: str, body: str) -> bool:
        """Whether there is a desktop for it. One at a time: while it does not answer, nothing piles up."""
        if self._program is None:
            return False
        if self._running is None or self._running.poll() is not None:
            self._running = _started(self._program, "--app-name=chat", "--", title, html.escape(body, quote=False))
        return self._running is not None


def _started(program: str | None, *arguments: str) -> subprocess.Popen[bytes] | None:
    if program is None:
        return None
    try:
        return subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError:
        return None
