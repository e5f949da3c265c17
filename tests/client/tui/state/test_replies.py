from collections.abc import Callable
from datetime import datetime

import pytest

from chat_client.common.typed_lines import whole_line
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import OtherReply
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import Run, SetText
from chat_client.tui.state.incoming import handle
from chat_client.tui.state.items import NoteItem
from chat_client.tui.state.notes import note
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import QuoteRequest, ResultsRequest, ThreadRequest, TypedRequest
from chat_client.tui.state.screen_state import ScreenState
from chat_client.tui.state.terminal_events import tick
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Changed, Found, ReadMarker, ThreadShown
from chat_server.protocol.messages import MessagesShown as PageOf
from chat_server.protocol.people import Limit, Muted, PresenceChanged, WhoReport
from chat_server.protocol.rooms import (
    ChatCreated,
    ChatInfo,
    ChatLeft,
    Entering,
    InvitationDeclined,
    Joined,
    Left,
    RequestDenied,
    SlowModeChanged,
    TopicChanged,
)
from tests.client.people import Me, at, said


def ready() -> Me:
    me = Me()
    me.load(said(1))
    return me


def reply(me: Me, verb: str, reply: object, *lines: object) -> None:
    why = TypedRequest(me.screen.chats.open_name, f"/{verb}")
    take_answer(me.screen, why, verb, lines, reply, me.now)  # type: ignore[arg-type]


def test_an_answer_is_told_in_the_servers_words() -> None:
    me = ready()
    reply(me, "who", WhoReport("bob", True, at(1), away="lunch"))
    assert "bob is online (away: lunch)" in me.text()


def test_an_answer_without_words_is_told_by_its_fields() -> None:
    me = ready()
    reply(me, "poll", OtherReply({"question": "tea?", "votes": 3}))
    assert "question: tea?, votes: 3" in me.text()
    reply(me, "shrug", OtherReply({}))
    assert "shrug: done" in me.text()


def test_who_creates_or_joins_a_chat_is_in_it() -> None:
    me = ready()
    reply(me, "join", Entering("#far", asked=True))
    assert (
        me.screen.chats.open_name == "main"
        and "asked to join #far" in me.text()
        and "#far" not in me.screen.chats.by_name
    )
    reply(me, "join", Entering("#team"))
    assert me.screen.chats.open_name == "#team"
    reply(me, "create_chat", ChatCreated("#mine"))
    assert me.screen.chats.open_name == "#mine"


def test_messages_that_a_command_returns_are_a_view() -> None:
    me = ready()
    reply(me, "history", PageOf("main", 1), said(50, "from long ago"))
    assert "from long ago" in me.text() and "/history" in me.text("title")


def test_a_refusal_is_told_where_it_was_typed() -> None:
    me = ready()
    take_refusal(me.screen, TypedRequest("main", "/x"), Refused("unknown_command", "there is no /x"), me.now)
    assert "✗ there is no /x" in me.text()
    take_refusal(me.screen, TypedRequest("main", "/who x"), Refused("unknown_user", "there is no x"), me.now)
    assert "✗ there is no x" in me.text()


def test_what_is_told_out_of_sight_is_told_over_the_input_too() -> None:
    me = ready()
    me.screen.chats.chat("@bob")
    take_refusal(me.screen, TypedRequest("@bob", "/x"), Refused("unknown_user", "there is no x"), me.now)
    assert "there is no x" in me.text("bar")


def test_no_more_results() -> None:
    me = ready()
    take_answer(me.screen, ResultsRequest("x"), "search", [said(9), said(8)], PageOf("main", 2, more="/search"), me.now)
    take_answer(me.screen, ResultsRequest("x", more=True), "search", [said(5)], PageOf("main", 1), me.now)
    assert sorted(me.screen.feed.messages) == [5, 8, 9]
    take_answer(me.screen, ResultsRequest("x", more=True), "search", [], PageOf("main", 0), me.now)
    assert "no more results" in me.text("bar")


def test_more_results_are_asked_for_by_the_servers_own_command() -> None:
    me = ready()
    found = [said(id) for id in range(100, 120)]
    take_answer(
        me.screen, ResultsRequest("search · x"), "search", found, Found(20, more="/search x before:100"), me.now
    )
    assert "search · x" in me.text("title") and "20+ messages" in me.text("title")
    for _ in range(15):
        message_actions.step(me.screen, -1)
    assert me.wanted(Run) == [Run(whole_line("/search x before:100"), ResultsRequest("search · x", more=True))]
    take_answer(me.screen, ResultsRequest("search · x", more=True), "search", [said(90)], Found(1), me.now)
    message_actions.step(me.screen, -1)
    assert not me.wanted(Run) and "21 messages" in me.text("title")
    reply(me, "history", PageOf("main", 1, more="/history main before 50"), said(50))
    message_actions.step(me.screen, -1)
    assert me.wanted(Run) == [Run(whole_line("/history main before 50"), ResultsRequest("/history", more=True))]


def test_a_search_that_has_found_nothing_yet_goes_on() -> None:
    me = ready()
    take_answer(me.screen, ResultsRequest("search · x"), "search", [], Found(0, more="/search x before:900"), me.now)
    assert (
        me.wanted(Run) == [Run(whole_line("/search x before:900"), ResultsRequest("search · x"))]
        and "nothing" not in me.text()
    )
    take_answer(me.screen, ResultsRequest("search · x"), "search", [], Found(0), me.now)
    assert "nothing found: search · x" in me.text()


def test_a_quote_is_fetched_when_it_is_on_the_screen() -> None:
    me = Me()
    me.load(said(9, "answer", reply_to=2))
    assert me.frame().drawn.quoted == {2}
    me.screen.ask_quotes(frozenset({2}))
    (ask,) = me.asked("history")
    assert ask.arguments["around"] == 2 and ask.why == QuoteRequest(2)
    me.screen.ask_quotes(frozenset({2}))
    assert not me.asked("history")
    me.answer(ask, [said(2, "the question")], PageOf("main", 1))
    assert "╭ bob the question" in me.text()


def test_what_answers_tell_besides() -> None:
    me = ready()
    me.hear(said(2), said(3))
    reply(me, "members", OtherReply({"chat": "#new", "members": ["alice", {"name": "bob"}]}))
    assert me.screen.chats.by_name["#new"].members == ["alice", "bob"]
    me.screen.roster.invitations, me.screen.roster.join_requests = ["#x"], [("#new", "bob")]
    reply(me, "decline", InvitationDeclined("#x"))
    reply(me, "deny", RequestDenied("#new", "bob"))
    assert not me.screen.roster.invitations and not me.screen.roster.join_requests


def test_a_change_that_was_typed_is_answered_and_one_by_a_key_told_for_a_moment() -> None:
    me = ready()
    reply(me, "edit", Changed(1, 9))
    assert "✓ changed #1" in me.text()
    me.screen.change("main", "delete", 7)
    (ask,) = me.asked("delete")
    me.answer(ask, [], Changed(7, 10))
    assert "changed #7" in me.text("bar") and "changed #7" not in me.text()


@pytest.mark.parametrize("does", ["types", "edits", "jumps"])
@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("create_chat", ChatCreated("#new")),
        ("join", Entering("#new", asked=False)),
        ("get_chat_with", PageOf("@zoe", 1)),
        ("history", PageOf("@bob", 1)),
        ("thread", ThreadShown(5, "@bob", 0)),
    ],
)
def test_a_late_answer_does_not_take_the_line_from_who_has_typed_on(verb: str, reply: Reply, does: str) -> None:
    me = ready()
    why = ThreadRequest(5, "main") if verb == "thread" else TypedRequest("main", f"/{verb} …")
    if does == "types":
        me.screen.composer.text = "to all of y"
    elif does == "edits":
        message_actions.choose(me.screen, -1)
        message_actions.compose(me.screen, "reply")
    else:
        navigation.open_finder(me.screen)
    me.wanted()
    take_answer(me.screen, why, verb, [said(5, chat="@bob")], reply, me.now)
    assert me.screen.chats.open_name == "main" and me.screen.view is None and not me.wanted(SetText)
    assert (does == "jumps") == (me.screen.dialogs.finder is not None) and (does == "edits") == (
        me.screen.composer.target is not None
    )
    assert me.screen.flash is not None and "when you are done" in me.screen.flash.text


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("create_chat", ChatCreated("#new")),
        ("get_chat_with", PageOf("@zoe", 1)),
        ("history", PageOf("@bob", 1)),
        ("thread", ThreadShown(5, "main", 0)),
    ],
)
def test_a_late_answer_does_not_fetch_back_who_has_gone_to_another_chat(verb: str, reply: Reply) -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load(said(5))
    if verb == "thread":
        navigation.open_thread(me.screen, 5)
        (ask,) = me.asked("thread")
        why = ask.why
    else:
        why = TypedRequest("main", f"/{verb} …")
    navigation.open_chat(me.screen, "#team")
    take_answer(me.screen, why, verb, [said(5)], reply, me.now)
    assert me.screen.chats.open_name == "#team" and me.screen.view is None
    assert me.screen.flash is not None and me.screen.flash.text.startswith("you are elsewhere: ")


@pytest.mark.parametrize("first", ["event", "answer"])
def test_the_answer_to_leaving_a_chat_does_not_go_with_it(first: str) -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load()
    navigation.open_chat(me.screen, "#team")
    me.load(chat="#team")
    if first == "event":
        handle(me.screen, Left("#team", "alice"), me.now, is_own=True)
    take_answer(me.screen, TypedRequest("#team", "/leave #team"), "leave", [], ChatLeft("#team"), me.now)
    if first == "answer":
        handle(me.screen, Left("#team", "alice"), me.now, is_own=True)
    assert me.screen.chats.open_name == "main" and "#team" not in me.screen.chats.by_name
    assert me.text().count("#team") == 1


CONFIRMED: list[tuple[Event, Callable[[ScreenState], bool]]] = [
    (said(1, "changed", who="alice", seq=9), lambda screen: screen.feed.messages[1].message.text == "changed"),
    (said(1, who="alice", seq=9, deleted=True), lambda screen: screen.feed.messages[1].message.deleted),
    (ReadMarker("#team", 7), lambda screen: screen.chats.by_name["#team"].unread == 0),
    (Muted("#team", True), lambda screen: screen.chats.by_name["#team"].muted),
    (PresenceChanged("alice", True, "lunch"), lambda screen: screen.roster.away == {"alice": "lunch"}),
    (TopicChanged("#team", "plans", "alice"), lambda screen: screen.chats.by_name["#team"].topic == "plans"),
    (SlowModeChanged("#team", 30, "alice"), lambda screen: screen.chats.by_name["#team"].slow_mode == 30),
    (Joined("#new", "alice"), lambda screen: "#new" in screen.chats.by_name and not screen.roster.invitations),
    (Joined("#team", "carol"), lambda screen: screen.chats.by_name["#team"].members == ["alice", "bob", "carol"]),
    (Left("#team", "bob", "alice"), lambda screen: screen.chats.by_name["#team"].members == ["alice"]),
    (
        Notice("bob owns #team now", chat="#team", owner="bob"),
        lambda screen: screen.chats.by_name["#team"].owner == "bob",
    ),
    (Left("#team", "alice"), lambda screen: "#team" not in screen.chats.by_name),
]


@pytest.mark.parametrize("answered_here", [True, False])
@pytest.mark.parametrize("event, shows", CONFIRMED)
def test_a_change_looks_the_same_whoever_made_it(
    event: Event, shows: Callable[[ScreenState], bool], answered_here: bool
) -> None:
    """Pushed, or confirmed by the answer to one's own command, which alone tells it in words then."""
    me = Me(
        ChatInfo("main", 0, 0, muted=False),
        ChatInfo("#team", 0, 2, muted=False, owner="alice", members=["alice", "bob"]),
    )
    me.load(said(1, who="alice"))
    me.screen.roster.invitations = ["#new"]
    assert not shows(me.screen)
    handle(me.screen, event, me.now, is_own=answered_here)
    assert shows(me.screen)
    if answered_here:
        assert not any(
            isinstance(item, NoteItem) for room in me.screen.chats.by_name.values() for item in room.feed.items
        )


def test_limits_are_in_the_status_line() -> None:
    me = ready()
    me.status(["alice"], limit=Limit(3, 20, "2026-11-18T20:00:00.000Z"))
    assert "17 of 20 left in main" in me.text("status")
    me.status(["alice"], limit=Limit(20, 20, "2026-11-18T20:00:00.000Z"))
    assert "none left in main until 20:00 (" in me.text("status")
    assert tick(me.screen, me.now), "it counts down"
    end = datetime.fromisoformat("2026-11-18T20:00:00+00:00").timestamp()
    assert not tick(me.screen, end + 2) and "left in main" not in me.text("status")


def test_an_answer_comes_into_sight_but_what_happens_meanwhile_does_not_disturb() -> None:
    me = Me()
    me.load(*(said(id) for id in range(1, 101)))
    navigation.scroll(me.screen, 50)
    me.settle()
    note(me.screen, "main", "done", "saved: a.png")
    assert "text 100" not in me.text() and "saved" in me.text("bar")
    reply(me, "who", WhoReport("bob", True, at(1)))
    assert "bob is online" in me.rows()[-1]


def test_what_comes_of_a_search_takes_the_keys_from_no_message() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    assert me.screen.is_choosing
    found = [said(8), said(9)]
    take_answer(me.screen, ResultsRequest("search · x"), "search", found, Found(2), me.now)
    assert me.screen.feed.selected == 9 and not me.screen.is_choosing and me.screen.is_typing
    message_actions.choose(me.screen, -1)
    assert me.screen.is_choosing
    me.screen.end_choosing()
    assert me.screen.feed.selected == 9, "among results one is always selected"


def test_more_results_open_no_view_that_was_left() -> None:
    me = ready()
    more = ResultsRequest("search · x", more=True)
    take_answer(me.screen, more, "search", [said(8)], Found(1), me.now)
    assert me.screen.view is None
    take_answer(me.screen, more, "search", [], Found(0, more="/search x before:8"), me.now)
    assert not me.wanted(Run)


def test_a_status_that_does_not_know_the_marker_yet_changes_no_number() -> None:
    me = ready()
    me.hear(said(2), said(3))
    me.status(["alice"], ChatInfo("main", 1, 9, muted=False))
    assert me.screen.chats.open.unread != 9
    me.status(["alice"], ChatInfo("main", me.screen.chats.open.read, 9, muted=False))
    assert me.screen.chats.open.unread == 9


def test_a_note_brings_no_chat_back_that_was_left() -> None:
    me = ready()
    note(me.screen, "#gone", "info", "file 7: cancelled")
    assert "#gone" not in me.screen.chats.by_name and "file 7: cancelled" in me.text()
