"""In the client each time is local, whoever wrote it."""

import time
from collections.abc import Callable, Iterator

import pytest

from chat_client.common import wording
from chat_client.sdk import codec
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Unknown
from chat_client.sdk.local_time import local_text
from chat_server.protocol.connection import Closing
from chat_server.protocol.messages import DelayedList, DelayedMessage
from chat_server.protocol.times import parse_iso

Zone = Callable[[str], None]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    def be_in(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield be_in
    monkeypatch.undo()
    time.tzset()


NOW = (parse_iso("2026-11-29T20:00:00Z") or 0) / 1000


@pytest.mark.parametrize(
    ("name", "text", "until", "told"),
    [
        ("Europe/Moscow", "until 20:51:37 UTC, in 52 min", "2026-11-29T20:51:37.000Z", "until 23:51:37, in 52 min"),
        (
            "Europe/Moscow",
            "until 21:51:37 UTC, in 2 h",
            "2026-11-29T21:51:37.000Z",
            "until 2026-11-30 00:51:37, in 2 h",
        ),
        ("America/St_Johns", "until 2026-11-30 02:00:00 UTC", "2026-11-30T02:00:00.000Z", "until 22:30:00"),
        ("Asia/Kathmandu", "until 20:51:37 UTC", None, "until 02:36:37"),
        ("Asia/Kathmandu", "at 00:10:00 UTC", None, "at 05:55:00"),
        ("Europe/Berlin", "until 2027-07-01 10:00:00 UTC", "2027-07-01T10:00:00.000Z", "until 2027-07-01 12:00:00"),
        ("UTC", "until 20:51:37 UTC", None, "until 20:51:37"),
        ("Europe/Moscow", "until 99:51:37 UTC", None, "until 99:51:37 UTC"),
        ("Europe/Moscow", "at half past 20:51 UTC", None, "at half past 20:51 UTC"),
    ],
)
def test_the_text_of_a_refusal(zone: Zone, name: str, text: str, until: str | None, told: str) -> None:
    zone(name)
    assert local_text(text, {"until": until} if until else {}, NOW) == told


def test_refusals_are_local_from_the_wire_on(zone: Zone) -> None:
    zone("Europe/Moscow")
    fields = b'"code":"banned","text":"you are banned until 20:51:37 UTC","until":"2026-11-29T20:51:37.000Z"'
    line = codec.decode(b'{"type":"error",%s}' % fields, NOW)
    assert line is not None
    refused = line.what
    assert isinstance(refused, Refused)
    assert (str(refused), refused.text) == ("banned: you are banned until 23:51:37", "you are banned until 23:51:37")
    assert refused.fields == {"until": "2026-11-29T20:51:37.000Z"}, "programs have it as it came"


def test_so_is_why_a_server_closes(zone: Zone) -> None:
    zone("Europe/Moscow")
    reason = b'"reason":"your address is banned until 20:51:37 UTC, in 2 h: bots"'
    line = codec.decode(b'{"type":"closing",%s,"code":"banned"}' % reason, NOW)
    assert line is not None
    assert line.what == Closing("your address is banned until 23:51:37, in 2 h: bots", "banned")


def test_replies_and_events(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone("Asia/Kathmandu")
    monkeypatch.setattr("chat_client.sdk.clock.now", lambda: NOW)
    text = "meet at 20:00:00 UTC, 2026-11-29T20:00:00.000Z"
    listed = DelayedList([DelayedMessage(delayed_id=1, target="main", text=text, due="2026-11-29T21:00:00.000Z")])
    (shown,) = wording.reply(listed, "delayed", NOW).items
    assert "02:45:00  main" in shown and text in shown, "what people wrote stays as it is"
    unknown = Unknown("novel", {"at": "2026-11-29T20:00:00.000Z"})
    assert wording.event(unknown, "me", NOW) == "novel: at: 01:45:00"
