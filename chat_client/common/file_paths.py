"""File paths as a person types them: completed, and found."""

from collections.abc import Iterator
from pathlib import Path

ENTRIES_MAX = 1000


def entries(typed: str) -> Iterator[str]:
    """What begins with this, as it would be typed: `~` stays, directories end with `/`; hidden ones if asked for."""
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
    """The file that is meant; quotes around it do not count."""
    if len(typed) > 1 and typed[0] in "\"'" and typed[-1] == typed[0]:
        typed = typed[1:-1]
    return expanded(typed)


def expanded(typed: str) -> Path:
    """`~` is one's home and `~bob` that of a user, unless there is no such user, or a file here of just that name."""
    path = Path(typed)
    try:
        return path if "/" not in typed and path.exists() else path.expanduser()
    except (RuntimeError, ValueError, OSError):
        return path
