"""The JSON format, for programs. The fields are those of the classes; absent ones are left out."""

from typing import Any

import msgspec
from msgspec.json import Encoder

from chat_server.errors import UNDECODABLE, Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Command, Event, Reply, Spec
from chat_server.protocol.formats.format import LABEL, Format, Head, read_value, usage_refusal
from chat_server.protocol.sanitize import clean

_JSON_NAMES = {str: "a string", int: "a number", bool: "a boolean"}
UNKNOWN_NAMED_MAX = 3
_encode = Encoder().encode


class JsonFormat(Format):
    name = "json"
    catch_up_order = "seq"
    activity_marks_read = False
    wants_token = True
    tells_commands = True

    def split(self, line: str) -> Head:
        fields = _json_object(line)
        label = _json_label(fields)
        verb = fields.pop("cmd", None)
        return label, verb if isinstance(verb, str) else None, fields

    def without_verb(self, fields: dict[str, Any], talk: Target | None) -> Command:
        raise Refusal("bad_argument", 'a JSON command has a "cmd", like {"cmd":"send_all","text":"hello"}')

    def read_arguments(self, spec: Spec, fields: dict[str, Any], talk: Target | None) -> dict[str, Any]:
        """The open chat stands in for nothing: a program says what it means."""
        # A misspelt name is an unknown and a missing one. It is told as unknown, which says more.
        if not spec.names.issuperset(fields):
            raise _unknown_fields(spec, fields)
        values: dict[str, Any] = {}
        for argument in spec.arguments:
            raw = fields.pop(argument.name, None)
            if raw is None and argument.also:
                raw = fields.pop(argument.also, None)
            if raw is None:
                if argument.required:
                    raise usage_refusal(spec, f'"{argument.name}" is missing')
                continue
            if type(raw) not in argument.kind.json_types:
                names = " or ".join(_JSON_NAMES[each] for each in argument.kind.json_types if each is not float)
                raise usage_refusal(spec, f'"{argument.name}" is {names}')
            values[argument.field] = read_value(spec, argument, raw)
        if any(raw is not None for raw in fields.values()):
            raise usage_refusal(spec, f"“{next(iter(fields))}” is said twice, by two of its names")
        return values

    def event(self, event: Event, now: str, label: str | None = None) -> bytes:
        line = _encode(event)
        if label is not None:
            line = line[:-1] + b',"label":' + _encode(label) + b"}"
        return line + b"\n"

    def label_lines(self, lines: bytes, label: str) -> bytes:
        # No line break stands within a line, so these two bytes are where one ends.
        return lines.replace(b"}\n", b',"label":' + _encode(label) + b"}\n")

    def reply(self, reply: Reply, verb: str, label: str | None, now: str) -> bytes:
        return _head("ok", verb, label) + _tail(_encode(reply))

    def refusal(self, refusal: Refusal, verb: str, label: str | None) -> bytes:
        fields = {"code": refusal.code, "text": refusal.text, **refusal.fields}
        return _head("error", verb, label) + _tail(_encode(fields))


JSON = JsonFormat()


def _json_object(text: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(text)
    except UNDECODABLE as error:
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
    return usage_refusal(spec, f"it has no field {named} (its fields: {known or 'none'})")


def _head(kind: str, verb: str, label: str | None) -> bytes:
    # A verb and a label are letters, digits and a few marks: nothing in them needs escaping.
    re = f',"re":"{verb}"' if verb else ""
    labelled = f',"label":"{label}"' if label is not None else ""
    return f'{{"type":"{kind}"{re}{labelled}'.encode()


def _tail(fields: bytes) -> bytes:
    return b"}\n" if fields == b"{}" else b"," + fields[1:] + b"\n"
