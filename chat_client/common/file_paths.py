"""File paths as people type them: their completion, and the files that they name."""

from collections.abc import Iterator
from pathlib import Path

ENTRIES_MAX = 1000


def entries(typed: str) -> Iterator[str]:
    """The entries that begin with this, as they would be typed: `~` stays, directories end with `/`, and hidden entries
    come only where a dot was typed."""
    folder, slash, start = typed.rpartition("/")
    try:
        found = sorted(expanded(folder + slash or ".").iterdir())[:ENTRIES_MAX]
    except (OSError, ValueError):
        return
    for entry in found:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if entry.name.startswith(start) and not hidden and entry.name.isprintable():
            yield f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"


def typed_path(typed: str) -> Path:
    """The path of the file; quotes around it do not count."""
    if len(typed) > 1 and typed[0] in "\"'" and typed[-1] == typed[0]:
        typed = typed[1:-1]
    return expanded(typed)


def expanded(typed: str) -> Path:
    """`~` is the user's home and `~bob` that of bob, unless there is no such user, or a file here has that name."""
    path = Path(typed)
    try:
        return path if "/" not in typed and path.exists() else path.expanduser()
    except (RuntimeError, ValueError, OSError):
        return path
