import pytest

from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.feed import Anchor
from chat_client.tui.state.read_tracking import READ_SECONDS, ReadTracking
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import said


def chat_state(count: int = 50, read: int = 0) -> ChatState:
    chat = ChatState("main")
    chat.sign_in(ChatInfo(name="main", read=read, unread=count - read, muted=False))
    chat.feed.at_start = chat.feed.at_end = chat.loaded = True
    chat.feed.extend(said(id) for id in range(1, count + 1))
    chat.newest = count
    return chat


def look(
    tracking: ReadTracking, chat: ChatState, first: int, last: int, elapsed: float = 0.0, online: bool = True
) -> None:
    tracking.look(chat, first, last, "alice", elapsed, online)


def test_what_was_on_the_screen_for_a_second_is_read() -> None:
    tracking, chat = ReadTracking(), chat_state(10)
    look(tracking, chat, 1, 10)
    assert tracking.take_due(READ_SECONDS / 2) is None
    look(tracking, chat, 1, 10, READ_SECONDS / 2)
    assert tracking.take_due(READ_SECONDS) == ("main", 10) and tracking.take_due(9) is None


def test_nothing_is_read_with_an_unread_message_above() -> None:
    tracking, chat = ReadTracking(), chat_state()
    look(tracking, chat, 31, 50)
    assert tracking.unread_above == 30 and tracking.candidate is None and tracking.take_due(9) is None


def test_what_is_read_or_ones_own_is_not_above() -> None:
    tracking, chat = ReadTracking(), chat_state(50, read=30)
    look(tracking, chat, 31, 50)
    assert tracking.unread_above == 0 and tracking.take_due(9) == ("main", 50)
    chat = chat_state(50, read=29)
    chat.feed.put(said(30, who="alice", seq=60))
    look(tracking, chat, 31, 50)
    assert tracking.unread_above == 0


def test_pages_that_follow_each_other_have_been_seen() -> None:
    tracking, chat = ReadTracking(), chat_state()
    chat.feed.settle(Anchor((20, 0)))
    look(tracking, chat, 1, 20)
    chat.feed.settle(Anchor((40, 0)))
    look(tracking, chat, 21, 40)
    assert tracking.unread_above == 0 and tracking.seen == ("main", 40)
    chat.feed.follow_end()
    look(tracking, chat, 45, 50)
    assert tracking.unread_above == 4, "between 40 and 45 nothing was on the screen"


def test_what_passes_while_one_watches_the_end_has_been_seen() -> None:
    tracking, chat = ReadTracking(), chat_state(10)
    look(tracking, chat, 1, 10)
    chat.feed.extend(said(id) for id in range(11, 100))
    look(tracking, chat, 90, 99)
    assert tracking.unread_above == 0 and tracking.seen == ("main", 99)


@pytest.mark.parametrize("why", ["scrolled", "unfocused", "offline", "elsewhere", "another chat"])
def test_what_passes_while_one_does_not_watch_has_not(why: str) -> None:
    tracking, chat = ReadTracking(), chat_state(10)
    if why == "scrolled":
        chat.feed.settle(Anchor((10, 0)))
    tracking.focused = why != "unfocused"
    look(tracking, chat, 1, 10, online=why != "offline")
    if why == "elsewhere":
        tracking.look_away()
    elif why == "another chat":
        other = chat_state(3)
        other.name = "#team"
        look(tracking, other, 1, 3)
    chat.feed.extend(said(id) for id in range(11, 100))
    chat.feed.follow_end()
    tracking.focused = True
    look(tracking, chat, 90, 99)
    assert tracking.unread_above > 0 and tracking.candidate is None


def test_without_the_focus_nothing_is_read() -> None:
    tracking, chat = ReadTracking(focused=False), chat_state(10)
    look(tracking, chat, 1, 10)
    assert tracking.candidate is None and tracking.seen is None


def test_a_second_chat_takes_a_second_of_its_own() -> None:
    tracking, chat, other = ReadTracking(), chat_state(10), chat_state(5)
    other.name = "#team"
    look(tracking, chat, 1, 10, 0.0)
    look(tracking, other, 1, 5, 0.9)
    assert tracking.take_due(1.0) is None and tracking.take_due(2.0) == ("#team", 5)


def test_unread_messages_that_are_not_kept_are_above_too() -> None:
    tracking, chat = ReadTracking(), chat_state(0)
    chat.read, chat.unread, chat.newest = 100, 600, 700
    chat.feed.at_start = False
    chat.feed.restart([said(id) for id in range(651, 701)])
    chat.feed.at_end = True
    look(tracking, chat, 681, 700)
    assert tracking.unread_above == 550, "those that are kept are counted, the others are the server's number"
