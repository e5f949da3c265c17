"""What keys do to the state."""

from chat_client.common.keys import ACTIONS
from chat_client.tui.state import navigation
from chat_client.tui.state.effects import Ask, SetText
from chat_client.tui.state.feed import Anchor
from chat_client.tui.state.keys import DEEDS
from chat_client.tui.state.terminal_events import tick
from chat_server.protocol.messages import MessagesShown
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said


def test_every_deed_is_an_action_and_can_be_done_anywhere() -> None:
    me = Me()
    me.load(*(said(id) for id in range(1, 50)))
    assert DEEDS.keys() <= ACTIONS.keys()
    for do in DEEDS.values():
        do(me.screen, "")
        me.frame()


def test_mentions_are_gone_through_in_both_directions() -> None:
    me = Me()
    me.load(*(said(id, "@alice look" if id % 10 == 0 else "") for id in range(1, 60)), more=True)
    seen = []
    for by in (-1, -1, -1, 1):
        navigation.show_mention(me.screen, by)
        me.settle()
        seen.append(me.screen.feed.selected)
    assert seen == [50, 40, 30, 40]
    for _ in range(4):
        navigation.show_mention(me.screen, 1)
        me.settle()
    assert me.screen.feed.selected == 50 and "no mention below this" in me.text("bar")
    me.wanted()
    me.screen.feed.selected = 10
    navigation.show_mention(me.screen, -1)
    assert me.asked("history")[0].arguments["before"] == 1, "there may be older ones on the server"


def test_the_oldest_message_is_fetched_and_the_newest_comes_back() -> None:
    me = Me()
    me.load(*(said(id) for id in range(200, 300)), more=True)
    DEEDS["oldest"](me.screen, "")
    (ask,) = me.asked("history")
    assert ask.arguments["after"] == 0
    me.answer(ask, [said(id) for id in range(71, 171)], MessagesShown("main", 100, more="/history more"))
    me.settle()
    assert "text 71" in me.rows()[1] and me.screen.is_scrolled and me.screen.feed.selected is None
    assert not me.asked("history"), "the newer ones are asked for when one comes near to them"
    DEEDS["page_down"](me.screen, "")
    DEEDS["oldest"](me.screen, "")
    assert not me.asked("history") and "text 71" in me.rows()[1]
    me.screen.feed.settle(Anchor((170, 0)))
    tick(me.screen, me.now)
    (ask,) = me.asked("history")
    assert ask.arguments["after"] == 170
    me.answer(ask, [said(id) for id in range(171, 300)], MessagesShown("main", 129))
    DEEDS["newest"](me.screen, "")
    me.settle()
    assert "text 299" in me.text() and not me.screen.is_scrolled


def test_what_was_typed_comes_back_after_a_search() -> None:
    me = Me()
    me.load(said(1))
    DEEDS["search"](me.screen, "half a line")
    assert me.wanted() == [SetText("/search ")]
    assert navigation.escape(me.screen)
    assert me.wanted() == [SetText("half a line")] and not me.screen.composer.aside
    DEEDS["search"](me.screen, "half a line")
    navigation.open_chat(me.screen, "@bob", "/search ")
    assert me.screen.chats.by_name["main"].draft == "half a line"


def test_all_chats_are_marked_as_read_also_those_of_which_nothing_is_here() -> None:
    names = ("main", "#team", "#far", "@bob")
    me = Me(*(ChatInfo(name, 0, 3 if name != "@bob" else 0, muted=False) for name in names))
    me.load(said(1), said(2), said(3))
    me.hear(said(7, chat="#team"))
    me.wanted()
    DEEDS["read_all"](me.screen, "")
    asked = me.wanted(Ask)
    assert [(ask.verb, ask.arguments) for ask in asked] == [
        ("read", {"chat": "main", "id": 3}),
        ("history", {"chat": "#far", "limit": 1}),
        ("read", {"chat": "#team", "id": 7}),
    ]
    assert "marked 3 chats as read" in me.text("bar")
    me.answer(asked[1], [said(5, chat="#far")], MessagesShown("#far", 1))
    assert me.asked("read")[0].arguments == {"chat": "#far", "id": 5}
    assert not any(chat.unread for chat in me.screen.chats.by_name.values())


def test_a_chat_is_pinned_for_the_next_run() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#a", 0, 0, muted=False), ChatInfo("#b", 0, 0, muted=False))
    me.load(said(1))
    navigation.open_chat(me.screen, "#b")
    DEEDS["pin"](me.screen, "")
    assert me.screen.chats.pins == {"#b": 2} and "#b is pinned: Alt-2 opens it" in me.text("bar")
    navigation.open_chat(me.screen, "main")
    DEEDS["pin"](me.screen, "")
    assert "main is always number 1" in me.text("bar")
    DEEDS["chat_2"](me.screen, "")
    assert me.screen.chats.open_name == "#b"
