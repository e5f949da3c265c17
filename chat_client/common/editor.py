"""The user's editor, in which a file is opened: `$VISUAL`, `$EDITOR`, or one that is installed."""

import os
import shlex
import shutil
from pathlib import Path

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
