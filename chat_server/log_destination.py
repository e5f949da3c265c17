"""Where the log goes: to stderr, or into a file where stderr is a terminal or `--log-file` names one.

Beside a file, stderr shows warnings and errors only.
"""

import contextlib
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from chat_server import action_log
from chat_server.action_log import ActionLog, LineForm
from chat_server.line_writer import LineWriter
from chat_server.log_file import NAME, LogFile
from chat_server.runtime import Clock, Runtime
from chat_server.settings import Settings

AUTO, STDERR = "auto", "-"
_DROPPED_OF_FILE = "%d lines of the log are missing here: they could not be written"
_UNWRITABLE = "cannot write the log %s: %s; the server goes on without these lines, and tries again with each one"


def file_of(settings: Settings, directory: Path, *, on_terminal: bool) -> Path | None:
    """Return the file that the log goes into, None for stderr."""
    if settings.log_file == AUTO:
        return directory / NAME if on_terminal else None
    return None if settings.log_file == STDERR else Path(settings.log_file).expanduser().absolute()


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the descriptor leads to systemd's journal, which writes times by itself (systemd.exec(5))."""
    with contextlib.suppress(OSError):
        found = os.fstat(descriptor)
        return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


class LogDestination:
    """Opens the log. `path` is its file, None while it goes to stderr."""

    def __init__(
        self, settings: Settings, runtime: Runtime, directory: Path, stderr: LineWriter, form: LineForm
    ) -> None:
        self.path = file_of(settings, directory, on_terminal=stderr.isatty())
        self._file: LogFile | None = None
        streams: dict[io.TextIOBase, LineForm] = {stderr: form}
        if self.path is not None:
            self._file = _open(self.path, runtime, stderr, form)
            streams = {self._file: LineForm(runtime, json=form.json), stderr: form}
        self.actions: ActionLog = action_log.set_up(runtime, streams, level=settings.log_level)

    def reload(self, settings: Settings) -> None:
        """Take over the level, and open the file anew if it is another one at its path."""
        action_log.set_level(self.actions, settings.log_level)
        if self._file is not None:
            self._file.reopen()


def _open(path: Path, clock: Clock, stderr: LineWriter, form: LineForm) -> LogFile:
    def tell(error: OSError) -> None:
        # Past the logging of the process, which would write it to the same file.
        stderr.write(action_log.line_of(form, logging.WARNING, "chat.log", _UNWRITABLE, path, error.strerror))

    notice = action_log.drop_notice(LineForm(clock, json=form.json), _DROPPED_OF_FILE)
    return LogFile(path, clock, drop_notice=notice, on_failure=tell)
