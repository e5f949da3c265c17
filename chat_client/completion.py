"""What may stand at the cursor: candidates for commands, users, chats, ids, paths, emojis. Pure, but for `paths`.

The grammar is the server's own table (`Chat.commands`), so that a new command is completed by an old client.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from chat_server.protocol.events import CommandForm


class Candidate(Struct, frozen=True):
    """One way to go on: `text` replaces the last `replaces` characters before the cursor; `shows` is what a list
    shows, and `hint` what stands beside it (a command's usage, a message's beginning)."""

    text: str
    replaces: int
    shows: str
    hint: str = ""


class Known(Struct, frozen=True):
    """What can be completed to. `users`: recent speakers first; `chats`: `main`, `#team`, `@bob`, the open one first;
    `messages`: newest first, each with the beginning of its text; `files`: ids with names; `paths`: the entries that
    begin with what was typed (directories end with `/`)."""

    commands: Sequence[CommandForm] = ()
    users: Sequence[str] = ()
    chats: Sequence[str] = ()
    messages: Sequence[tuple[int, str]] = ()
    files: Sequence[tuple[int, str]] = ()
    paths: Callable[[str], Iterable[str]] | None = None


def complete(before: str, known: Known) -> list[Candidate]:
    """The candidates for the text before the cursor, the likeliest first; at most CANDIDATES_MAX."""
    raise NotImplementedError


def usage(before: str, commands: Sequence[CommandForm]) -> str | None:
    """The usage line of the command that is being typed, for the status line; None if it is none."""
    raise NotImplementedError
