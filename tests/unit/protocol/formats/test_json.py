import json as plain
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Pong
from chat_server.protocol.formats import FORMATS, JSON, Format
from chat_server.protocol.messages import Message
from tests.unit.protocol.samples import ANY_EVENT, EVENTS, REPLIES, samples
from tests.unit.strategies import cleaned, few

labels = st.none() | st.from_regex(r"[A-Za-z0-9_.-]{1,32}", fullmatch=True)


def one_line(data: bytes) -> dict[str, Any]:
    assert data.endswith(b"\n") and data.count(b"\n") == 1 and b"\r" not in data
    fields = plain.loads(data)
    assert isinstance(fields, dict)
    assert not _has_null(fields)
    return fields


def _has_null(value: object) -> bool:
    match value:
        case dict():
            return any(map(_has_null, value.values()))
        case list():
            return any(map(_has_null, value))
    return value is None


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
@few
@given(data=st.data(), label=labels)
def test_an_event_is_one_line_and_reads_back_as_itself(
    cls: type[Event], data: st.DataObject, label: str | None
) -> None:
    event = data.draw(samples(cls))
    line = JSON.event(event, "", label)
    assert one_line(line).get("label") == label
    assert msgspec.json.decode(line, type=ANY_EVENT) == event


@pytest.mark.parametrize("cls", REPLIES, ids=lambda cls: cls.__name__)
@few
@given(data=st.data(), label=labels)
def test_a_reply_is_one_line_and_reads_back_as_itself(cls: type[Reply], data: st.DataObject, label: str | None) -> None:
    reply = data.draw(samples(cls))
    line = JSON.reply(reply, "send_all", label, "")
    fields = one_line(line)
    assert (fields["type"], fields["re"], fields.get("label")) == ("ok", "send_all", label)
    assert msgspec.json.decode(line, type=cls) == reply


@given(cleaned, labels)
def test_a_refusal_is_one_line(words: str, label: str | None) -> None:
    fields = one_line(JSON.refusal(Refusal("banned", words, until="later"), "send", label))
    expected = {"type": "error", "re": "send", "code": "banned", "text": words, "until": "later"}
    assert fields == (expected if label is None else {**expected, "label": label})


def test_a_line_that_was_no_command_is_answered_without_a_verb() -> None:
    assert JSON.refusal(Refusal("not_a_command", "x"), "", None) == (
        b'{"type":"error","code":"not_a_command","text":"x"}\n'
    )
    assert JSON.reply(Pong(), "ping", None, "") == b'{"type":"ok","re":"ping"}\n'


def test_no_field_of_an_event_or_reply_is_hidden_by_the_line_itself() -> None:
    for cls in (*EVENTS, *REPLIES):
        names = {field.encode_name for field in msgspec.structs.fields(cls)}
        assert not names & {"type", "re", "label"}, cls


@pytest.mark.parametrize("format", FORMATS.values())
@pytest.mark.parametrize("text", ["hi", "}\n{", 'a "}" and\n}\n\n', "\\n}\\", "ünï ☃"])
def test_lines_can_be_labelled_after_they_were_made(format: Format, text: str) -> None:
    events = [Message(number, number, "main", "bob", "2026-11-21T12:00:00Z", text=text) for number in (1, 2)]
    now = "2026-11-21T13:00:00Z"
    lines = b"".join(format.event(event, now) for event in events)
    assert format.label_lines(lines, "a.1") == b"".join(format.event(event, now, "a.1") for event in events)
