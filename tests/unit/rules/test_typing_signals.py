"""Whom it concerns that a user types."""

import pytest

from chat_server.errors import Refusal
from chat_server.protocol.parse import parse
from chat_server.protocol.people import TellTyping
from chat_server.rules import typing_signals
from chat_server.rules.context import View
from chat_server.rules.typing_signals import TypingSignal, typing_signal
from tests.unit.chat import LIMITS, Chat


def told(chat: Chat, name: str, line: str) -> TypingSignal:
    command = parse(line, text_chars_max=100).command
    assert isinstance(command, TellTyping)
    return typing_signal(View(chat.db, 0, chat.time.now(), LIMITS, {}), chat.ids[name], command)


def test_the_others_of_a_private_chat(team: Chat) -> None:
    alice, bob = team.ids["alice"], team.ids["bob"]
    signal = told(team, "bob", "/typing #TEAM")
    assert (signal.user, signal.chat, signal.readers, signal.typing) == ("bob", "#Team", (alice,), True)
    assert signal.room
    assert told(team, "alice", "/typing #team off").readers == (bob,)
    with pytest.raises(Refusal, match="you are in no chat #team"):
        told(team, "carol", "/typing #team")


def test_the_other_one_of_two_once_something_was_said(chat: Chat) -> None:
    assert told(chat, "bob", "/typing alice").readers == ()
    chat.say("alice", "/send bob hi")
    assert told(chat, "bob", "/typing ALICE") == TypingSignal("bob", "@bob", 0, (chat.ids["alice"],), True)
    for name in ("alice", "bob"):
        other = "bob" if name == "alice" else "alice"
        chat.say(name, f"/block {other}")
        assert told(chat, "bob", "/typing alice").readers == told(chat, "alice", "/typing bob").readers == ()
        chat.say(name, f"/unblock {other}")
    for code, line in (("unknown_user", "/typing nobody"), ("not_yourself", "/typing bob")):
        with pytest.raises(Refusal) as refused:
            told(chat, "bob", line)
        assert refused.value.code == code


def test_nobody_in_main_nor_in_a_large_chat(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(team, "bob", "/typing main").readers == ()
    monkeypatch.setattr(typing_signals, "READERS_MAX", 0)
    assert told(team, "bob", "/typing #team").readers == ()
