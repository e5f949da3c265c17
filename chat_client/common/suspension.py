"""Suspending the program: Ctrl-Z gives the terminal back, and SIGCONT takes it again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from prompt_toolkit.application import Application, in_terminal
from prompt_toolkit.input.vt100 import cooked_mode


@asynccontextmanager
async def terminal_as_found() -> AsyncIterator[None]:
    """The terminal is not prompt_toolkit's within this block, and is as other programs expect it: `PromptKeyboard`
    alone would leave it raw."""
    async with in_terminal():
        with cooked_mode(sys.stdin.fileno()):
            yield


class Suspension:
    """`begin` sets the modes of the terminal that prompt_toolkit does not know, `end` takes them back."""

    def __init__(self, app: Application[Any], begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._app, self._begin, self._end = app, begin, end
        self._stopping: asyncio.Task[None] | None = None
        self._is_given_away = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Handle the signals and set the modes within this block."""
        loop = asyncio.get_running_loop()
        self._begin()
        loop.add_signal_handler(signal.SIGTSTP, self.stop)
        loop.add_signal_handler(signal.SIGCONT, self._resumed)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTSTP)
            loop.remove_signal_handler(signal.SIGCONT)
            self._end()

    @asynccontextmanager
    async def given_away(self) -> AsyncIterator[None]:
        """Another program has the terminal within this block."""
        async with terminal_as_found():
            self._end()
            self._is_given_away = True
            try:
                yield
            finally:
                self._is_given_away = False
                self._begin()

    def stop(self) -> None:
        if self._is_given_away:
            _stop_job()  # the other program was stopped by the same key
        elif self._stopping is None or self._stopping.done():
            self._stopping = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        async with terminal_as_found():
            self._end()
            _stop_job()
            self._begin()

    def _resumed(self) -> None:
        """Set all modes again: SIGSTOP gives no warning, and the shell has changed them since."""
        app = self._app
        # Private, since nothing public tells whether the terminal is given away just now, to a question or a stop.
        if app.is_running and not app._running_in_terminal:
            app.input.raw_mode().__enter__()  # never left: the application's own one restores what was before it
            app.renderer.reset()
            self._begin()
            app.renderer.request_absolute_cursor_position()
            app.invalidate()


def _stop_job() -> None:
    """Stop the whole job, as the terminal itself would."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(0, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, before)
