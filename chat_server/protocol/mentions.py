"""Mentions: the names that `@name` in a text may mean. Names are folded here, since rules know no Unicode;
which of them are users is known to the rules.
"""

import re

from msgspec.structs import replace

from chat_server.protocol.base import Command
from chat_server.protocol.names import NAME_CHARS_MAX, fold

MENTIONS_MAX = 20
# Not within a word or an address (anna@example.org). Punctuation after a name does not belong to it.
_MENTION = re.compile(rf"(?<![\w.@-])@([\w.-]{{1,{2 * NAME_CHARS_MAX}}})")


def find_mentions(text: str) -> tuple[str, ...]:
    """Return the first names after an `@` in a text, folded, each once."""
    found: dict[str, None] = {}
    for match in _MENTION.finditer(text):
        name = match[1].rstrip("._-")
        if name:
            found[fold(name)] = None
        if len(found) == MENTIONS_MAX:
            break
    return tuple(found)


def with_mentions(command: Command) -> Command:
    """Return the command with the names that its text mentions."""
    if "mentions" not in command.spec.derived:
        return command
    names = find_mentions(getattr(command, "text", ""))
    return replace(command, mentions=names) if names else command
