"""File paths as a person types them: completed, and found."""

from collections.abc import Iterator
from pathlib import Path

ENTRIES_MAX = 1000


def entries(typed: str) -> Iterator[str]:
    """What begins with this, as it would be typed: `~` stays, directories end with `/`; hidden ones if asked for."""
    folder, slash, start = typed.rpartition("/")
    try:
        here = Path(folder + slash or ".").expanduser()
        found = sorted(here.iterdir())[:ENTRIES_MAX]
    except (OSError, RuntimeError, ValueError):
        return
    for entry in found:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if entry.name.startswith(start) and not hidden and entry.name.isprintable():
            yield f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"


def typed_path(typed: str) -> Path:
    """The file that is meant: `~` is one's home; quotes around it do not count. Raises OSError."""
    if len(typed) > 1 and typed[0] in "\"'" and typed[-1] == typed[0]:
        typed = typed[1:-1]
    try:
        return Path(typed).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from None
