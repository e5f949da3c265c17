import pytest

from chat_client.common.local_commands import with_local
from chat_client.sdk.errors import Disconnected, Refused
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import Ask
from chat_client.tui.state.feed import ITEMS_MAX
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import HistoryRequest
from chat_client.tui.state.terminal_events import tick
from chat_client.tui.state.typing import submit
from chat_server.protocol.help import command_forms
from chat_server.protocol.messages import MessagesShown
from chat_server.protocol.rooms import (
    ChatInfo,
)
from tests.client.people import Me, said


def ready() -> Me:
    me = Me()
    me.load(*(said(id) for id in range(101, 201)), more=True)
    me.wanted()
    return me


def ids(me: Me) -> list[int]:
    return list(me.screen.feed.messages)


def test_older_pages_are_asked_for_once_as_one_scrolls() -> None:
    me = ready()
    navigation.scroll(me.screen, 60)
    navigation.scroll(me.screen, 5)
    (ask,) = me.asked("history")
    assert ask.arguments == {"chat": "main", "limit": 100, "before": 101}
    me.answer(ask, [], MessagesShown("main", 0))
    navigation.scroll(me.screen, 50)
    assert not me.asked("history") and me.screen.feed.at_start


def test_the_first_unread_message_that_is_not_kept() -> None:
    me = Me(ChatInfo("main", 400, 600, muted=False))
    me.load(*(said(id) for id in range(901, 1001)), more=True)
    navigation.show_first_unread(me.screen)
    (ask,) = me.asked("history")
    assert ask.arguments["around"] == 401
    me.answer(ask, [said(id) for id in range(350, 451)], MessagesShown("main", 101))
    assert any("new from here" in row for row in me.rows())
    navigation.escape(me.screen)
    navigation.escape(me.screen)
    (ask,) = me.asked("history")
    assert "around" not in ask.arguments


@pytest.mark.parametrize("unread", [0, 1, 200])
def test_what_is_answered_while_the_first_page_is_on_its_way_stands_behind_it_in_sight(unread: int) -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 1, unread, muted=False))
    me.load(said(1))
    me.screen.session.commands = with_local(command_forms())
    navigation.open_chat(me.screen, "#team")
    submit(me.screen, "/help goto")
    submit(me.screen, "/waiting")
    me.load(*(said(id) for id in range(1, 101)), chat="#team")
    rows = [row.strip() for row in me.rows()]
    assert rows[-4].startswith("· /goto") and rows[-1] == "✓ nothing waits to be sent"


@pytest.mark.parametrize("unread", [0, 1, 200])
def test_an_answer_that_is_longer_than_the_screen_stays_at_its_beginning(unread: int) -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 1, unread, muted=False), rows=20)
    me.screen.session.commands = with_local(command_forms())
    me.load(said(1))
    navigation.open_chat(me.screen, "#team")
    submit(me.screen, "/help")
    me.load(*(said(id) for id in range(1, 101)), chat="#team")
    assert me.rows()[0].strip().startswith("✓ /help")


def test_a_message_that_is_refused_before_the_first_page_has_come_is_not_lost() -> None:
    me = Me()
    me.screen.feed.add_refused("k", "a long text", said(5).at, "too_large: no", None)
    me.load(*(said(id) for id in range(1, 10)))
    assert "a long text" in me.text() and me.screen.feed.has_refused


def test_what_is_said_while_the_page_is_on_its_way_is_not_lost() -> None:
    me = Me()
    me.hear(said(3, "live"))
    me.load(said(1), said(2))
    (ask,) = me.asked("history")
    assert ask.arguments == {"chat": "main", "limit": 100, "after": 2}


def test_what_comes_before_its_page_comes_once() -> None:
    me = Me()
    me.load(said(1))
    me.hear(said(2, "once"), said(2, "once"))
    assert me.text().count("once") == 1


def test_a_page_that_did_not_come_may_be_asked_for_again() -> None:
    me = Me()
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, Disconnected("gone"), me.now)
    me.connect()
    assert me.asked("history")


def test_an_answer_for_a_chat_that_is_gone_changes_nothing() -> None:
    me = ready()
    take_answer(
        me.screen,
        HistoryRequest("#gone", "before", 5),
        "history",
        [said(4, chat="#gone")],
        MessagesShown("#gone", 1),
        me.now,
    )
    assert "#gone" not in me.screen.chats.by_name
    assert me.wanted(Ask) == []


def test_more_unread_than_a_page_are_read_from_the_first_one_on() -> None:
    me = Me(ChatInfo("main", 50, 600, muted=False))
    (ask,) = me.asked("history")
    assert ask.arguments == {"chat": "main", "limit": 100, "around": 51}
    me.answer(ask, [said(id) for id in range(51, 151)], MessagesShown("main", 100))
    assert "text 51" in me.text() and "text 150" not in me.text()
    assert "around" not in str(me.asked("history"))


def test_a_page_that_continues_another_stretch_is_not_taken() -> None:
    me = ready()
    navigation.scroll(me.screen, 90)
    (older,) = me.asked("history")
    navigation.open_in_place(me.screen, said(50))
    (around,) = me.asked("history")
    me.answer(around, [said(id) for id in range(45, 56)], MessagesShown("main", 11))
    me.answer(older, [said(id) for id in range(90, 101)], MessagesShown("main", 11))
    assert ids(me) == list(range(45, 56)), "there would be a gap"


def test_both_sides_go_on_until_there_is_nothing_more() -> None:
    me = ready()
    navigation.open_in_place(me.screen, said(50))
    (around,) = me.asked("history")
    me.answer(around, [said(id) for id in range(45, 56)], MessagesShown("main", 11))
    assert me.screen.feed.selected == 50 and not me.screen.feed.at_end and not me.screen.feed.at_start
    navigation.scroll(me.screen, -1)
    before, after = sorted(me.asked("history"), key=lambda ask: "after" in ask.arguments)
    assert (before.arguments["before"], after.arguments["after"]) == (45, 55)
    me.answer(before, [said(id) for id in range(1, 45)], MessagesShown("main", 44))
    me.answer(after, [said(id) for id in range(56, 150)], MessagesShown("main", 94, more="/history …"))
    assert sorted(ids(me)) == list(range(1, 150))
    assert me.screen.feed.at_start and not me.screen.feed.at_end
    navigation.scroll(me.screen, -200)
    (after,) = me.asked("history")
    me.answer(after, [said(id) for id in range(150, 201)], MessagesShown("main", 51))
    assert me.screen.feed.at_end and sorted(ids(me)) == list(range(1, 201))


def test_a_page_that_the_server_refuses_is_not_asked_for_again() -> None:
    me = Me()
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, Refused("unknown_chat", "there is no such chat"), me.now)
    assert "nothing has been said here yet" in me.text()
    navigation.scroll(me.screen, 5)
    me.now += 1
    tick(me.screen, me.now)
    assert not me.asked("history")


def wait(me: Me, seconds: float) -> None:
    me.now += seconds
    tick(me.screen, me.now)


BUSY = Refused("busy", "the server has more to do than it can: history has to wait; try again in 10 s")


@pytest.mark.parametrize("error", [BUSY, Refused("unavailable", "the disk cannot be read; try again", {"done": False})])
def test_a_page_that_the_server_could_not_give_is_asked_for_later(error: Refused) -> None:
    me = Me()
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, error, me.now)
    assert me.screen.flash is not None and me.screen.flash.text.endswith("; it is asked for again")
    assert "loading" in me.text() and "nothing has been said here yet" not in me.text()
    for _ in range(9):
        wait(me, 1)
    assert not me.asked("history")
    wait(me, 2)
    (ask,) = me.asked("history")
    me.answer(ask, [said(1, "at last")], MessagesShown("main", 1))
    assert "at last" in me.text()
    wait(me, 20)
    assert not me.asked("history")


def test_older_pages_that_the_server_could_not_give_are_asked_for_later() -> None:
    me = ready()
    navigation.scroll(me.screen, 60)
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, BUSY, me.now)
    navigation.scroll(me.screen, 5)
    assert not me.asked("history") and not me.screen.feed.at_start
    wait(me, 11)
    (ask,) = me.asked("history")
    assert ask.arguments["before"] == 101


def test_a_chat_whose_unread_messages_fit_is_shown_from_the_first_one_on() -> None:
    me = Me(ChatInfo("main", 150, 50, muted=False))
    (ask,) = me.asked("history")
    assert ask.arguments == {"chat": "main", "limit": 100}
    me.answer(ask, [said(id) for id in range(101, 201)], MessagesShown("main", 100, more="/history …"))
    assert "text 151" in me.text() and "text 200" not in me.text() and not me.asked("history")


def test_pages_are_bounded_and_what_is_dropped_leaves_no_gap() -> None:
    me = Me()
    me.load(*(said(id) for id in range(4901, 5001)), more=True)
    for first in range(4801, 4801 - 100 * 25, -100):
        navigation.scroll(me.screen, 200)
        (ask,) = me.asked("history")
        me.answer(ask, [said(id) for id in range(first, first + 100)], MessagesShown("main", 100, more="/history …"))
    feed = me.screen.feed
    assert len(feed.items) <= ITEMS_MAX and not feed.at_end and not feed.at_start
    assert sorted(ids(me)) == list(range(2401, 2401 + len(feed.items)))
    navigation.escape(me.screen)
    (ask,) = me.asked("history")
    assert ask.arguments == {"chat": "main", "limit": 100}, "the end is the server's again"


def test_a_page_of_the_side_that_has_moved_on_meanwhile_is_not_taken() -> None:
    me = ready()
    navigation.open_in_place(me.screen, said(50))
    (around,) = me.asked("history")
    me.answer(around, [said(id) for id in range(45, 56)], MessagesShown("main", 11))
    navigation.scroll(me.screen, -1)
    before, after = sorted(me.asked("history"), key=lambda ask: "after" in ask.arguments)
    navigation.open_in_place(me.screen, said(20))
    (around,) = me.asked("history")
    me.answer(around, [said(id) for id in range(15, 26)], MessagesShown("main", 11))
    me.answer(after, [said(id) for id in range(56, 90)], MessagesShown("main", 34, more="/history …"))
    me.answer(before, [said(id) for id in range(1, 45)], MessagesShown("main", 44))
    assert ids(me) == list(range(15, 26)), "there would be a gap"


def test_a_page_after_a_place_is_not_the_end_where_there_is_more() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load()
    navigation.open_in_place(me.screen, said(50, chat="#team"))
    around, _ = sorted(me.asked("history"), key=lambda ask: "around" not in ask.arguments)
    me.answer(around, [said(id, chat="#team") for id in range(45, 56)], MessagesShown("#team", 11))
    feed = me.screen.feed
    assert not feed.at_end and feed.is_scrolled
    navigation.scroll(me.screen, -1)
    (after,) = [ask for ask in me.asked("history") if "after" in ask.arguments]
    me.answer(after, [said(id, chat="#team") for id in range(56, 70)], MessagesShown("#team", 14, more="/history …"))
    assert not feed.at_end, "there are more"


def test_the_last_key_that_leads_somewhere_counts_however_late_the_pages_come() -> None:
    me = ready()
    screen = me.screen
    navigation.show_oldest(screen)
    (oldest,) = me.asked("history")
    navigation.show_end(screen)
    assert not me.asked("history"), "the end is here"
    me.answer(oldest, [said(id) for id in range(1, 101)], MessagesShown("main", 100, more="/history …"))
    assert ids(me) == list(range(101, 201)) and not screen.feed.is_scrolled
    navigation.show_oldest(screen)
    (oldest,) = me.asked("history")
    submit(screen, "all done")
    me.answer(oldest, [said(id) for id in range(1, 101)], MessagesShown("main", 100, more="/history …"))
    assert not screen.feed.is_scrolled, "one sees what one says"
    navigation.open_in_place(screen, said(50))
    navigation.open_in_place(screen, said(20))
    fifty, twenty = me.asked("history")
    me.answer(fifty, [said(id) for id in range(45, 56)], MessagesShown("main", 11))
    me.answer(twenty, [said(id) for id in range(15, 26)], MessagesShown("main", 11))
    assert screen.feed.selected == 20 and ids(me) == list(range(15, 26))


def test_a_place_in_a_chat_that_was_not_loaded_stays_on_a_slow_connection() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load()
    navigation.open_in_place(me.screen, said(50, chat="#team"))
    newest, around = me.asked("history")
    wait(me, 1)
    assert not me.asked("history"), "both are on their way"
    me.answer(newest, [said(id, chat="#team") for id in range(101, 201)], MessagesShown("#team", 100, more="/history"))
    me.answer(around, [said(id, chat="#team") for id in range(45, 56)], MessagesShown("#team", 11))
    assert me.screen.feed.selected == 50 and ids(me) == list(range(45, 56))


def test_a_place_that_comes_late_takes_no_message_from_who_acts_on_another() -> None:
    me = ready()
    navigation.open_in_place(me.screen, said(50))
    (around,) = me.asked("history")
    message_actions.choose(me.screen, -1)
    assert me.screen.is_choosing and me.screen.feed.selected == 200
    me.answer(around, [said(id) for id in range(45, 56)], MessagesShown("main", 11))
    assert me.screen.is_choosing and me.screen.feed.selected == 200
    navigation.go_to_time(me.screen, "2026-11-18T08:00:50.000Z", "8:00")
    (since,) = me.asked("history")
    me.answer(since, [said(50)], MessagesShown("main", 1))
    assert me.screen.feed.selected == 200 and not me.asked("history")


BROKEN = Refused("internal", "something went wrong in the server; it was logged")


def test_a_page_that_fails_in_the_server_is_told_once_and_asked_for_again_by_keys_alone() -> None:
    me = Me()
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, BROKEN, me.now)
    assert me.text().count("something went wrong") == 1 and "nothing has been said" not in me.text()
    for _ in range(20):
        wait(me, 10)
    assert not me.asked("history")
    navigation.scroll(me.screen, pages=1)
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, BROKEN, me.now)
    navigation.show_end(me.screen)
    (ask,) = me.asked("history")
    me.answer(ask, [said(id) for id in range(101, 201)], MessagesShown("main", 100, more="/history …"))
    assert "text 200" in me.text()


def test_older_pages_that_fail_in_the_server_are_asked_for_again_by_keys_alone() -> None:
    me = ready()
    navigation.scroll(me.screen, 60)
    (ask,) = me.asked("history")
    take_refusal(me.screen, ask.why, BROKEN, me.now)
    assert not me.screen.feed.at_start and "something went wrong" in me.text("bar")
    for _ in range(20):
        wait(me, 10)
    assert not me.asked("history")
    navigation.scroll(me.screen, 5)
    (ask,) = me.asked("history")
    assert ask.arguments["before"] == 101


def test_a_refused_place_leaves_what_is_there() -> None:
    me = ready()
    navigation.open_in_place(me.screen, said(50))
    (around,) = me.asked("history")
    take_refusal(me.screen, around.why, Refused("unknown_message", "there is no #50"), me.now)
    assert "there is no #50" in me.text("bar")
    navigation.scroll(me.screen, 60)
    (ask,) = me.asked("history")
    assert ask.arguments["before"] == 101
