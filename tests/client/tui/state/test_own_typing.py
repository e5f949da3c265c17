"""When others are told of one's own typing."""

import pytest

from chat_client.tui.state import navigation, terminal_events
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.effects import PostMessage, SignalTyping
from chat_client.tui.state.own_typing import TELL_SECONDS, note_typing
from chat_server.protocol.people import TypingWatched
from chat_server.protocol.rooms import ChatInfo, Left
from tests.client.people import Me

CHATS = [ChatInfo(name, 0, 0, muted=False) for name in ("main", "#ops", "@bob")]


def me(*, columns: int = 110, wanted: bool = True, open_chat: str = "#ops") -> Me:
    me = Me(columns=columns, connect=False)
    me.screen.typists.is_wanted = wanted
    me.connect(*CHATS)
    asked = me.asked("watch_typing")
    assert len(asked) == wanted
    for ask in asked:
        me.answer(ask, [], TypingWatched(True))
    navigation.open_chat(me.screen, open_chat)
    if open_chat != "main":
        me.load(chat=open_chat)
    return me


def typed(me: Me, text: str) -> list[tuple[str, bool]]:
    """What others are told by it: where, and whether it is the beginning."""
    me.screen.composer.text = text
    note_typing(me.screen)
    return told(me)


def told(me: Me) -> list[tuple[str, bool]]:
    return [(each.chat, each.typing) for each in me.wanted(SignalTyping)]


def tick(me: Me, seconds: float) -> None:
    me.now += seconds
    terminal_events.tick(me.screen, me.now)


def test_others_are_told_every_few_seconds_and_when_the_line_is_empty() -> None:
    alice = me()
    assert typed(alice, "h") == [("#ops", True)]
    assert typed(alice, "he") == []
    alice.now += TELL_SECONDS
    assert typed(alice, "hel") == [("#ops", True)]
    assert typed(alice, "") == [("#ops", False)]
    assert typed(alice, "") == []


def test_a_message_tells_by_itself_that_it_is_written() -> None:
    alice = me()
    typed(alice, "hello")
    alice.screen.do(PostMessage("send", {"target": "#ops", "text": "hello"}))
    assert typed(alice, "") == []
    assert typed(alice, "m") == [("#ops", True)]


def test_what_is_typed_and_sent_at_once_is_told_by_the_message_alone() -> None:
    alice = me()
    alice.screen.composer.text = "hi"
    note_typing(alice.screen)
    alice.screen.do(PostMessage("send", {"target": "#ops", "text": "hi"}))
    alice.screen.composer.text = ""
    note_typing(alice.screen)
    assert [type(effect) for effect in alice.wanted()] == [PostMessage]


def test_a_chat_that_one_was_put_out_of_is_told_nothing_more() -> None:
    alice = me()
    assert typed(alice, "h") == [("#ops", True)]
    alice.hear(Left("#ops", "alice", by="bob"))
    tick(alice, 1)
    assert told(alice) == []


def test_who_goes_to_another_chat_does_not_type_in_the_first_any_more() -> None:
    alice = me()
    typed(alice, "hello")
    navigation.open_chat(alice.screen, "@bob")
    tick(alice, 0.25)
    assert told(alice) == [("#ops", False)]


@pytest.mark.parametrize("text", ["/topic x", "/password old new"])
def test_of_a_command_nobody_is_told(text: str) -> None:
    assert typed(me(), text) == []


@pytest.mark.parametrize(("kind", "is_told"), [("reply", True), ("edit", False), ("react", False)])
def test_of_an_answer_others_are_told_of_a_change_not(kind: str, is_told: bool) -> None:
    alice = me()
    alice.screen.composer.target = ComposeTarget(kind, 1, "#ops")  # type: ignore[arg-type]
    assert bool(typed(alice, "x")) is is_told


def test_nobody_is_told_in_main_nor_without_the_setting_nor_by_an_older_server() -> None:
    assert typed(me(open_chat="main"), "hello") == []
    assert typed(me(wanted=False), "hello") == []
    alice = me()
    alice.connect(*CHATS)  # and the server does not know `watch_typing`
    assert typed(alice, "hello") == []
