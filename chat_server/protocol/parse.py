"""The parser: a line becomes a command or a refusal. Pure.

The grammar is the table of commands. `formats` reads the two forms of a command, either of which may have a label.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Command, Spec
from chat_server.protocol.formats import format_of
from chat_server.protocol.formats.format import usage_refusal
from chat_server.protocol.mentions import with_mentions
from chat_server.protocol.sanitize import clean
from chat_server.protocol.table import VERBS, nearest


class Parsed(msgspec.Struct, frozen=True):
    """A parsed line. `verb` is the main verb of its command, "" if none; `error` takes the place of `command`."""

    verb: str
    label: str | None
    command: Command | None = None
    error: Refusal | None = None


def parse(text: str, *, text_chars_max: int, talk: Target | None = None, verbs: Mapping[str, Spec] = VERBS) -> Parsed:
    """Parse one line that is not empty. A refusal is returned as the `error`, never raised.

    `talk` is the open chat, where a line that is no command goes; `verbs` are the allowed commands.
    """
    verb, label = "", None
    try:
        format = format_of(text)
        label, word, rest = format.split(text)
        if word is None:
            command = format.without_verb(rest, talk)
            verb = command.spec.verb
        else:
            spec = _spec(word, verbs)
            verb = spec.verb
            values = format.read_arguments(spec, rest, talk)
            if spec.pairs:
                _refuse_two_directions(spec, values)
            command = spec.build(**values)
        if len(text) > text_chars_max:
            _check_text(command, text_chars_max)
        if "@" in text or "\\u0040" in text:  # as JSON may write it
            command = with_mentions(command)
    except Refusal as refusal:
        return Parsed(verb, label, error=refusal)
    return Parsed(verb, label, command)


def _spec(word: str, verbs: Mapping[str, Spec]) -> Spec:
    verb = word.lower()
    spec = verbs.get(verb)
    if spec is None:
        shown = clean(word).split("\n", 1)[0][:32]
        close = nearest(verb, verbs)
        hint = f"did you mean /{close}? " if close else ""
        raise Refusal("unknown_command", f"there is no /{shown}; {hint}/help lists the commands")
    return spec


def _check_text(command: Command, text_chars_max: int) -> None:
    for name in ("text", "reason"):
        length = len(getattr(command, name, None) or "")
        if length > text_chars_max:
            raise Refusal(
                "too_large", f"a text has at most {text_chars_max} characters, this one has {length}; send it in parts"
            )


def _refuse_two_directions(spec: Spec, values: dict[str, Any]) -> None:
    directions = [name for name in ("before", "after", "around", "since") if name in values]
    if len(directions) > 1:
        raise usage_refusal(spec, f"{directions[0]} and {directions[1]} do not go together")
