import pytest

from chat_client.sdk.events import Ended, Lost, Outgoing
from chat_client.tui.state import navigation
from chat_server.protocol.accounts import Banned
from chat_server.protocol.people import Limit
from chat_server.protocol.rooms import ChatInfo, SlowModeChanged
from tests.client.people import START, Me, said


def test_the_title_tells_what_is_unread_elsewhere_where_the_sides_are_folded_away() -> None:
    me = Me(
        ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 4, topic="plans", muted=False), columns=60, rows=15
    )
    assert me.text("title").split() == ["main", "everyone", "#team", "4"]
    navigation.open_chat(me.screen, "#team")
    assert "#team  plans" in me.text("title")


def test_the_title_tells_of_slow_mode() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=True, slow_mode=90))
    assert "main  everyone · slow mode: 90s · muted" in me.text("title")
    me.hear(SlowModeChanged("main", 0, "bob"))
    assert "main  everyone · muted" in me.text("title") and "bob ended the slow mode of main" in me.text()


def test_an_end_is_told() -> None:
    me = Me()
    me.hear(Ended("signed_out", "signed out from elsewhere"))
    assert "○ signed out from elsewhere" in me.text("status")


def test_one_line_is_one_line_whatever_it_holds() -> None:
    me = Me(ChatInfo("main", 0, 0, topic="one\ntwo\x1b[2J", muted=False))
    assert len(me.rows("title")) == 1 and "\x1b" not in me.text("title") and "\n" not in me.text("title")


def test_the_most_pressing_of_many_chats_is_told_and_how_many_more() -> None:
    teams = [ChatInfo(f"#team{number}", 0, 1, muted=False) for number in range(9)]
    me = Me(ChatInfo("main", 0, 0, muted=False), *teams, ChatInfo("@bob", 0, 2, muted=False), columns=60, rows=15)
    me.hear(said(1, "@alice", chat="#team7"))
    assert me.text("title").split() == ["main", "everyone", "#team7", "@1", "2", "@bob", "2", "+8"]


@pytest.mark.parametrize("held", [False, True])
def test_without_a_connection_what_waits_is_told_before_the_reason_which_may_be_long(held: bool) -> None:
    me = Me(columns=80, rows=24)
    me.load()
    me.hear(Lost("a-long-name.example.org:8001: nothing listens there", me.screen.elapsed + 7.0))
    me.hear(Outgoing("k", "send", {"target": "main", "text": "hi"}, START, "held" if held else "waiting"))
    told = me.text("status")
    assert "next try in 7 s (/reconnect)" in told
    assert ("1 held: /confirm or /discard" if held else "1 to send · a-long-name") in told


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_what_concerns_the_user_is_not_cut_off_for_the_name_of_the_server(columns: int) -> None:
    me = Me(columns=columns, rows=24)
    me.screen.session.server = "chat.of-the-whole-company.internal.example.org:8001"
    me.status(["alice"], limit=Limit(16, 20, "2026-11-18T20:00:00.000Z"))
    assert "4 of 20 left in main" in me.text("status") and " ● chat" in me.text("status")
    me.hear(Banned("2026-11-18T20:00:00.000Z", "three reports"))
    assert "banned until 20:00 (8 h 54 min)" in me.text("status") and "alice" in me.text("status")
