"""Events and replies as lines: the server's words, this machine's time, and nothing that could control a terminal."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common import wording
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Connected, Ended, Forgotten, Lost, OtherReply, Outgoing, Unknown
from chat_server.protocol import EVENTS
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.files import FileChunk
from chat_server.protocol.messages import DelayedSet, Message, Sent
from tests.unit.protocol import samples

NOW, AT = "2026-11-21T12:00:05.000Z", "2026-11-21T12:00:01.250Z"
SIGNED_IN = SignedIn("bob", False, 1, "h", [], [], [])


@pytest.fixture(autouse=True)
def time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_message_has_the_time_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message(42, 42, "main", "bob", AT, "hi\nthere")
    assert wording.event(message, NOW) == ["[12:00:01] main bob: hi (#42)", "    | there"]
    monkeypatch.setenv("TZ", "UTC-13:30")
    time.tzset()
    assert wording.event(message, NOW)[0] == "[01:30:01] main bob: hi (#42)"
    assert wording.event(message, "2026-11-22T12:00:05.000Z")[0] == "[2026-11-22 01:30:01] main bob: hi (#42)"


def test_what_is_not_known_is_shown_as_it_came() -> None:
    assert wording.event(Unknown("waved", {"user": "bob", "at\nall": 1}), NOW) == ["* waved: user bob, at all 1"]
    assert wording.reply(OtherReply({"waved": True}), "wave", NOW) == ["+ wave waved True"]
    assert wording.reply(OtherReply({}), "wave", NOW) == ["+ wave"]


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        (Connected("a:1", SIGNED_IN, False), ["* connected to a:1 as bob"]),
        (Connected("a:1", SIGNED_IN, True), ["* back at a:1 as bob"]),
        (Lost("gone", 1005.2), ["* no connection: gone; next try in 6 s, /reconnect tries now"]),
        (Ended("signed_out", "signed out"), ["* the connection has ended: signed out"]),
        (Ended("closed", "closed"), []),
        (Forgotten(), ["* the server was restored from an older copy: messages that you saw may be gone"]),
    ],
)
def test_states(state: object, lines: list[str]) -> None:
    assert wording.state(state, 1000) == lines


def test_what_became_of_what_was_sent() -> None:
    def lines(state: Any, verb: str = "send", **fields: Any) -> list[str]:
        command = Outgoing("k", verb, {"target": "alice", "text": "hi"}, 0, state, **fields)
        return wording.outgoing(command, "bob", NOW)

    assert lines("sent", reply=Sent(7, AT)) == ["[12:00:01] to @alice: hi (#7)"]
    delayed = DelayedSet(3, "2026-11-21T13:00:00.000Z")
    assert lines("sent", "send_delayed", reply=delayed)[0].startswith("+ delayed message 3 goes out at 13:00:00")
    assert lines("failed", error=Refused("banned", "no")) == ["- banned: no; not sent: hi"]
    assert lines("waiting") == ["* waiting: hi"]
    assert lines("discarded") == ["* not sent: hi"]
    assert "/confirm" in lines("held")[0]


CONTROL = st.text(st.sampled_from("a\x1b\x9b\x07\r\x08\x7f\u202e\u2066\n"), max_size=8)


@given(CONTROL, CONTROL, CONTROL)
def test_nothing_controls_the_terminal(name: str, text: str, more: str) -> None:
    message = Message(1, 1, "main", name, AT, text, reactions={more: [name]})
    shown = [*wording.event(message, NOW), *wording.event(Unknown(name, {text: more}), NOW)]
    shown += (
        wording.event(Notice(text), NOW)
        + wording.error(Refused(name, text))
        + wording.reply(OtherReply({name: text}), "x", NOW)
    )
    for line in shown:
        assert not set(line) & set("\x1b\x9b\x07\r\x08\x7f\u202e\u2066\n")


# The bytes of a file go into a file.
SHOWN = [cls for cls in EVENTS if cls is not FileChunk]


@given(st.one_of(*map(samples.samples, SHOWN)))
def test_every_event_is_lines(event: Event) -> None:
    for line in wording.event(event, NOW):
        assert ("\n" not in line and line[:2] in ("[2", "* ", "  ")) or line.startswith("[")


def test_short() -> None:
    assert wording.short("hi") == "hi"
    assert wording.short("two\nlines") == "two…"
    assert len(wording.short("x" * 100)) == 61
