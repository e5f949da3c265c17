"""A line becomes a `Parsed` command or a Refusal. Pure.

The grammar is the table of `commands`; this module only knows the two forms in which a command may come, a line of
words and a JSON object, and that both may carry a label.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from chat_server.errors import Refusal
from chat_server.protocol.arguments import NOTHING_SHOWS, Target, Text
from chat_server.protocol.base import Argument, Command, Spec
from chat_server.protocol.mentions import with_mentions
from chat_server.protocol.messages import Send, SendAll
from chat_server.protocol.sanitize import clean, is_blank
from chat_server.protocol.search_query import PIECE
from chat_server.protocol.table import VERBS, nearest

LABEL = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_LABELLED = re.compile(rf"@({LABEL.pattern}) +(?=/)", re.ASCII)

_JSON_NAMES = {str: "a string", int: "a number", bool: "a boolean"}
UNKNOWN_NAMED_MAX = 3
_NOT_A_COMMAND = "commands start with /; to talk to everyone: /send_all <text>, or /talk main and just type"
_TO_ONE = "; to one person: /send <username> <text>"


class Parsed(msgspec.Struct, frozen=True):
    """What a line asks for. `verb` is the table's own name for it, "" if there is none; `error` replaces `command`."""

    verb: str
    label: str | None
    command: Command | None = None
    error: Refusal | None = None


def parse(text: str, *, text_chars_max: int, talk: Target | None = None, verbs: Mapping[str, Spec] = VERBS) -> Parsed:
    """Read one line that is not empty. Never raises a Refusal.

    `talk` is where a line that is no command goes; `verbs` are the commands that may be said.
    """
    verb, label = "", None
    try:
        if text.startswith("{"):
            fields = _json_object(text)
            label = _json_label(fields)
            spec = _spec(fields.pop("cmd", None), verbs)
            verb = spec.verb
            command = _from_json(spec, fields)
        else:
            match = _LABELLED.match(text)
            if match:
                label, text = match[1], text[match.end() :]
            if text.startswith("/"):
                word, _, rest = text[1:].partition(" ")
                spec = _spec(word, verbs)
                verb = spec.verb
                command = _from_line(spec, rest)
            else:
                command = _talk(text, talk)
                verb = command.spec.verb
        if len(text) > text_chars_max:
            _check_text(command, text_chars_max)
        if "@" in text:
            command = with_mentions(command)
    except Refusal as refusal:
        return Parsed(verb, label, error=refusal)
    return Parsed(verb, label, command)


def _spec(word: object, verbs: Mapping[str, Spec]) -> Spec:
    if not isinstance(word, str):
        raise Refusal("bad_argument", 'a JSON command has a "cmd", like {"cmd":"send_all","text":"hello"}')
    verb = word.lower()
    if verb not in verbs:
        shown = clean(word).split("\n", 1)[0][:32]
        close = nearest(verb, verbs)
        hint = f"did you mean /{close}? " if close else ""
        raise Refusal("unknown_command", f"there is no /{shown}; {hint}/help lists the commands")
    return verbs[verb]


def _talk(text: str, talk: Target | None) -> Command:
    if talk is None:
        raise Refusal("not_a_command", _NOT_A_COMMAND + (_TO_ONE if text.startswith("@") else ""))
    body = clean(text)
    if is_blank(body):
        raise Refusal("bad_argument", NOTHING_SHOWS)
    return SendAll(Text(body)) if talk.kind == "main" else Send(talk, Text(body))


def _check_text(command: Command, text_chars_max: int) -> None:
    for name in ("text", "reason"):
        length = len(getattr(command, name, None) or "")
        if length > text_chars_max:
            raise Refusal(
                "too_large", f"a text has at most {text_chars_max} characters, this one has {length}; send it in parts"
            )


def _usage_refused(spec: Spec, why: str) -> Refusal:
    return Refusal("bad_argument", f"{why}; usage: {spec.usage}")


def _value(spec: Spec, kind: Any, raw: object) -> Any:
    try:
        return kind.parse(raw)
    except Refusal as refusal:
        if refusal.code != "bad_argument":
            raise
        raise _usage_refused(spec, refusal.text) from None


def _from_line(spec: Spec, rest: str) -> Command:
    values: dict[str, Any] = {}
    if spec.marked:
        rest = _marked(spec, rest, values)
    for argument, required_after in spec.positional:
        rest = rest.lstrip(" ")
        if not argument.required and _left_out(argument, rest, required_after):
            continue
        if not rest:
            if argument.required:
                raise _usage_refused(spec, f"{argument.usage} is missing")
            break
        if argument.kind.takes_rest:
            word, rest = rest, ""
        else:
            word, rest = _word(spec, rest)
        values[argument.field] = _value(spec, argument.kind, word)
    if rest:
        _pairs(spec, rest, values)
    return _build(spec, values)


def _left_out(argument: Argument, rest: str, required_after: int) -> bool:
    """Whether what is left of the line is for the arguments after this one."""
    if required_after and len(rest.split()) <= required_after:
        return True
    starts = argument.kind.starts
    return starts is not None and bool(rest) and rest[0] not in starts


def _word(spec: Spec, rest: str) -> tuple[str, str]:
    if rest.startswith('"'):
        word, quote, rest = rest[1:].partition('"')
        if not quote:
            raise _usage_refused(spec, 'a quote is not closed: "like this"')
        return word, rest
    word, _, rest = rest.partition(" ")
    return word, rest


def _marked(spec: Spec, rest: str, values: dict[str, Any]) -> str:
    """Take what is marked, `in:main`, out of the words; what is in quotes is not."""
    left, end = "", 0
    for piece in PIECE.finditer(rest):
        name, mark, raw = piece[0].partition(":")
        argument = spec.marked.get(name.lower()) if mark else None
        if argument is None:
            continue
        left, end = left + rest[end : piece.start()], piece.end()
        if argument.field in values:
            raise _usage_refused(spec, f"{argument.name}: is said twice")
        values[argument.field] = _value(spec, argument.kind, raw)
    return left + rest[end:]


def _pairs(spec: Spec, rest: str, values: dict[str, Any]) -> None:
    words = rest.split()
    for name, raw in zip(words[::2], (*words[1::2], None), strict=False):
        argument = spec.pairs.get(name.lower())
        if argument is None or raw is None or argument.field in values:
            why = "is not expected here" if argument is None or raw is not None else "needs a number, like 42"
            raise _usage_refused(spec, f"“{clean(name)[:40]}” {why}")
        values[argument.field] = _value(spec, argument.kind, raw)


def _build(spec: Spec, values: dict[str, Any]) -> Command:
    if spec.pairs:
        directions = [name for name in ("before", "after", "around") if name in values]
        if len(directions) > 1:
            raise _usage_refused(spec, f"{directions[0]} and {directions[1]} do not go together")
    return spec.build(**values)


def _json_object(text: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal("bad_argument", f"this is not a JSON object: {why}") from None
    assert isinstance(fields, dict)
    return fields


def _json_label(fields: dict[str, Any]) -> str | None:
    label = fields.pop("label", None)
    if label is None or (isinstance(label, str) and LABEL.fullmatch(label)):
        return label
    raise Refusal("bad_argument", "a label is 1 to 32 of A-Z a-z 0-9 _ . -")


def _unknown_fields(spec: Spec, fields: dict[str, Any]) -> Refusal:
    unknown = sorted(fields.keys() - spec.names)[:UNKNOWN_NAMED_MAX]
    named = ", ".join(f"“{clean(name)[:40]}”" for name in unknown)
    known = ", ".join(name for each in spec.arguments for name in (each.name, each.also) if name)
    return _usage_refused(spec, f"it has no field {named} (its fields: {known or 'none'})")


def _from_json(spec: Spec, fields: dict[str, Any]) -> Command:
    # Before anything that is missing: a name that is misspelt is both.
    if not spec.names.issuperset(fields):
        raise _unknown_fields(spec, fields)
    values: dict[str, Any] = {}
    for argument in spec.arguments:
        raw = fields.pop(argument.name, None)
        if raw is None and argument.also:
            raw = fields.pop(argument.also, None)
        if raw is None:
            if argument.required:
                raise _usage_refused(spec, f'"{argument.name}" is missing')
            continue
        if type(raw) not in argument.kind.json_types:
            names = " or ".join(_JSON_NAMES[each] for each in argument.kind.json_types if each is not float)
            raise _usage_refused(spec, f'"{argument.name}" is {names}')
        values[argument.field] = _value(spec, argument.kind, raw)
    if any(raw is not None for raw in fields.values()):
        raise _usage_refused(spec, f"“{next(iter(fields))}” is said twice, by two of its names")
    return _build(spec, values)
