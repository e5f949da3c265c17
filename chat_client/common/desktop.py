"""The desktop around the terminal: it opens files and shows notifications.

Nothing that another user wrote becomes an option or markup there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chat_client.sdk.errors import ChatError


def open_file(path: Path) -> None:
    """Start the desktop's own opener, and do not wait for it. Raises ChatError."""
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if _started(shutil.which(opener), str(path.absolute())) is None:
        raise ChatError(f"there is no {opener} here that could open it; the file is {path}")


def open_link(address: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a desktop to open this web address; it is not waited for."""
    if sys.platform == "darwin":
        return _started(shutil.which("open"), address) is not None
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return False
    return _started(shutil.which("xdg-open", path=environment.get("PATH")), address) is not None


class Notifier:
    """Notifications by notify-send, where it is installed and there is a desktop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        desktop = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
        self._program = shutil.which("notify-send", path=environment.get("PATH")) if desktop else None
        self._running: subprocess.Popen[bytes] | None = None

    def show(self, title: str, body: str) -> bool:
        """Whether there is a desktop to show it. One at a time: nothing piles up while notify-send does not end."""
        if self._program is None:
            return False
        import html  # 1.5 ms that the start need not take

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
