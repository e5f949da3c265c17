import pytest

from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Connected, Connecting, Forgotten, Lost, Outgoing, TokenNotKept, Unknown
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import Ring
from chat_client.tui.state.items import NoteItem
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import TypedRequest
from chat_server.protocol.accounts import Banned, PasswordSet, SignedIn, Unbanned
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.messages import DelayedFailed, DelayedSet, Expired, MessagesShown, ReadMarker, Sent
from chat_server.protocol.people import PresenceChanged
from chat_server.protocol.rooms import ChatInfo, Invited, Joined, JoinRequest, Left, TopicChanged
from tests.client.people import START, Me, at, said


def test_the_open_chat_is_loaded_once_connected_and_shown() -> None:
    me = Me()
    me.load(said(1, "hello"), said(2, "there"))
    assert "bob  hello" in me.text() and "there" in me.text()


def test_who_comes_into_a_chat_asks_what_there_is_in_it() -> None:
    me = Me()
    me.load()
    me.hear(Joined("#team", "carol"))
    assert not me.asked("status")
    me.hear(Joined("#team", "alice"))
    assert me.asked("status")


def test_unread_numbers_and_markers_of_other_devices() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.hear(said(1, chat="@bob"), said(2, chat="@bob"))
    assert any(row.endswith(" 2  │") and "bob" in row for row in me.rows("left"))
    me.hear(ReadMarker("@bob", 2))
    assert not any(row.endswith(" 2  │") for row in me.rows("left"))


def test_a_marker_of_another_device_in_a_chat_that_was_not_opened() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 9, muted=False))
    me.load()
    me.hear(ReadMarker("@bob", 4))
    assert me.asked("status") and me.screen.chats.by_name["@bob"].unread == 0
    me.status(["alice"], ChatInfo("@bob", 4, 5, muted=False))
    assert me.screen.chats.by_name["@bob"].unread == 5


def test_attention_for_one_to_one_and_mentions_alone() -> None:
    me = Me(
        ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False), ChatInfo("@carol", 0, 0, muted=True)
    )
    me.load()
    me.screen.reading.focused = False
    me.hear(said(1, "hello all"))
    me.hear(said(2, "hello", who="carol", chat="@carol"))
    assert not me.wanted(Ring)
    me.hear(said(3, "hey @alice\x1b]0;x\x07"))
    (ring,) = me.wanted(Ring)
    assert ring.title == "bob in main" and "\x1b" not in ring.body
    me.now += 5
    me.hear(said(4, "psst", chat="@bob"))
    assert me.wanted(Ring)


def test_what_calls_nobody_neither_rings_nor_counts_nor_stands_out() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load()
    me.screen.reading.focused = False
    me.hear(said(1, "psst @alice", mentions=[]))
    assert not me.wanted(Ring) and not me.screen.chats.open.mentions
    (row,) = [row for region in me.frame().regions for row in region.rows if row.id == 1]
    assert not row.fill and not any("me" in style.split() for style, _ in row.fragments)


def test_an_edit_that_names_one_counts_and_one_that_does_so_no_more_does_not() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load()
    room = me.screen.chats.chat("#team")
    me.hear(said(1, "hello", chat="#team"), said(1, "@alice", chat="#team", seq=2))
    assert room.mentions == {1} and room.unread == 1 and not me.wanted(Ring)
    me.hear(said(1, "hello", chat="#team", seq=3))
    assert not room.mentions


def test_a_change_of_an_old_message_is_no_new_one() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 2, muted=False))
    me.load()
    me.hear(said(1, "old", chat="@bob", seq=9, reactions={"👍": ["bob"]}))
    assert me.screen.chats.by_name["@bob"].unread == 2 and not me.wanted(Ring)


def test_attention_for_what_the_page_of_keys_hides() -> None:
    me = Me()
    me.load()
    navigation.toggle_keys_page(me.screen)
    me.hear(said(1, "hey @alice"))
    assert me.wanted(Ring)


def test_mentions_among_what_was_missed_are_counted() -> None:
    me = Me(connect=False)
    me.hear(Connecting("localhost:8000", 1), said(5, "hey @alice"), said(6, "hey all"))
    me.connect(ChatInfo("main", 4, 2, muted=False))
    assert "@1  2 " in me.text("left")


def test_no_attention_for_what_is_watched_or_was_missed() -> None:
    me = Me()
    me.load()
    me.hear(said(1, "@alice"))
    me.hear(Lost("gone", 5), Connecting("localhost:8000", 1), said(2, "@alice", chat="@bob"))
    assert not me.wanted(Ring)


def test_after_a_break_without_a_gap_all_stays() -> None:
    me = Me()
    me.load(said(1))
    me.hear(Lost("gone", 5), Connecting("localhost:8000", 1), said(2, "missed"))
    me.connect(ChatInfo("main", 0, 2, muted=False), resumed=True)
    assert "missed" in me.text() and not me.asked("history")


def test_after_a_break_with_a_gap_all_is_fetched_anew() -> None:
    me = Me()
    me.load(said(1, "old"))
    me.hear(Lost("gone", 5), Forgotten())
    me.connect()
    me.load(said(1, "new"))
    assert "new" in me.text() and "old" not in me.text()
    assert "the server was restored from an older copy" in me.text("bar")


def test_a_lost_connection_counts_down() -> None:
    me = Me()
    me.hear(Lost("the server hung up", me.screen.elapsed + 7))
    assert "○ not connected · next try in 7 s (/reconnect) · the server hung up" in me.text("status")


def test_the_bar_names_the_server_to_which_one_has_moved() -> None:
    me = Me()
    me.hear(Lost("gone", me.screen.elapsed), Connecting("b.example:8001", 1))
    assert "connecting to b.example:8001" in me.text("status")
    me.hear(Connected("b.example:8001", SignedIn("alice", False, 9, "h", [], [], []), True))
    assert "● b.example:8001" in me.text("status")


def test_a_server_that_was_left_for_another_one_is_told_of() -> None:
    me = Me()
    me.load()
    me.hear(Lost("localhost:8000: it takes nothing for now", me.screen.elapsed, "b.example:8001"))
    me.connect(resumed=True)
    assert "localhost:8000: it takes nothing for now; going on at b.example:8001" in me.text()


def test_the_bar_says_how_old_everything_is_while_the_server_has_lost_its_cluster() -> None:
    me = Me()
    me.hear(Notice("this server has lost its cluster", stale=True, as_of=at(1)))
    assert "this server has lost its cluster" in me.text() and "◌ localhost:8000, as of 08:00" in me.text("status")
    me.hear(Notice("an announcement", by="carol"))
    assert "as of" in me.text("status")
    me.hear(Notice("this server has its cluster back", stale=False))
    assert "● localhost:8000" in me.text("status")
    me.hear(Notice("this server has lost its cluster", stale=True, as_of=at(2)), Lost("gone", me.screen.elapsed))
    me.connect(resumed=True)
    assert "● localhost:8000" in me.text("status"), "another server may have it"


def test_who_is_there() -> None:
    me = Me()
    me.hear(PresenceChanged("bob", True), PresenceChanged("carol", False))
    assert "● bob" in me.text("right") and "carol" not in me.text("right")


def test_a_ban_and_its_end() -> None:
    me = Me()
    me.load()
    me.hear(Banned("2026-11-18T20:00:00.000Z", "three reports"))
    assert "banned until" in me.text("status")
    assert "you are banned until 20:00:00, in 8 h 54 min: three reports" in " ".join(me.text().split())
    me.hear(Unbanned())
    assert "banned" not in me.text("status")


def test_events_of_rooms() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, owner="alice", members=["alice"], muted=False))
    me.load()
    me.hear(Invited("#x", "bob"))
    assert "bob invites you to #x; /join #x accepts, /decline #x refuses" in " ".join(me.text().split())
    assert "invited to" in me.text("left") and "   #x" in me.text("left")
    me.hear(JoinRequest("#team", "carol"))
    assert "asking to join" in me.text("left") and "carol #team" in me.text("left")
    me.hear(Joined("#team", "carol"))
    assert me.screen.chats.by_name["#team"].members == ["alice", "carol"] and "asking" not in me.text("left")
    me.hear(TopicChanged("#team", "plans", "carol"))
    assert me.screen.chats.by_name["#team"].topic == "plans"
    me.hear(Left("#team", "alice", by="carol"))
    assert "#team" not in me.screen.chats.by_name and "carol removed you from #team" in me.text()


@pytest.mark.parametrize("by", ["event", "status", "sign-in", "refusal"])
def test_the_note_of_an_offer_goes_with_the_offer(by: str) -> None:
    """It says what to type, and would say so for ever: the invitation was accepted, or taken back by a block."""
    chats = ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, owner="alice", members=["alice"], muted=False)
    me = Me(*chats)
    me.load()
    me.hear(Invited("#x", "bob"), JoinRequest("#team", "carol"), Invited("#y", "bob"))
    asked = me.screen.chats.chat("#team").feed
    assert "/join #x accepts" in " ".join(me.text().split()) and len(asked.items) == 1
    if by == "event":
        me.hear(Joined("#x", "alice"), Joined("#team", "carol"))
    elif by == "status":
        me.status(["alice", "bob"])
    elif by == "sign-in":
        me.connect(*chats, resumed=True)
    else:
        why = TypedRequest("main", "/join #x")
        me.wanted()
        take_refusal(me.screen, why, Refused("unknown_chat", "you are in no chat #x"), me.now)
        assert me.asked("status")
        me.status(["alice", "bob"])
    notes = [item.text for item in asked.items if isinstance(item, NoteItem)]
    assert notes == (["carol joined #team"] if by == "event" else [])
    assert "/join #x accepts" not in " ".join(me.text().split())
    assert ("/join #y accepts" in " ".join(me.text().split())) == (by == "event"), "the other invitation still stands"


def test_a_newcomer_who_has_set_a_password_is_not_asked_for_one_any_more() -> None:
    me = Me()
    me.screen.session.welcome = ["alice has no password: /password <new> sets one"]
    me.load(said(1))
    assert "has no password" in me.text()
    take_answer(me.screen, TypedRequest("main", "/password"), "password", [], PasswordSet(), me.now)
    assert "has no password" not in me.text()


def test_what_has_expired_is_gone() -> None:
    me = Me()
    me.load(said(1, "first"), said(2, "second"))
    me.hear(Expired("main", [1]))
    assert "first" not in me.text() and "second" in me.text()


def test_an_event_of_a_newer_server_is_told_in_plain_words() -> None:
    me = Me()
    me.load()
    me.hear(Unknown("poll_opened", {"by": "bob", "options": ["tea", "coffee"], "secret": False}))
    assert "poll opened: by: bob, options: tea; coffee, secret: no" in me.text()


def test_notices_are_told_but_not_those_of_a_sign_in() -> None:
    me = Me(connect=False)
    me.hear(Connecting("localhost:8000", 1), Notice("welcome, alice"))
    me.connect()
    me.load()
    me.hear(Notice("the server restarts at noon", by="carol"))
    assert "announcement by carol: the server restarts at noon" in me.text() and "welcome" not in me.text()


def test_delayed_messages_are_told_in_the_servers_words() -> None:
    me = Me()
    me.load()
    me.hear(Outgoing("k", "send_delayed", {"target": "main"}, START, "sent", reply=DelayedSet(3, at(400))))
    assert "delayed message 3 goes out at 08:06:40" in me.text() and "/cancel_delayed 3" in me.text()
    me.hear(DelayedFailed(3, "unknown_user"))
    assert "delayed message 3 was not sent: its receiver is gone" in me.text()


def test_why_one_was_thrown_out_stays_to_be_read() -> None:
    me = Me()
    me.load()
    me.hear(Closing("an operator closed this connection: too loud", "kicked"))
    assert "an operator closed this connection: too loud" in me.text()
    me.hear(Closing("the server stops", "stopping"))
    assert "the server stops" not in me.text() and "the server stops" in me.text("bar")


def test_why_the_connection_ended_is_not_told_any_more_once_there_is_another() -> None:
    me = Me()
    me.load()
    again = Connected("localhost:8000", SignedIn("alice", False, 9, "h", [], [], []), True)
    me.hear(Closing("the server stops", "stopping"), Lost("the server stops", 1.0))
    assert "the server stops" in me.text("bar")
    me.hear(Connecting("localhost:8000", 2), again)
    assert "the server stops" not in me.text("bar")
    # What else is told is left there.
    me.screen.tell("info", "#7 was copied")
    me.hear(again)
    assert "#7 was copied" in me.text("bar")


def test_a_token_that_cannot_be_kept_is_told_though_the_first_page_comes() -> None:
    me = Me()
    me.hear(TokenNotKept("Not a directory"))
    me.load(said(1))
    assert "the token cannot be kept: Not a directory; sign in again next time" in me.text("bar")


@pytest.mark.parametrize("does", ["chooses", "replies"])
def test_who_acts_on_what_expires_is_told(does: str) -> None:
    me = Me()
    me.load(said(1), said(2))
    message_actions.choose(me.screen, -1)
    if does == "replies":
        message_actions.compose(me.screen, "reply")
    me.hear(Expired("main", [2]))
    assert "#2 has expired" in me.text("bar") and me.screen.is_typing


def test_without_a_continuation_all_is_fetched_anew() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load(said(1, "old"))
    me.hear(Lost("gone", 5), Connecting("localhost:8000", 1))
    me.connect(ChatInfo("main", 1, 7, muted=False), ChatInfo("#team", 0, 3, muted=False), resumed=False)
    assert "old" not in me.text() and me.screen.chats.open.unread == 7
    me.load(said(1, "old"), said(8, "missed"))
    assert "old" in me.text() and "missed" in me.text()


def test_a_page_that_was_under_way_when_the_connection_broke_is_asked_for_again() -> None:
    me = Me()
    assert me.asked("history")
    me.hear(Lost("gone", 5), Connecting("localhost:8000", 1))
    me.connect(resumed=True)
    me.load(said(1, "hello"))
    assert "hello" in me.text()


def test_a_quote_follows_the_message_that_it_quotes() -> None:
    me = Me()
    me.load(said(9, "an answer", reply_to=2), more=True)
    me.screen.ask_quotes(me.frame().drawn.quoted)
    (ask,) = me.asked("history")
    me.answer(ask, [said(2, "the question")], MessagesShown("main", 1))
    assert "╭ bob the question" in me.text()
    me.hear(said(2, "another question", seq=20))
    assert "the question" not in me.text() and me.frame().drawn.quoted == {2}
    me.screen.ask_quotes(me.frame().drawn.quoted)
    (ask,) = me.asked("history")
    me.answer(ask, [said(2, "another question", seq=20)], MessagesShown("main", 1))
    assert "╭ bob another question" in me.text()


def test_of_what_was_missed_the_newest_message_is_known() -> None:
    me = Me(connect=False)
    me.hear(Connecting("localhost:8000", 1), said(5, chat="@bob"), said(6, chat="@bob"))
    me.connect(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 3, muted=False), resumed=True)
    me.wanted()
    me.hear(ReadMarker("@bob", 5))
    assert me.screen.chats.by_name["@bob"].unread == 3 and not me.asked("status"), "6 is behind the marker"
    me.hear(ReadMarker("@bob", 6))
    assert me.screen.chats.by_name["@bob"].unread == 0


def test_nothing_of_another_history_is_shown() -> None:
    me = Me()
    me.load(said(1, "old"))
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "reply")
    me.hear(Lost("gone", 5), Forgotten())
    assert "old" not in me.text() and me.screen.composer.target is None and not me.screen.chats.open.loaded


def test_an_answer_to_a_message_of_a_chat_that_is_gone_ends_with_it() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load()
    navigation.open_chat(me.screen, "#team")
    me.load(said(1, chat="#team"), chat="#team")
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "reply")
    me.hear(Left("#team", "alice", by="bob"))
    assert me.screen.composer.target is None and me.screen.chats.open_name == "main"


def test_what_comes_below_the_screen_rings_and_is_marked_as_new() -> None:
    me = Me()
    me.load(*(said(id) for id in range(1, 101)))
    me.screen.chats.open.mark_read(100, "alice")
    navigation.scroll(me.screen, pages=1)
    me.settle()
    me.hear(said(101, "hey @alice"))
    assert me.wanted(Ring) and me.screen.chats.open.new_after == 100
    assert "1 new" in me.text("bar")


def test_a_newcomer_is_told_what_the_server_says_and_what_to_do_first() -> None:
    me = Me(connect=False)
    me.hear(Connecting("localhost:8000", 1))
    me.hear(Notice("welcome, alice; the last messages of main:"), Notice("main takes 20 messages of yours in 1 h"))
    me.hear(Notice("alice has no password"))
    signed_in = SignedIn(
        user="alice", new=True, seq=0, history="h", chats=[ChatInfo("main", 0, 0, muted=False)], invitations=[],
        join_requests=[],
    )  # fmt: skip
    me.hear(Connected("localhost:8000", signed_in, False))
    me.load(said(1, "hello"))
    assert "main takes 20 messages of yours in 1 h" in me.text() and "alice has no password" in me.text()
    assert "· welcome, alice\n" in me.text(), "the last messages stand above it"
    for columns in (80, 110, 140):
        me.resize(columns, 34)
        told = "\n".join(me.rows("left"))
        assert " Ctrl-K to a person" in told and " /create_chat #team" in told, "each in one row"
    me.resize(200, 50)
    assert " Ctrl-K write to a person " in me.text("left")
    me.hear(Outgoing("k", "send", {"target": "main", "text": "hi"}, START, state="sent", reply=Sent(id=2, at=at(2))))
    assert "Ctrl-K" not in me.text("left") and "alice has no password" in me.text()


def test_who_is_no_newcomer_is_told_none_of_it() -> None:
    me = Me(connect=False)
    me.hear(Connecting("localhost:8000", 1), Notice("nothing unread", unread={}), Notice("welcome back"))
    me.connect()
    me.load(said(1))
    assert "welcome" not in me.text() and "Ctrl-K" not in me.text("left")


def test_replies_are_counted_as_they_come_from_others_and_from_here() -> None:
    me = Me()
    me.load(said(1, replies=1, last_reply=2), said(2, reply_to=1))
    assert "1 reply" in me.text()
    me.hear(said(3, "yes", who="carol", reply_to=1))
    me.hear(said(3, "yes!", who="carol", reply_to=1, seq=4))
    me.hear(Outgoing("k", "reply", {"id": 1, "text": "no"}, START, "sent", reply=Sent(5, at(5))))
    assert "3 replies" in me.text()
    me.hear(Expired("main", [2, 3]))
    assert "1 reply" in me.text()
