"""The codec of the wire: lines to typed values, and commands to lines. Pure.

A newer server may say more than this client knows: unknown fields are ignored, an unknown event is `Unknown`, a reply
without a class here is `OtherReply`. MUST NOT raise for any line.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from chat_client.sdk.errors import UNCERTAIN, Refused
from chat_client.sdk.events import OtherReply, Unknown
from chat_client.sdk.local_time import local_text
from chat_server.protocol import EVENTS, decode_event
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Closing
from chat_server.protocol.table import TABLE


class _Head(Struct):
    type: str
    re: str = ""
    label: str | None = None


class Line(Struct, frozen=True):
    """A decoded line: an event, or the reply or the refusal that ends a command. `label` as it stands on the line."""

    what: Event | Reply | Refused
    label: str | None = None


_head = Decoder(_Head).decode
_fields = Decoder(dict[str, Any]).decode
_events = {each.__struct_config__.tag for each in EVENTS}
_encode = Encoder().encode


def decode(line: bytes, now: float) -> Line | None:
    """None for what is no JSON line of the protocol, like the greeting. `now` is the time of day."""
    try:
        head = _head(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    match head.type:
        case "ok":
            return Line(_reply(head.re, line), head.label)
        case "error":
            return Line(_refused(line, now), head.label)
    return Line(_known_event(line, now) if head.type in _events else _unknown(head.type, line), head.label)


def _reply(verb: str, line: bytes) -> Reply:
    spec = TABLE.get(verb)
    if spec is not None:
        try:
            return _decode_as(spec.reply)(line)
        except msgspec.ValidationError:
            pass
    return OtherReply(_rest(line, "type", "re", "label"))


@cache
def _decode_as(reply: type[Reply]) -> Callable[[bytes], Reply]:
    return Decoder(reply).decode


def _refused(line: bytes, now: float) -> Refused:
    fields = _rest(line, "type", "re", "label")
    code, text = str(fields.pop("code", "internal")), str(fields.pop("text", ""))
    refused = Refused(code, local_text(text, fields, now), fields)
    if refused.code not in UNCERTAIN:
        return refused
    known = "it is not known whether it was done" if refused.done is None else "nothing was done"
    return refused if known in refused.text else Refused(refused.code, f"{refused.text}; {known}", fields)


def _known_event(line: bytes, now: float) -> Event:
    try:
        event = decode_event(line)
        return replace(event, reason=local_text(event.reason, {}, now)) if isinstance(event, Closing) else event
    except msgspec.ValidationError as error:
        return _unknown(str(_fields(line)["type"]), line, str(error))


def _unknown(name: str, line: bytes, _why: str = "") -> Unknown:
    return Unknown(name, _rest(line, "type", "label"))


def _rest(line: bytes, *without: str) -> dict[str, Any]:
    return {name: value for name, value in _fields(line).items() if name not in without}


def encode(verb: str, arguments: Mapping[str, Any], label: str) -> bytes:
    """A command as a line; arguments that are None are left out."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return _encode({"cmd": verb, **given, "label": label}) + b"\n"
