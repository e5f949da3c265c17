"""Faults of the client: the user sees one line, a file gets the traceback, and the client goes on."""

import asyncio
import errno
import termios
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chat_client.sdk import clock
from chat_client.sdk.local_time import local_now
from chat_client.standard_streams import CannotWrite

LOG_BYTES_MAX = 1 << 20
AGAIN_SECONDS = 5.0  # a fault that comes with each frame is told once in this time


class Faults:
    """`tell` is given the line. `handle` is an exception handler for a loop."""

    def __init__(self, folder: Path, tell: Callable[[str], None], elapsed: Callable[[], float] = clock.elapsed) -> None:
        self.path, self._tell, self._elapsed = folder / "faults.log", tell, elapsed
        self._last, self._told_at = "", -AGAIN_SECONDS

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context["message"])
        if not (isinstance(error, CannotWrite | BrokenPipeError) or has_hung_up(error)):  # it ends elsewhere
            self.tell(error)

    def tell(self, error: BaseException) -> None:
        words = f"{type(error).__name__}: {error}".replace("\n", " ")
        if words == self._last and self._elapsed() - self._told_at < AGAIN_SECONDS:
            return
        self._last, self._told_at = words, self._elapsed()
        self._tell(f"a fault in the client: {words[:80]}; {self._log(error)}")

    def _log(self, error: BaseException) -> str:
        """Write the traceback; say where it stands."""
        lines = "".join(traceback.format_exception(error))
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            how = "w" if self.path.exists() and self.path.stat().st_size > LOG_BYTES_MAX else "a"
            with self.path.open(how, encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{local_now(clock.now())}\n{lines}\n")
            self.path.chmod(0o600)
            return f"it is in {self.path}"
        return f"it cannot be written to {self.path}"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """A fault in the block ends the block, is told, and ends nothing else."""
        try:
            yield
        except Exception as error:
            self.tell(error)

    def watch(self, task: "asyncio.Task[Any]") -> None:
        """Tell what ends this task, if it is a fault."""
        task.add_done_callback(lambda task: None if task.cancelled() or not (e := task.exception()) else self.tell(e))


def has_hung_up(error: BaseException) -> bool:
    """Whether the terminal is gone: it fails each write, before and after a SIGHUP ends the program."""
    return isinstance(error, OSError | termios.error) and bool(error.args) and error.args[0] == errno.EIO
