"""What one listens to: words, levels and who is ignored, which the server keeps for all devices."""

import pytest

from chat_client.common.listening import (
    HIDDEN_TEXT,
    LEVELS,
    Level,
    Listening,
    SetLevel,
    line_to_ignore,
    preference_in_words,
    usual_level,
)
from chat_client.common.mentions import Attention, mentions
from chat_client.sdk.events import Connected, Connecting
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import File
from chat_server.protocol.people import Muted, PreferenceChanged, PreferencesTold
from tests.client.people import said

CONNECTED = Connected("a:1", SignedIn("alice", False, 1, "h", [], [], []), False)


def ask(listening: Listening, *lines: str) -> None:
    """What the server would tell of these commands."""
    for line in lines:
        verb, name, *value = line.split()
        if verb == "/preference":
            listening.hear(PreferenceChanged(name, value[0] if value else None), "alice")
        else:
            (listening.muted.add if verb == "/mute" else listening.muted.discard)(name)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("we Deploy now", True), ("deploy", True), ("redeploy", False), ("deploys", False), ("the PRODUCTION", True),
        ("c++!", True), ("a.b", True), ("axb", False), ("nothing", False), ("@bob prod-2", True),
    ],
)  # fmt: skip
def test_words_call_as_the_name_does(text: str, calls: bool) -> None:
    listening = Listening(["deploy", "prod*", "c++", "a.b", ""])
    heard = listening.hear(said(1, text, mentions=["bob"]), "alice")
    assert mentions(heard, "alice") == calls and heard.text == text
    assert heard.mentions is not None and "bob" in heard.mentions
    own = said(2, text, who="alice")
    assert listening.hear(own, "alice") is own
    assert not mentions(Listening([]).hear(said(1, text), "alice"), "alice")


def test_who_is_called_by_a_word_and_by_name_is_mentioned_once() -> None:
    assert Listening(["deploy"]).hear(said(1, "deploy @alice"), "alice").mentions == ["alice"]


@pytest.mark.parametrize("written", ["Zoë", "@ZOË", "Zoe\u0308", "Ｚｏë"])
def test_who_is_ignored_is_so_however_the_name_is_written(written: str) -> None:
    listening = Listening([])
    ask(listening, line_to_ignore(written, is_ignored=True))
    assert listening.hear(said(1, "hi", who="Zoë"), "alice").text == HIDDEN_TEXT
    ask(listening, line_to_ignore("zoë", is_ignored=False))
    assert listening.hear(said(1, "hi", who="Zoë"), "alice").text == "hi"


def test_a_level_is_of_the_chat_however_its_name_is_written() -> None:
    listening = Listening([])
    ask(listening, *listening.lines_for_level("#cafe\u0301", "all"))
    assert (listening.level_now("#café"), listening.level_now("#tea")) == ("all", "mentions")
    listening.muted.add("#café")
    assert listening.level_now("#CAFE\u0301") == "none"


def test_who_is_ignored_is_hidden_in_main_alone_and_calls_nobody() -> None:
    listening = Listening(["deploy"])
    ask(listening, line_to_ignore("@Bob", is_ignored=True))
    hidden = listening.hear(said(1, "deploy @alice"), "alice")
    assert (hidden.id, hidden.text, hidden.mentions) == (1, HIDDEN_TEXT, None) and listening.hides(hidden)
    sent = said(1, "a.png", file=File(7, "a.png", 1, "0"), reactions={"👍": ["carol"]})
    hidden = listening.hear(sent, "alice")
    assert (hidden.file, hidden.reactions) == (None, None)
    for other in (said(2, "x", chat="#ops"), said(3, "x", who="carol"), said(4, HIDDEN_TEXT, who="carol")):
        assert listening.hear(other, "alice") == other and not listening.hides(other)
    notice = Notice("x")
    assert listening.hear(notice, "alice") is notice
    ask(listening, line_to_ignore("bob", is_ignored=False))
    assert listening.hear(said(5, "x"), "alice").text == "x"


@pytest.mark.parametrize(
    ("level", "chat", "text", "rings"),
    [
        (None, "main", "x", False), (None, "main", "@alice", True), (None, "@bob", "x", True),
        ("all", "main", "x", True), ("mentions", "@bob", "x", False), ("mentions", "@bob", "@alice", True),
        ("all", "#OPS", "x", True),
    ],
)  # fmt: skip
def test_levels(level: SetLevel | None, chat: str, text: str, rings: bool) -> None:
    listening = Listening()
    attention = Attention(listening)
    if level is not None:
        listening.hear(PreferenceChanged(f"level:{chat.casefold()}", level), "alice")
    attention.call(CONNECTED, "alice", 0)
    assert (attention.call(said(2, text, chat=chat), "alice", 10) is not None) == rings
    assert attention.call(said(3, text, chat=chat, who="alice"), "alice", 20) is None
    attention.call(Muted(chat, True), "alice", 30)
    assert attention.call(said(4, text, chat=chat), "alice", 40) is None, "muted by another device"
    assert listening.level_now(chat.upper()) == "none"
    attention.call(Muted(chat, False), "alice", 50)
    assert (attention.call(said(5, text, chat=chat), "alice", 60) is not None) == rings, "it calls as before"


def test_what_is_hidden_does_not_ring_though_all_of_the_chat_does() -> None:
    listening = Listening(["deploy"])
    ask(listening, *listening.lines_for_level("main", "all"), line_to_ignore("bob", is_ignored=True))
    attention = Attention(listening)
    attention.call(Connected("a:1", SignedIn("alice", False, 1, "h", [], [], []), False), "alice", 0)
    for id, who, rings in ((2, "bob", False), (3, "carol", True)):
        heard = listening.hear(said(id, "deploy", who=who), "alice")
        assert (attention.call(heard, "alice", 10.0 * id) is not None) == rings


def test_what_another_device_sets_is_heard_and_each_sign_in_tells_all() -> None:
    listening = Listening()
    for event in (
        Connecting("a:1", 1), PreferencesTold({"level:#ops": "all", "ignore:bob": "Bob", "colour": "red"}), CONNECTED,
        PreferenceChanged("level:#dev", "all"), PreferenceChanged("level:#dev", "of a later version"),
    ):  # fmt: skip
        assert listening.hear(event, "alice") is event
    assert (listening.levels, listening.ignored) == ({"#ops": "all"}, {"bob": "Bob"})
    listening.hear(Connecting("a:1", 1), "alice")
    assert listening.ignored, "until it is known"
    listening.hear(CONNECTED, "alice")
    assert (listening.levels, listening.ignored) == ({}, {}), "there are none any more"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("before", LEVELS)
@pytest.mark.parametrize("chat", ["main", "@Bob"])
def test_what_is_asked_for_a_level_sets_it(chat: str, before: Level, level: Level) -> None:
    listening = Listening()
    for each in (before, level):
        ask(listening, *listening.lines_for_level(chat, each))
        assert listening.level_now(chat) == each
    assert level == "none" or (level == usual_level(chat)) == (listening.level(chat) is None)


def test_what_was_set_is_said() -> None:
    said_of = {
        ("level:main", None): "mentions of you in main call you",
        ("level:@bob", None): "every message in @bob calls you",
        ("level:#ops", "all"): "every message in #ops calls you",
        ("ignore:bob", "Bob"): "Bob is hidden in main from now on; /unignore Bob ends it",
        ("ignore:bob", None): "bob is shown in main again",
    }
    assert {each: preference_in_words(*each) for each in said_of} == said_of
    assert preference_in_words("colour", "red") is None
