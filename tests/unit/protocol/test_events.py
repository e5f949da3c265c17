"""The round-trip table: each event, its text line, its JSON line."""

import msgspec
import pytest

from chat_server.protocol.base import Event
from chat_server.protocol.formats import JSON, TEXT
from tests.unit.protocol.events import TABLE
from tests.unit.protocol.samples import ANY_EVENT, EVENTS

TODAY = "2026-11-21"


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_it_reads_as(event: Event, line: str, obj: str) -> None:
    assert TEXT.event(event, TODAY).decode() == (line and line + "\n")
    assert JSON.event(event, TODAY).decode() == obj + "\n"
    assert msgspec.json.decode(obj, type=ANY_EVENT) == event


def test_every_event_stands_in_the_table() -> None:
    assert {type(event) for event, _, _ in TABLE} == set(EVENTS)
