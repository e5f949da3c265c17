"""The round-trip table: each event, its text line, its JSON line."""

import pytest

from chat_server.protocol import EVENTS, decode_event
from chat_server.protocol.base import Event
from chat_server.protocol.formats import JSON, TEXT
from tests.unit.protocol.events import TABLE

TODAY = "2026-11-21"


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_it_reads_as(event: Event, line: str, obj: str) -> None:
    assert TEXT.event(event, TODAY).decode() == (line and line + "\n")
    assert JSON.event(event, TODAY).decode() == obj + "\n"
    assert decode_event(obj.encode()) == event


def test_every_event_stands_in_the_table() -> None:
    assert {type(event) for event, _, _ in TABLE} == set(EVENTS)
