"""Events and replies as JSON lines, for programs. The forms are those of `events`; absent fields are left out."""

from collections.abc import Callable
from typing import Any, Union

from msgspec.json import Decoder, Encoder

from chat_server.errors import Refusal
from chat_server.protocol import EVENTS
from chat_server.protocol.base import Event, Reply

_encode = Encoder().encode
_events: Any = Union[EVENTS]  # noqa: UP007
# Raises msgspec.DecodeError.
decode_event: Callable[[bytes], Event] = Decoder(_events).decode


def event(event: Event, label: str | None = None) -> bytes:
    """One line; with `label` where a labelled command returned it."""
    line = _encode(event)
    if label is not None:
        line = line[:-1] + b',"label":' + _encode(label) + b"}"
    return line + b"\n"


def reply(reply: Reply, verb: str, label: str | None) -> bytes:
    return _head("ok", verb, label) + _tail(_encode(reply))


def refusal(refusal: Refusal, verb: str, label: str | None) -> bytes:
    return _head("error", verb, label) + _tail(_encode({"code": refusal.code, "text": refusal.text, **refusal.fields}))


def _head(kind: str, verb: str, label: str | None) -> bytes:
    # A verb and a label are letters, digits and a few marks: nothing in them needs escaping.
    re = f',"re":"{verb}"' if verb else ""
    labelled = f',"label":"{label}"' if label is not None else ""
    return f'{{"type":"{kind}"{re}{labelled}'.encode()


def _tail(fields: bytes) -> bytes:
    return b"}\n" if fields == b"{}" else b"," + fields[1:] + b"\n"
