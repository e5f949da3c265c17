"""Words: the server's own, with the times of this machine, and nothing that could control a terminal."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common import wording
from chat_client.common.wording import Answer
from chat_client.sdk.errors import Disconnected, Refused
from chat_client.sdk.events import (
    AnyEvent,
    Connected,
    Ended,
    Forgotten,
    Lost,
    OtherReply,
    Outgoing,
    TokenNotKept,
    Unknown,
)
from chat_client.sdk.transfers import Progress
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import DelayedSet, Message, ReadMarker, Sent
from chat_server.protocol.people import WhoReport
from chat_server.protocol.rooms import Approved, Left, MemberList

NOW, AT = 1_795_262_405.0, "2026-11-21T12:00:01.250Z"
ME = "me"
SIGNED_IN = SignedIn("bob", False, 1, "h", [], [], [])


@pytest.fixture(autouse=True)
def time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_message_has_the_time_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message(42, 42, "main", "bob", AT, "hi\nthere")
    assert wording.event(message, ME, NOW) == "[12:00:01] main bob: hi (#42)\nthere"
    monkeypatch.setenv("TZ", "UTC-13:30")
    time.tzset()
    assert wording.event(message, ME, NOW).startswith("[01:30:01] main bob: hi (#42)")
    assert wording.event(message, ME, NOW + 86400).startswith("[2026-11-22 01:30:01] main bob: hi (#42)")


def test_the_servers_words_without_its_marks() -> None:
    assert wording.event(Notice("two\nlines", by="carol"), ME, NOW) == "announcement by carol: two\nlines"
    assert wording.reply(WhoReport("bob", True, AT), "who", NOW) == Answer("bob is online")
    members = MemberList("#team", "bob", ["bob", "carol"])
    assert wording.reply(members, "members", NOW) == Answer("2 in #team", ("bob (the owner)", "carol"))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Left("#team", "bob"), "bob left #team"),
        (Left("#team", "me"), "you are no longer in #team"),
        (Left("#team", "me", "bob"), "bob removed you from #team"),
        (Approved("#team"), "you are in #team now: /open #team"),
        (Closing("you were kicked: spam", "kicked"), "you were kicked: spam"),
        (Closing("too many", "busy"), "the server closes: too many"),
        (ReadMarker("main", 4), ""),  # nothing of what a person has no use for
    ],
)
def test_what_concerns_the_user(event: Event, words: str) -> None:
    assert wording.event(event, ME, NOW) == words


def test_what_is_not_known_is_told_by_its_fields() -> None:
    fields = {"options": ["tea", "cof\nfee"], "secret": False, "more": {"votes": 3}}
    told = "options: tea; cof fee, secret: no, more: votes 3"
    assert wording.event(Unknown("poll_opened", fields), ME, NOW) == f"poll opened: {told}"
    assert wording.reply(OtherReply(fields), "poll", NOW) == Answer(told)
    assert wording.reply(OtherReply({}), "poll", NOW) == Answer("poll: done")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Connected("a:1", SIGNED_IN, False), "connected to a:1 as bob"),
        (Connected("a:1", SIGNED_IN, True), "back at a:1 as bob"),
        (Lost("gone", 1005.2), "no connection: gone; next try in 6 s, /reconnect tries now"),
        (Lost("a:1: it takes nothing for now", 1000.0, "b:1"), "a:1: it takes nothing for now; going on at b:1"),
        (Ended("signed_out", "signed out"), "the connection has ended: signed out"),
        (Ended("closed", "closed"), ""),
        (Forgotten(), "the server was restored from an older copy: messages that you saw may be gone"),
        (
            TokenNotKept("a full disk"),
            "the token cannot be kept: a full disk; sign in again next time",
        ),
    ],
)
def test_states(state: AnyEvent, words: str) -> None:
    assert wording.state(state, 1000) == words


def command(state: Any, verb: str = "send", **fields: Any) -> Outgoing:
    return Outgoing("k", verb, {"target": "alice", "text": "hi", "name": "a.png"}, 0, state, **fields)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (command("waiting"), ("info", "waiting: hi")),
        (
            command("waiting", error=Refused("unavailable", "the disk is full")),
            ("info", "waiting: hi; the disk is full; it is sent again later"),
        ),
        (
            command("held"),
            ("info", "held, since it is older than five minutes: hi; /confirm sends it, /discard drops it"),
        ),
        (command("failed", error=Refused("banned", "no")), ("error", "banned: no; not sent: hi")),
        (command("discarded"), ("info", "not sent: hi")),
        (command("discarded", "send_file"), ("info", "a.png: cancelled")),
        (command("sent", "send_file", reply=Upload(1, 3, 7, AT)), ("done", "sent #7: a.png")),
        (command("sent", reply=Sent(7, AT)), ("done", "sent #7")),
    ],
)
def test_what_became_of_what_was_sent(command: Outgoing, told: tuple[str, str]) -> None:
    assert wording.outgoing(command, NOW) == told


def test_a_delayed_message() -> None:
    reply = DelayedSet(3, "2026-11-21T13:00:00.000Z")
    kind, words = wording.outgoing(command("sent", "send_delayed", reply=reply), NOW)
    assert kind == "done" and words.startswith("delayed message 3 goes out at 13:00:00")


def test_what_waits() -> None:
    assert wording.unsent(command("waiting")) == "not sent: hi"
    assert wording.unsent(command("waiting", in_doubt=True)) == "it is not known whether this was sent: hi"
    assert wording.waiting([]) == Answer("nothing waits to be sent")
    listed = ("@alice: hi (held)", "main: file a.png (waiting)")
    waiting = wording.waiting([("@alice", command("held")), ("main", command("waiting", "send_file"))])
    assert waiting == Answer("2 waiting to be sent", listed)


@pytest.mark.parametrize(
    ("error", "words", "coded"),
    [
        (Refused("banned", "you are\nbanned"), "you are banned", "banned: you are banned"),
        (Disconnected("there is no connection"), "there is no connection", "there is no connection"),
        (FileNotFoundError(2, "No such file", "/home/x/a.png"), "a.png: No such file", "a.png: No such file"),
        (OSError(28, "No space left"), "No space left", "No space left"),
    ],
)
def test_errors(error: Exception, words: str, coded: str) -> None:
    assert (wording.reason(error), wording.coded_reason(error)) == (words, coded)


def test_how_far_a_file_is() -> None:
    assert wording.progress(Progress(1 << 19, 1 << 20, 2.0 * (1 << 20), 3.0)) == "50 % of 1 MiB, 2 MiB/s, 3 s left"
    assert wording.progress(Progress(0, 0)).startswith("0 % of 0 bytes")


CONTROL = st.text(st.sampled_from("a\x1b\x9b\x07\r\x08\x7f\u202e\u2066\n"), max_size=8)


@given(CONTROL, CONTROL, CONTROL)
def test_nothing_controls_the_terminal(name: str, text: str, more: str) -> None:
    message = Message(1, 1, "main", name, AT, text, reactions={more: [name]})
    shown = [wording.event(event, ME, NOW) for event in (message, Unknown(name, {text: more}), Notice(text))]
    shown += [wording.reason(Refused(name, text)), wording.coded_reason(Refused(name, text))]
    answer = wording.reply(OtherReply({name: text}), "x", NOW)
    for line in (*shown, answer.done, *answer.items):
        assert not set(line) & set("\x1b\x9b\x07\r\x08\x7f\u202e\u2066")


def test_short() -> None:
    assert wording.short("hi") == "hi"
    assert wording.short("two\nlines") == "two…"
    assert len(wording.short("x" * 100)) == 61
