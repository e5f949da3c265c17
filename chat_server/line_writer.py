"""A text stream that writes on its own thread, so that nothing waits for a slow reader.

A terminal that was stopped with Ctrl-S, or a pipe that nobody reads, would otherwise hold up the whole server after
64 KiB. The queue is bounded. Lines past the bound are dropped and counted; the count is written once lines are taken
again.
"""

import atexit
import io
import os
import select
import threading
from collections.abc import Callable

WAITING_BYTES_MAX = 1 << 20
# After each write the thread lets lines gather for this time. Whenever it wakes, it takes the interpreter from the
# loop. With 400 people who write, a message took 173 µs of the processor where it had taken 181.
GATHER_SECONDS = 0.02
# At the end of the program the lines that wait have this time to be taken.
DRAIN_SECONDS = 0.3


class LineWriter(io.TextIOBase):
    """A text stream that never blocks and never fails.

    `drop_notice` makes the line that says how many lines were dropped; `on_failure` is called with the error if some
    could not be written. Both are called on the writing thread.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        drop_notice: Callable[[int], str] = "{} lines were dropped\n".format,
        on_failure: Callable[[OSError], object] = lambda error: None,
    ) -> None:
        self._descriptor = descriptor
        self._drop_notice = drop_notice
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._dropped = 0
        self._writing = False
        self._hurry = threading.Event()
        threading.Thread(target=self._run, name=f"lines to {descriptor}", daemon=True).start()
        atexit.register(self.drain)

    def write(self, text: str) -> int:
        data = text.encode(errors="backslashreplace")
        with self._changed:
            if self._waiting_bytes + len(data) > WAITING_BYTES_MAX:
                self._dropped += data.count(b"\n")
            else:
                if not self._waiting:
                    self._changed.notify_all()
                self._waiting.append(data)
                self._waiting_bytes += len(data)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def drain(self) -> bool:
        """Wait for a moment at most until everything is written. Return whether it is."""
        self._hurry.set()
        with self._changed:
            is_drained = self._changed.wait_for(lambda: not self._waiting and not self._writing, DRAIN_SECONDS)
        self._hurry.clear()
        return is_drained

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._waiting_bytes = 0
                # The lines that were dropped came after those that waited.
                dropped, self._dropped = self._dropped, 0
                self._writing = True
            lost = 0
            try:
                self._write_all(data + (self._drop_notice(dropped).encode() if dropped else b""))
            except OSError as error:
                lost = dropped + data.count(b"\n")
                self._on_failure(error)
            with self._changed:
                self._dropped += lost
                self._writing = False
                self._changed.notify_all()
            self._hurry.wait(GATHER_SECONDS)

    def _write_all(self, data: bytes) -> None:
        """Raises OSError: a disk is full, a terminal or a reader is gone."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Another program shares the pipe or terminal with us, and made it non-blocking.
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLOUT)
                waiting.poll()
