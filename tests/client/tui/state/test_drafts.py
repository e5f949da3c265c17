"""Drafts that come back in the next run."""

from chat_client.common.local_commands import with_local
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.drafts import current_drafts, restore_drafts
from chat_client.tui.state.effects import SetText
from chat_server.protocol.help import command_forms
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said

TEAM = ChatInfo("#team", 0, 0, muted=False)


def writing(text: str) -> Me:
    me = Me(ChatInfo("main", 0, 0, muted=False), TEAM)
    me.load(said(1), said(2, who="alice"))
    me.screen.session.commands = with_local(command_forms())
    me.screen.composer.text = text
    return me


def test_the_line_and_the_drafts_of_other_chats_come_back() -> None:
    me = writing("half a line")
    navigation.open_chat(me.screen, "#team", "half a line")
    me.screen.composer.text = "for the team"
    kept = current_drafts(me.screen)
    assert kept == {"main": "half a line", "#team": "for the team"}
    later = Me(connect=False)
    restore_drafts(later.screen, kept | {"#gone": "old"})
    assert later.wanted() == [SetText("half a line")]
    assert current_drafts(later.screen) == {"#team": "for the team", "#gone": "old"}, "not listed yet"
    later.connect(ChatInfo("main", 0, 0, muted=False), TEAM)
    later.wanted()
    navigation.open_chat(later.screen, "#team")
    assert SetText("for the team") in later.wanted()


def test_the_draft_of_a_chat_that_one_is_put_out_of_comes_back_with_it() -> None:
    me = writing("")
    me.screen.chats.chat("#team").draft = "half"
    me.screen.chats.remove("#team")
    assert current_drafts(me.screen) == {"#team": "half"}
    assert me.screen.chats.chat("#team").draft == "half"


def test_passwords_are_no_drafts() -> None:
    assert current_drafts(writing("/password old new").screen) == {}


def test_of_an_answer_its_text_is_kept_and_of_an_edit_what_stood_there_before() -> None:
    for kind, kept in (("reply", "new text"), ("edit", "draft"), ("react", "draft")):
        me = writing("draft")
        me.screen.feed.selected = 2
        message_actions.compose(me.screen, kind, "draft")  # type: ignore[arg-type]
        me.screen.composer.text = "new text"
        assert current_drafts(me.screen)["main"] == kept


def test_what_a_search_took_the_place_of_is_kept() -> None:
    me = writing("half")
    navigation.begin_command(me.screen, "/search", "half")
    me.screen.composer.text = "/search x"
    assert current_drafts(me.screen)["main"] == "half"
