"""What keys change in messages, while the answers are under way, and what others do to these meanwhile."""

from typing import Any

import pytest

from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import Ended, Lost
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import Ask, OpenLink, PostMessage, SetText
from chat_client.tui.state.replies import take_refusal
from chat_client.tui.state.typing import answer_question, submit
from chat_server.protocol.accounts import Banned
from chat_server.protocol.messages import Changed, Message
from chat_server.protocol.rooms import ChatInfo, Left
from tests.client.people import Me, at, said


def ready() -> Me:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load(said(1, "first", who="alice"))
    me.wanted()
    return me


def compose(me: Me, kind: Any) -> None:
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, kind)


def do(me: Me, kind: str, text: str) -> Ask:
    compose(me, kind)
    assert submit(me.screen, text)
    ask: Ask = me.wanted(Ask)[0]
    return ask


def changed(me: Me, ask: Ask, message: Message) -> None:
    me.hear(message)
    me.answer(ask, [], Changed(message.id, message.seq))


def test_a_second_edit_starts_from_the_one_that_is_not_answered_yet() -> None:
    me = ready()
    ask = do(me, "edit", "second")
    compose(me, "edit")
    assert me.wanted(SetText) == [SetText("second")]
    changed(me, ask, said(1, "second", who="alice", seq=2))
    assert submit(me.screen, "third"), "what one has changed oneself is no news"


def test_after_a_refusal_an_edit_starts_from_what_is_there() -> None:
    me = ready()
    ask = do(me, "edit", "second")
    take_refusal(me.screen, ask.why, Disconnected("lost"), me.now)
    assert "edit #1: lost" in me.text()
    compose(me, "edit")
    assert me.wanted(SetText) == [SetText("first")]


def test_the_same_reaction_takes_back_the_one_that_is_not_answered_yet() -> None:
    me = ready()
    first, second = do(me, "react", ":👍"), do(me, "react", ":👍")
    assert (first.verb, second.verb) == ("react", "unreact")
    changed(me, first, said(1, "first", who="alice", seq=2, reactions={"👍": ["alice"]}))
    assert do(me, "react", ":👍").verb == "react", "by then it is taken back"


def test_an_edit_does_not_overwrite_unseen_what_another_device_has_made_of_it() -> None:
    me = ready()
    compose(me, "edit")
    me.hear(said(1, "changed elsewhere", who="alice", seq=2))
    assert not submit(me.screen, "mine") and not me.asked("edit")
    assert me.text("bar").startswith(" editing  changed meanwhile: Enter again overwrites “changed")
    assert submit(me.screen, "mine") and len(me.asked("edit")) == 1


def test_what_was_deleted_meanwhile_is_not_edited_and_the_text_stays() -> None:
    me = ready()
    compose(me, "edit")
    me.hear(Message(id=1, seq=2, chat="main", from_="alice", at=at(1), deleted=True))
    assert not submit(me.screen, "mine") and not me.asked("edit")
    assert me.screen.composer.target is not None and "it was deleted meanwhile" in me.text("bar")


@pytest.mark.parametrize("kind", ["edit", "react"])
def test_without_a_connection_what_was_typed_stays(kind: str) -> None:
    me = ready()
    compose(me, kind)
    me.hear(Lost("localhost:8000: it closed", 0.0))
    assert not submit(me.screen, ":👍") and me.screen.composer.target is not None
    assert "not connected: Enter changes it" in me.text("bar")


@pytest.mark.parametrize("how", ["removed", "while away", "left elsewhere"])
def test_what_was_typed_in_a_chat_that_is_gone_goes_to_main_only_when_that_is_said(how: str) -> None:
    me = ready()
    navigation.open_chat(me.screen, "#team")
    me.load(chat="#team")
    me.screen.composer.text = "a secret of the team"
    if how == "while away":
        me.connect(ChatInfo("main", 0, 0, muted=False), resumed=True)
    else:
        me.hear(Left("#team", "alice", "bob" if how == "removed" else None))
    assert me.screen.chats.open_name == "main"
    assert not submit(me.screen, me.screen.composer.text) and not me.wanted(PostMessage)
    assert me.text("bar").startswith(" send this to everyone? you are no longer in #team  Enter: yes")
    answer_question(me.screen, False)
    assert not submit(me.screen, me.screen.composer.text) and not me.wanted(PostMessage), "it is asked until it is said"
    answer_question(me.screen, True)
    (post,) = me.wanted(PostMessage)
    assert post.arguments == {"target": "main", "text": "a secret of the team"}
    assert submit(me.screen, "from now on")


def test_who_opens_a_chat_has_said_where_it_goes() -> None:
    me = ready()
    navigation.open_chat(me.screen, "#team")
    me.hear(Left("#team", "alice", "bob"))
    navigation.open_chat(me.screen, "main")
    assert submit(me.screen, "hello")


def test_what_is_typed_after_the_end_stays_in_the_line() -> None:
    me = ready()
    me.hear(Ended("signed_out", "the password was changed on another connection; sign in with the new one"))
    assert "· the connection has ended: the password was changed on another" in me.text()
    assert "Ctrl-D leaves" in me.text("bar")
    assert not submit(me.screen, "hello") and not me.wanted(PostMessage)
    assert me.text("bar").startswith(" not sent: the connection has ended")


@pytest.mark.parametrize("kind", ["reply", "edit", "react"])
def test_who_is_banned_can_only_delete(kind: str) -> None:
    me = ready()
    me.hear(Banned("2036-01-01T00:00:00.000Z", "three reports"))
    compose(me, kind)
    assert me.screen.composer.target is None and "you are banned" in me.text("bar")
    message_actions.delete(me.screen)
    assert me.screen.dialogs.question is not None


def test_a_second_click_takes_the_mark_away() -> None:
    me = ready()
    message_actions.click(me.screen, 1)
    assert me.screen.feed.selected == 1
    message_actions.click(me.screen, 1)
    assert me.screen.feed.selected is None


def test_the_link_of_a_message_is_opened() -> None:
    me = Me()
    me.load(said(1, "see https://example.org/a, and http://b.example."), said(2, "none here"))
    message_actions.choose(me.screen, -1)
    assert "link" not in me.text("bar")
    message_actions.open_link_of_selected(me.screen)
    assert "#2 has no link" in me.text("bar") and not me.wanted(OpenLink)
    message_actions.choose(me.screen, -1)
    message_actions.choose(me.screen, -1)
    assert "o link" in me.text("bar")
    message_actions.open_link_of_selected(me.screen)
    assert me.wanted(OpenLink) == [OpenLink("https://example.org/a", " · 1 of 2: /open_link 1 <number>")]
    assert not me.screen.is_choosing
    submit(me.screen, "/open_link 1 2")
    assert [effect.link for effect in me.wanted(OpenLink)] == ["http://b.example"]
    refused = {"/open_link 1 3": "#1 has 2 links", "/open_link 9": "#9 is not here", "/open_link 1 x": "1 or more"}
    for line, words in refused.items():
        submit(me.screen, line)
        assert words in me.text("bar") + me.text() and not me.wanted(OpenLink)
