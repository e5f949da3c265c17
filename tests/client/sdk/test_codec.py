"""Lines of the wire: every event and reply comes back as it was, and nothing that a newer server says breaks it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from chat_client.sdk import codec
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import OtherReply, Unknown
from chat_server.errors import Refusal
from chat_server.protocol import EVENTS
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.formats import JSON
from chat_server.protocol.messages import Message
from chat_server.protocol.table import TABLE
from tests.unit.protocol import samples


def decode(line: bytes) -> codec.Line | None:
    return codec.decode(line, 0.0)


def what(line: bytes) -> Any:
    decoded = decode(line)
    assert decoded is not None
    return decoded.what


@given(st.one_of(*map(samples.samples, EVENTS)))
def test_an_event_comes_back(event: Event) -> None:
    assert decode(JSON.event(event, "", "7f")) == codec.Line(event, "7f")
    assert decode(JSON.event(event, "")) == codec.Line(event)


@given(st.one_of(*map(samples.samples, dict.fromkeys(spec.reply for spec in TABLE.values()))))
def test_a_reply_comes_back(reply: Reply) -> None:
    verb = next(verb for verb, spec in TABLE.items() if spec.reply is type(reply))
    assert decode(JSON.reply(reply, verb, "7f", "")) == codec.Line(reply, "7f")


def test_a_refusal_comes_back() -> None:
    line = JSON.refusal(Refusal("banned", "until four", until="2026-11-21T16:00:00.000Z"), "send", "7f")
    refused = what(line)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.text) == ("banned", "until four")
    assert refused.fields == {"until": "2026-11-21T16:00:00.000Z"}
    assert str(refused) == "banned: until four"


# ---- newer servers


def test_fields_that_are_not_known_are_ignored() -> None:
    line = b'{"type":"message","id":1,"seq":1,"chat":"main","from":"bob","at":"x","text":"hi","mood":{"a":[1]}}'
    assert what(line) == Message(1, 1, "main", "bob", "x", "hi")


def test_an_event_that_is_not_known() -> None:
    assert what(b'{"type":"waved","user":"bob","label":"3"}') == Unknown("waved", {"user": "bob"})


def test_an_event_that_has_another_form_now() -> None:
    assert what(b'{"type":"presence","user":["bob"]}') == Unknown("presence", {"user": ["bob"]})


def test_a_reply_that_is_not_known() -> None:
    assert what(b'{"type":"ok","re":"wave","label":"3","at":"now"}') == OtherReply({"at": "now"})
    assert what(b'{"type":"ok","re":"ping","word":5}') == OtherReply({"word": 5})
    assert what(b'{"type":"ok"}') == OtherReply({})


@pytest.mark.parametrize(
    "line", [b"* chat-server 0.1.0: hello", b"", b"{", b"[]", b'{"a":1}', b'{"type":3}', b"\xff{}"]
)
def test_no_line_of_the_protocol(line: bytes) -> None:
    assert decode(line) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
REPLIES = {spec.reply for spec in TABLE.values()}
FIELDS = sorted({name for struct in (*EVENTS, *REPLIES) for name in struct.__struct_encode_fields__})
KINDS = st.sampled_from(["ok", "error", "new", *(str(event.__struct_config__.tag) for event in EVENTS)])


@given(KINDS, st.sampled_from([*TABLE, "new"]), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6))
def test_no_object_breaks_it(kind: str, verb: str, fields: dict[str, Any]) -> None:
    decoded = decode(json.dumps({"type": kind, "re": verb, **fields}).encode())
    assert decoded is None or isinstance(decoded.what, Struct | Refused)


@given(st.binary(max_size=60))
def test_no_line_breaks_it(line: bytes) -> None:
    decode(line)


def test_a_command() -> None:
    line = codec.encode("send", {"target": "main", "text": "two\nlines ✓", "key": None}, "7")
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert json.loads(line) == {"cmd": "send", "target": "main", "text": "two\nlines ✓", "label": "7"}
