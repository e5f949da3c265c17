"""The user's editor, in which a file is opened: `$VISUAL`, `$EDITOR`, or one that is installed."""

import asyncio
import os
import shlex
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from signal import Signals

USUAL = ("sensible-editor", "nano", "vi")


def editor_command(path: Path) -> list[str] | None:
    """The command that edits the file; None if there is no editor."""
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(os.environ.get(name, ""))
        except ValueError:  # a quote that is not closed
            continue
        if words:
            return [*words, str(path)]
    found = next((name for name in USUAL if shutil.which(name)), None)
    return [found, str(path)] if found else None


async def edited(text: str, terminal: AbstractAsyncContextManager[None]) -> str:
    """The text as the user leaves it in the editor, which has the terminal within that block. Raises OSError."""
    path = _written(text)
    try:
        command = editor_command(path)
        if command is None:
            raise OSError("there is none: EDITOR names one")
        async with terminal:
            status = await (await asyncio.create_subprocess_exec(*command)).wait()
        if status:
            raise OSError(f"{command[0]} {_ended(status)}; the line is as it was")
        return _read(path)
    finally:
        _remove(path)


def _written(text: str) -> Path:
    number, name = tempfile.mkstemp(prefix="chat-", suffix=".txt")  # of mode 0600
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(f"{text}\n" if text else "")
    return Path(name)


def _ended(status: int) -> str:
    return f"ended with {status}" if status > 0 else f"was ended by {Signals(-status).name}"


def _read(path: Path) -> str:
    """The text as it would be typed, whatever line ends and marks the editor writes."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").rstrip("\n")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
