"""The pulse of the writer: whether its thread still works, or has hung.

A job that does nothing goes through the writer's queue again and again. While it waits there, the thread is at another
job. That is no reason to end the server for as long as the thread waits for the disk or moves bytes: a slow disk is not
faster after a restart, and a process that waits in the kernel cannot be killed anyway. A thread that does neither waits
for something that will not come, or runs in circles.
"""

import os
from collections.abc import Callable
from pathlib import Path

from chat_server.runtime import Future


def own_task() -> str:
    """Return the directory of the calling thread in /proc."""
    return f"/proc/{os.readlink('/proc/thread-self')}"  # noqa: PTH115


def disk_work(task: str) -> tuple[bool, str]:
    """Tell whether the thread waits in the kernel for a device, and what it has read and written so far."""
    try:
        state = Path(task, "stat").read_text().rpartition(")")[2].split()[0]
        return state == "D", Path(task, "io").read_text()
    except OSError:
        return False, ""


class WriterPulse:
    def __init__(self, send: Callable[[], Future[str]], look: Callable[[str], tuple[bool, str]] = disk_work) -> None:
        """`send` has the writer call `own_task`."""
        self._send = send
        self._look = look
        self._sent: Future[str] | None = None
        self._task = ""
        self._moved = ""

    def is_alive(self) -> bool:
        """Tell whether the writer has done anything since the last call. MUST be called on the loop."""
        sent = self._sent
        if sent is None or sent.done():
            if sent is not None:
                self._task = sent.result()
            self._sent = self._send()
            self._moved = ""
            return True
        waits, moved = self._look(self._task)
        before, self._moved = self._moved, moved
        return waits or moved != before
