"""What one listens to: words, levels and who is ignored, and that it is there again in the next run."""

from pathlib import Path

import pytest

from chat_client.common.account_file import AccountFile, Kept
from chat_client.common.listening import HIDDEN_TEXT, IGNORED_MAX, Listening, SetLevel
from chat_client.common.mentions import Attention, mentions
from chat_client.sdk.events import Connected
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import File
from chat_server.protocol.people import Muted
from tests.client.people import said


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


def test_who_is_ignored_is_hidden_in_main_alone_and_calls_nobody() -> None:
    listening = Listening(["deploy"])
    assert listening.ignore("@Bob")
    hidden = listening.hear(said(1, "deploy @alice"), "alice")
    assert (hidden.id, hidden.text, hidden.mentions) == (1, HIDDEN_TEXT, None) and listening.hides(hidden)
    sent = said(1, "a.png", file=File(7, "a.png", 1, "0"), reactions={"👍": ["carol"]})
    hidden = listening.hear(sent, "alice")
    assert (hidden.file, hidden.reactions) == (None, None)
    for other in (said(2, "x", chat="#ops"), said(3, "x", who="carol"), said(4, HIDDEN_TEXT, who="carol")):
        assert listening.hear(other, "alice") == other and not listening.hides(other)
    notice = Notice("x")
    assert listening.hear(notice, "alice") is notice
    assert listening.unignore("bob") and not listening.unignore("bob")
    assert listening.hear(said(5, "x"), "alice").text == "x"


def test_no_more_are_ignored_than_may_be() -> None:
    listening = Listening()
    assert all(listening.ignore(f"user{number}") for number in range(IGNORED_MAX))
    assert not listening.ignore("one-more") and listening.ignore("USER1")


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
        listening.set_level(chat.lower(), level)
    attention.call(Connected("a:1", SignedIn("alice", False, 1, "h", [], [], []), False), "alice", 0)
    assert (attention.call(said(2, text, chat=chat), "alice", 10) is not None) == rings
    assert attention.call(said(3, text, chat=chat, who="alice"), "alice", 20) is None
    attention.call(Muted(chat, True), "alice", 30)
    assert attention.call(said(4, text, chat=chat), "alice", 40) is None, "muted by another device"
    assert listening.level_now(chat.upper()) == "none"
    attention.call(Muted(chat, False), "alice", 50)
    assert (attention.call(said(5, text, chat=chat), "alice", 60) is not None) == rings, "it calls as before"


def test_what_is_hidden_does_not_ring_though_all_of_the_chat_does() -> None:
    listening = Listening(["deploy"])
    listening.set_level("main", "all")
    listening.ignore("bob")
    attention = Attention(listening)
    attention.call(Connected("a:1", SignedIn("alice", False, 1, "h", [], [], []), False), "alice", 0)
    for id, who, rings in ((2, "bob", False), (3, "carol", True)):
        heard = listening.hear(said(id, "deploy", who=who), "alice")
        assert (attention.call(heard, "alice", 10.0 * id) is not None) == rings


def test_it_is_kept_for_the_account(tmp_path: Path) -> None:
    file = AccountFile(tmp_path / "accounts.json", "alice@1")
    listening = Listening()
    listening.set_level("#ops", "all")
    listening.set_level("#dev", "all")
    listening.set_level("#dev", "mentions")  # the usual one is not kept
    listening.ignore("Mallory")
    file.put(Kept(drafts={"main": "half"}))
    file.put_listening(listening)
    kept = AccountFile(tmp_path / "accounts.json", "alice@1").read()
    assert kept == Kept({"main": "half"}, {}, {"#ops": "all"}, {"mallory": "Mallory"})
    again = Listening()
    again.restore(kept.levels, kept.ignored)
    assert (again.levels, again.ignored) == (listening.levels, listening.ignored)
