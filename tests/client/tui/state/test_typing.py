from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chat_client.common.local_commands import with_local
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.events import Ended
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import (
    Ask,
    CancelTransfers,
    Confirm,
    Discard,
    DownloadFile,
    Effect,
    Exit,
    InsertText,
    PostMessage,
    Reconnect,
    Run,
    SendText,
    SetText,
    UploadFile,
)
from chat_client.tui.state.front_end import named_chat
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import ThreadRequest, TypedRequest
from chat_client.tui.state.screen_state import ScreenState
from chat_client.tui.state.typing import answer_question, paste, submit, type_anyway
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.help import command_forms
from chat_server.protocol.messages import Expired, File, MessagesShown, ThreadShown
from chat_server.protocol.rooms import ChatCreated, ChatInfo, Entering, TopicChanged
from tests.client.people import Me, said


def ready() -> Me:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load(said(1), said(2, "mine", who="alice"), said(3, reactions={"👍": ["alice"]}))
    me.wanted()
    me.screen.session.commands = with_local(command_forms())
    return me


def test_plain_text_goes_to_the_open_chat() -> None:
    me = ready()
    assert submit(me.screen, "hello\nthere")
    navigation.open_chat(me.screen, "@bob")
    submit(me.screen, "//etc")
    first, second = me.wanted(PostMessage)
    assert first == PostMessage("send", {"target": "main", "text": "hello\nthere"})
    assert second == PostMessage("send", {"target": "@bob", "text": "/etc"})


def test_who_says_something_has_seen_what_is_new() -> None:
    me = ready()
    me.screen.chats.open.new_after = 2
    submit(me.screen, "hello")
    assert me.screen.chats.open.new_after is None


def test_after_the_end_no_file_is_offered() -> None:
    me = ready()
    me.hear(Ended("signed_out", "signed out"))
    assert not submit(me.screen, "x" * 5000)
    assert me.screen.dialogs.question is None and "not sent: the connection has ended" in me.text("bar")


def test_a_text_that_is_too_long_stays_in_the_input() -> None:
    me = ready()
    assert not submit(me.screen, "x" * 5000)
    assert "5,000 of 4,096" in me.text("bar") and not me.wanted(PostMessage)
    assert not submit(me.screen, "   ")


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("/reconnect", Reconnect()),
        ("/confirm", Confirm()),
        ("/discard", Discard()),
        ("/cancel", CancelTransfers()),
        ("/quit", Exit()),
        ("/send_file bob ~/my photo.png", UploadFile("main", "@bob", "~/my photo.png")),
        ("/get_file #7", DownloadFile("main", 7, None)),
        ("/get_file 7 b.png", DownloadFile("main", 7, "b.png")),
        ("/open_file 7", DownloadFile("main", 7, None, opens=True)),
    ],
)
def test_commands_of_the_client(line: str, wanted: Effect) -> None:
    me = ready()
    assert submit(me.screen, line)
    assert me.wanted(type(wanted)) == [wanted]


def test_other_commands_are_the_servers() -> None:
    me = ready()
    submit(me.screen, "/who bob")
    assert [effect.command.line for effect in me.wanted(Run)] == ["/who bob"]


@pytest.mark.parametrize("line", ["/open a b", "/open #nowhere", "/search", "/thread", "/send_file", "/get_file x"])
def test_what_is_missing_is_said(line: str) -> None:
    me = ready()
    submit(me.screen, line)
    assert "✗" in me.text() and not me.wanted()


def test_what_takes_something_away_waits_for_an_enter_on_the_whole_line() -> None:
    me = ready()
    submit(me.screen, "/open bob")
    me.wanted()
    assert not submit(me.screen, "/block")
    assert me.wanted() == [SetText("/block @bob")]
    me.screen.composer.text = "/block @bob"
    assert "Enter does it for the open chat" in me.text("bar")
    assert submit(me.screen, "/block @bob")
    assert [effect.command.line for effect in me.wanted(Run)] == ["/block @bob"]


def test_a_command_means_no_chat_while_nobody_knows_which_one_was_meant() -> None:
    me = ready()
    me.screen.chats.removed_from = "#ops"
    submit(me.screen, "/mute")
    assert [effect.command.arguments for effect in me.wanted(Run)] == [None]
    me.screen.chats.removed_from = None
    submit(me.screen, "/mute")
    assert [effect.command.arguments for effect in me.wanted(Run)] == [{"chat": "main"}]


def test_chats_are_opened_by_name() -> None:
    me = ready()
    submit(me.screen, "/open BOB")
    assert me.screen.chats.open_name == "@bob"
    me.screen.roster.online["zoe"] = False
    submit(me.screen, "/open zoe")
    assert me.screen.chats.open_name == "@zoe" and not me.wanted(Run)
    submit(me.screen, "/open stranger")
    assert [effect.command.line for effect in me.wanted(Run)] == ["/get_chat_with @stranger"]
    assert named_chat(me.screen, "Main") == "main"


def test_history_around_an_id_is_shown_in_place() -> None:
    me = ready()
    submit(me.screen, "/history @bob around #40")
    (ask,) = [ask for ask in me.asked("history") if "around" in ask.arguments]
    assert me.screen.chats.open_name == "@bob" and ask.arguments["around"] == 40


def test_replying_editing_and_reacting_to_the_selected_message() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "react")
    submit(me.screen, ":tada:")
    assert me.wanted(Ask)[-1].arguments == {"id": 3, "emoji": "🎉"}
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "react")
    submit(me.screen, "👍")
    assert me.wanted(Ask)[-1].verb == "unreact"
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "reply", "a draft")
    submit(me.screen, "/not a command")
    assert me.wanted(PostMessage, SetText)[1:] == [
        PostMessage("reply", {"id": 3, "text": "/not a command"}),
        SetText("a draft"),
    ]
    message_actions.choose(me.screen, -1)
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "edit")
    submit(me.screen, "changed")
    assert me.wanted(Ask)[-1].arguments == {"id": 2, "text": "changed"}
    assert me.screen.composer.target is None


def test_deleting_asks_first() -> None:
    me = ready()
    for yes in (False, True):
        message_actions.choose(me.screen, -1)
        message_actions.choose(me.screen, -1)
        message_actions.delete(me.screen)
        assert "delete #2 “mine”?  Enter: yes" in me.text("bar")
        answer_question(me.screen, yes)
        assert [ask.verb for ask in me.wanted(Ask)] == ["delete"] * yes
        assert me.screen.is_typing and me.screen.feed.selected is None


def test_what_would_be_refused_is_not_asked_about() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    message_actions.delete(me.screen)
    assert me.screen.dialogs.question is None and "only your own messages" in me.text("bar")
    me.screen.session.is_operator = True
    message_actions.delete(me.screen)
    assert "delete #3 by bob “text 3”?" in me.text("bar")


def test_the_question_before_a_deletion_names_a_file() -> None:
    me = ready()
    me.hear(replace(said(4, who="alice", file=File(7, "cat.png", 2, "")), text=None))
    message_actions.choose(me.screen, -1)
    message_actions.delete(me.screen)
    assert "delete #4 “cat.png”?" in me.text("bar")


@pytest.mark.parametrize(
    "act",
    [
        lambda screen: message_actions.compose(screen, "reply"),
        lambda screen: message_actions.compose(screen, "react"),
        lambda screen: message_actions.compose(screen, "edit"),
        message_actions.delete,
        message_actions.copy_id,
        message_actions.copy_selected,
        message_actions.open_thread_of_selected,
        message_actions.open_selected,
        navigation.escape,
        lambda screen: navigation.open_chat(screen, "@bob"),
        lambda screen: message_actions.click(screen, 1),
        lambda screen: type_anyway(screen, "a block\nthat is pasted"),
    ],
)
def test_choosing_ends_with_what_one_does(act: Callable[[ScreenState], object]) -> None:
    me = ready()
    me.hear(said(4, "mine", who="alice"))
    message_actions.choose(me.screen, -1)
    assert me.screen.is_choosing and not me.screen.is_typing
    act(me.screen)
    assert not me.screen.is_choosing


def test_no_click_makes_letters_act() -> None:
    me = ready()
    for id in (1, 2, 2, 3):
        message_actions.click(me.screen, id)
        assert me.screen.is_typing and not me.screen.is_choosing
    message_actions.choose(me.screen, -1)
    assert me.screen.is_choosing and me.screen.feed.selected == 3


@pytest.mark.parametrize(
    "typed, meant",
    [(":tada:", "🎉"), (":tada", "🎉"), ("tada", "🎉"), (":👍", "👍"), ("👍", "👍"), (":)", ":)"), ("+1", "👍")],
)
def test_what_a_reaction_is(typed: str, meant: str) -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "react")
    assert submit(me.screen, typed)
    assert me.wanted(Ask)[-1].arguments["emoji"] == meant


def test_a_word_in_place_of_an_emoji_stays_in_the_line() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "react")
    assert not submit(me.screen, "hello there") and not submit(me.screen, ":")
    me.screen.composer.text = ":"
    assert me.screen.composer.target is not None and not me.wanted(Ask) and "is not an emoji" in me.text("bar")


def test_what_is_typed_at_a_question_is_typed() -> None:
    me = ready()
    paste(me.screen, "x\n" * 50)
    type_anyway(me.screen, "y")
    assert me.screen.dialogs.question is None and me.wanted() == [InsertText("y")]


def test_a_small_paste_is_taken_and_a_big_one_asks() -> None:
    me = ready()
    paste(me.screen, "two\r\nlines")
    assert me.wanted() == [InsertText("two\nlines")]
    paste(me.screen, "x\n" * 50)
    assert not me.wanted() and "paste 51 lines · 100 of 4,096 characters?" in me.text("bar")
    answer_question(me.screen, True)
    assert me.wanted() == [InsertText("x\n" * 50)]


def test_what_is_too_long_for_a_message_may_go_out_as_a_file() -> None:
    me = ready()
    text = "x" * (me.screen.session.text_max + 1)
    paste(me.screen, text)
    assert "send it to main as a file?" in me.text("bar")
    answer_question(me.screen, True)
    assert me.wanted() == [SendText("main", text)]
    assert not submit(me.screen, text) and not me.wanted()
    answer_question(me.screen, True)
    assert me.wanted() == [SetText(""), SendText("main", text)]
    assert not submit(me.screen, text)
    answer_question(me.screen, False)
    assert not me.wanted(), "it stays in the line"


def test_text_in_a_thread_answers_it() -> None:
    me = ready()
    navigation.open_thread(me.screen, 1)
    (ask,) = me.asked("thread")
    me.answer(ask, [said(1)], ThreadShown(1, "main", 0))
    me.screen.feed.selected = 1
    submit(me.screen, "in the thread")
    assert me.screen.feed.selected is None, "the end of the thread is in sight"
    message_actions.click(me.screen, 1)
    assert me.wanted(PostMessage) == [PostMessage("reply", {"id": 1, "text": "in the thread"})]


def test_a_thread_whose_beginning_is_gone_is_answered_where_it_can_be() -> None:
    me = ready()
    navigation.open_thread(me.screen, 1)
    (ask,) = me.asked("thread")
    me.answer(ask, [said(1), said(5, reply_to=1), said(6, reply_to=5)], ThreadShown(1, "main", 2))
    me.hear(Expired("main", [1]))
    submit(me.screen, "to what is left")
    assert me.wanted(PostMessage) == [PostMessage("reply", {"id": 5, "text": "to what is left"})]
    me.hear(said(5, seq=9, deleted=True), Expired("main", [6]))
    assert me.hint == "nothing is left here to reply to · Esc"
    assert not submit(me.screen, "to nobody") and not me.wanted(PostMessage)
    assert "nothing is left in this thread" in me.text("bar")


def test_help_tells_what_there_is_here() -> None:
    me = ready()
    me.screen.session.commands = []
    submit(me.screen, "/help")
    assert [effect.command.line for effect in me.wanted(Run)] == ["/help"]  # not told yet what there is
    me.screen.session.commands = with_local(command_forms())
    submit(me.screen, "/help")
    text = " ".join(me.text().split())
    assert "Write: /send_all /send" in text and "Client: /open" in text and "/resume" not in text
    submit(me.screen, "/help open")
    assert "/open <chat>" in me.text() and "for example: /open @bob" in me.text()
    submit(me.screen, "/help opne")
    assert [effect.command.line for effect in me.wanted(Run)] == ["/help opne"]


def test_a_long_answer_is_shown_from_its_beginning_on() -> None:
    me = ready()
    me.resize(60, 15)
    me.screen.session.commands = with_local(command_forms())
    submit(me.screen, "/help")
    assert me.rows()[0].split()[:2] == ["✓", "/help"] and "newer below" in me.text("bar")
    navigation.escape(me.screen)
    assert "/quit" in me.text() and "Esc clears the answer" in me.text("bar")
    navigation.escape(me.screen)
    assert "/quit" not in me.text() and "text 3" in me.text()


def test_clear_removes_what_only_this_user_sees() -> None:
    me = ready()
    me.screen.session.commands = with_local(command_forms())
    submit(me.screen, "/open #nowhere")
    me.hear(TopicChanged("main", "lunch", "bob"))
    assert "you are in no chat" in me.text() and "lunch" in me.text()
    navigation.escape(me.screen)
    assert "you are in no chat" not in me.text() and "lunch" in me.text(), "what has happened in the chat stays"
    submit(me.screen, "/clear")
    assert "lunch" not in me.text() and "text 3" in me.text()
    submit(me.screen, "/clear")
    assert "nothing to clear" in me.text("bar")


OPENING = [
    "/join #team",
    "/get_chat_with bob",
    "/create_chat #team",
    "/open stranger",
    "/messages bob",
    "/history @bob",
]


@pytest.mark.parametrize("line", OPENING)
def test_what_is_typed_right_behind_what_opens_a_chat_goes_nowhere_else_unasked(line: str) -> None:
    me = ready()
    assert submit(me.screen, line)
    (asked,) = me.wanted(Run)
    assert not submit(me.screen, "only for you")
    assert me.screen.dialogs.question is not None and not me.wanted(PostMessage)
    line = line.replace("/open ", "/get_chat_with @")
    assert me.screen.dialogs.question.text == f"send this to everyone? {line} opens another chat"
    answer_question(me.screen, False)
    take_refusal(me.screen, asked.why, Refused("unknown_chat", "there is no such chat"), me.now)
    assert submit(me.screen, "for all of you")
    assert submit(me.screen, line)
    navigation.open_chat(me.screen, "@bob")
    assert submit(me.screen, "for you")
    assert len(me.wanted(PostMessage)) == 2


def test_of_chats_that_are_opened_one_right_behind_the_other_the_last_is_open() -> None:
    me = ready()
    for name in ("#a", "#b", "#c"):
        assert submit(me.screen, f"/create_chat {name}")
    asked = me.wanted(Run)
    for name, run in zip(("#a", "#b", "#c"), asked, strict=True):
        assert not submit(me.screen, "only for #c")
        answer_question(me.screen, False)
        take_answer(me.screen, run.why, "create_chat", [], ChatCreated(name), me.now)
        assert me.screen.flash is None
    assert me.screen.chats.open_name == "#c"
    assert submit(me.screen, "only for #c")
    assert [post.arguments["target"] for post in me.wanted(PostMessage)] == ["#c"]


def _answer(me: Me, why: Any, line: str) -> None:
    verb, _, name = line.removeprefix("/").partition(" ")
    replies: dict[str, tuple[list[Event], Reply]] = {
        "create_chat": ([], ChatCreated(name)),
        "history": ([said(1, chat=name)], MessagesShown(name, 1)),
        "messages": ([said(1, chat=name)], MessagesShown(name, 1)),
        "thread": ([said(1, chat="main")], ThreadShown(1, "main", 0)),
    }
    take_answer(me.screen, why, verb, *replies[verb], me.now)


LAST = {
    "/create_chat #z": ("#z", None),
    "/history #ours": ("#ours", "/history #ours"),
    "/history main": ("main", "/history main"),
    "/messages main": ("main", None),
    "/thread 1": ("main", "main · thread · text 1"),
}


@pytest.mark.parametrize("middle", LAST)
@pytest.mark.parametrize("last", LAST)
def test_of_all_that_is_opened_one_right_behind_the_other_the_last_is_open(last: str, middle: str) -> None:
    me = ready()
    lines = ["/create_chat #a", middle, "/create_chat #b", last]
    for line in lines:
        assert submit(me.screen, line)
    asked = [run.why for run in me.wanted(Run, Ask) if isinstance(run.why, TypedRequest | ThreadRequest)]
    for line, why in zip(lines, asked, strict=True):
        _answer(me, why, line)
        assert me.screen.flash is None
    chat, title = LAST[last]
    assert me.screen.chats.open_name == chat
    assert (me.screen.view.title if me.screen.view else None) == title
    assert submit(me.screen, "no question is left")


def test_the_last_is_open_also_where_a_text_was_sent_to_the_chat_before() -> None:
    me = ready()
    for name in ("#a", "#b"):
        assert submit(me.screen, f"/create_chat {name}")
    asked = me.wanted(Run)
    assert not submit(me.screen, "still for all of you")
    answer_question(me.screen, True)
    for name, run in zip(("#a", "#b"), asked, strict=True):
        take_answer(me.screen, run.why, "create_chat", [], ChatCreated(name), me.now)
    assert me.screen.chats.open_name == "#b" and me.screen.flash is None
    assert [post.arguments["target"] for post in me.wanted(PostMessage)] == ["main"]


@pytest.mark.parametrize("line", ["/create_chat #z", "/history #ours", "/messages #ours", "/thread 1"])
def test_a_text_that_was_begun_before_the_answer_goes_nowhere_else_unasked(line: str) -> None:
    me = ready()
    assert submit(me.screen, line)
    (why,) = [run.why for run in me.wanted(Run, Ask) if isinstance(run.why, TypedRequest | ThreadRequest)]
    me.screen.composer.text = "only for you"
    _answer(me, why, line)
    assert me.screen.chats.open_name == "main" and "when you are done" in me.text("bar")
    assert not submit(me.screen, "only for you")
    assert me.screen.dialogs.question is not None and not me.wanted(PostMessage)
    assert me.screen.dialogs.question.text.startswith(f"send this to everyone? {line} has not opened ")
    answer_question(me.screen, True)
    assert submit(me.screen, "again for all of you"), "once it has been asked"
    assert [post.arguments["target"] for post in me.wanted(PostMessage)] == ["main", "main"]


@pytest.mark.parametrize("line", [*OPENING, "/thread 1"])
@pytest.mark.parametrize("error", [Refused("unknown_user", "there is no such user"), Disconnected("lost")])
def test_a_text_that_was_begun_before_a_refusal_goes_nowhere_else_unasked(line: str, error: ChatError) -> None:
    """It was meant for somebody who is not there, and not for everyone."""
    me = ready()
    assert submit(me.screen, line)
    (why,) = [run.why for run in me.wanted(Run, Ask) if isinstance(run.why, TypedRequest | ThreadRequest)]
    me.screen.composer.text = "only for you"
    take_refusal(me.screen, why, error, me.now)
    assert not submit(me.screen, "only for you")
    assert me.screen.dialogs.question is not None and not me.wanted(PostMessage)
    answer_question(me.screen, True)
    assert submit(me.screen, "again for all of you"), "once it has been asked"
    assert [post.arguments["target"] for post in me.wanted(PostMessage)] == ["main", "main"]


@pytest.mark.parametrize("begun", ["", "only for you"])
def test_what_opens_nothing_leaves_a_question_for_what_was_begun(begun: str) -> None:
    me = ready()
    for line, verb, reply in (
        ("/join some-code", "join", Entering("#team", asked=True)),
        ("/history @bob", "history", MessagesShown("@bob", 0)),
    ):
        assert submit(me.screen, line)
        (asked,) = me.wanted(Run)
        me.screen.composer.text = begun
        take_answer(me.screen, asked.why, verb, [], reply, me.now)
        assert submit(me.screen, begun or "for all of you") == (not begun)
        assert (me.screen.dialogs.question is None) == (not begun)
        navigation.open_chat(me.screen, "main")


def test_a_late_answer_takes_no_message_from_whoever_has_chosen_it() -> None:
    me = ready()
    submit(me.screen, "/create_chat #a")
    (asked,) = me.wanted(Run)
    message_actions.choose(me.screen, -1)
    take_answer(me.screen, asked.why, "create_chat", [], ChatCreated("#a"), me.now)
    assert me.screen.chats.open_name == "main" and me.screen.is_choosing and "/open #a" in me.text("bar")


def test_whoever_goes_to_a_chat_by_a_key_stays_there() -> None:
    me = ready()
    submit(me.screen, "/create_chat #a")
    (asked,) = me.wanted(Run)
    navigation.open_chat(me.screen, "#ours")
    take_answer(me.screen, asked.why, "create_chat", [], ChatCreated("#a"), me.now)
    assert me.screen.chats.open_name == "#ours" and "/open #a" in me.text("bar")


def test_what_is_typed_right_behind_what_opens_a_thread_goes_nowhere_else_unasked() -> None:
    me = ready()
    assert submit(me.screen, "/thread 1")
    (asked,) = me.asked("thread")
    assert not submit(me.screen, "a comment")
    assert me.screen.dialogs.question is not None and not me.wanted(PostMessage)
    assert me.screen.dialogs.question.text == "send this to everyone? /thread 1 opens a thread"
    answer_question(me.screen, False)
    me.answer(asked, [said(1)], ThreadShown(1, "main", 0))
    assert submit(me.screen, "a comment")
    assert me.wanted(PostMessage) == [PostMessage("reply", {"id": 1, "text": "a comment"})]
    assert submit(me.screen, "/join #team")
    assert not submit(me.screen, "hello, team")
    assert me.screen.dialogs.question is not None
    assert me.screen.dialogs.question.text == "send this to this thread? /join #team opens another chat"
    me.screen.view = None
    answer_question(me.screen, True)
    assert me.wanted(PostMessage) == [PostMessage("reply", {"id": 1, "text": "hello, team"})]


@pytest.mark.parametrize("line", ["/messages", "/messages main", "/history", "/history main"])
def test_what_shows_more_of_the_open_chat_makes_no_doubt_of_where_a_text_goes(line: str) -> None:
    me = ready()
    assert submit(me.screen, line) and submit(me.screen, "hello")
    assert me.screen.dialogs.question is None and len(me.wanted(PostMessage)) == 1


@pytest.mark.parametrize("line", ["/topic ours", "/invite erin", "/history"])
def test_a_command_right_behind_what_opens_a_chat_is_not_filled_in_with_the_one_before(line: str) -> None:
    me = ready()
    navigation.open_chat(me.screen, "#ours")
    me.wanted()
    submit(me.screen, line)
    submit(me.screen, "/join #team")
    submit(me.screen, line)
    before, _, after = [run.command.arguments for run in me.wanted(Run)]
    assert before is not None and before["chat"] == "#ours"
    assert after is None or after["chat"] != "#ours"
