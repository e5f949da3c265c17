from msgspec.structs import replace

from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Outgoing
from chat_client.tui.state import navigation
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.effects import Ask, SetText
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import Expired, File, Sent, ThreadShown
from chat_server.protocol.people import Limit
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import START, Me, at, said


def outgoing(state: str, **fields: object) -> Outgoing:
    arguments = fields.pop("arguments", {"target": "main", "text": "hello"})
    return Outgoing("k", "send", arguments, START, state, **fields)  # type: ignore[arg-type]


def test_own_messages_from_waiting_to_sent() -> None:
    me = Me()
    me.load()
    me.hear(outgoing("waiting"))
    assert "hello ◌ waiting" in me.text() and "1 to send" in me.text("status")
    me.hear(outgoing("sent", reply=Sent(5, at(5))))
    assert "hello ✓" in me.text() and "waiting" not in me.text() and "to send" not in me.text("status")


def test_a_message_that_comes_back_by_itself_first_stands_once() -> None:
    me = Me()
    me.load()
    me.hear(outgoing("waiting"), said(5, "hello", who="alice"), outgoing("sent", reply=Sent(5, at(5))))
    assert me.text().count("hello") == 1


def test_what_is_refused_stays_with_the_reason() -> None:
    me = Me()
    me.load()
    me.hear(outgoing("waiting"), outgoing("failed", error=Refused("banned", "you are banned")))
    assert "✗ not sent: you are banned" in me.text() and "banned" not in me.text("bar")
    assert me.asked("status")


def test_what_is_held_asks() -> None:
    me = Me()
    me.load()
    me.hear(outgoing("held"))
    assert "1 held: /confirm or /discard" in me.text("status")
    me.hear(outgoing("discarded"))
    assert "hello" not in me.text()


TOO_SOON = Refused("rate_limited", "nothing was sent: you have sent the 20 messages that one may until 09:00:00 UTC")


def test_what_came_too_soon_stands_in_the_line_again() -> None:
    me = Me()
    me.load()
    me.hear(outgoing("waiting"), outgoing("failed", error=TOO_SOON))
    effects = me.wanted(SetText, Ask)
    assert effects[-2] == SetText("hello") and effects[-1].verb == "status"
    assert "hello" not in me.text()
    assert "you have sent the 20" in me.text("bar") and "rate_limited" not in me.text("bar")


def test_where_something_else_stands_in_the_line_it_stays_in_the_chat_with_the_reason() -> None:
    def typing(me: Me) -> None:
        me.screen.composer.text = "next"

    def elsewhere(me: Me) -> None:
        navigation.open_chat(me.screen, "@bob")

    def answering(me: Me) -> None:
        me.screen.composer.target = ComposeTarget("reply", 1, "main")

    for meanwhile in (typing, elsewhere, answering):
        me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
        me.load(said(1))
        me.hear(outgoing("waiting"))
        meanwhile(me)
        me.hear(outgoing("failed", error=TOO_SOON))
        assert me.wanted(SetText) in ([], [SetText("")]), meanwhile
        navigation.open_chat(me.screen, "main")
        assert "hello ✗ not sent: you have sent the 20" in me.text(), meanwhile
        assert "rate_limited" not in me.text() + me.text("bar")


def test_another_message_that_waits_stands_behind_it_and_each_goes_by_itself() -> None:
    me = Me()
    me.load(said(1))
    first = outgoing("waiting")
    second = replace(first, key="l", arguments={"target": "main", "text": "second"})
    me.hear(first, second, said(2, "meanwhile"))
    assert [row.split()[-3:-2] for row in me.rows()[-2:]] == [["hello"], ["second"]] and "2 to send" in me.text(
        "status"
    )
    me.hear(replace(second, state="sent", reply=Sent(3, at(3))))
    assert list(me.screen.chats.open.feed.unsent) == list(me.screen.unsent) == ["k"]
    assert "second ✓" in me.text() and "hello ◌ waiting" in me.text()


def test_a_message_stays_in_the_chat_in_which_it_was_sent() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load(said(4))
    reply = Outgoing("k", "reply", {"id": "#4", "text": "an answer"}, START)
    me.hear(reply)
    navigation.open_chat(me.screen, "@bob")
    me.load(chat="@bob")
    me.hear(Expired("main", [4]), replace(reply, state="sent", reply=Sent(5, at(5))))
    message = me.screen.chats.by_name["main"].feed.messages[5].message
    assert (message.chat, message.reply_to, message.from_) == ("main", 4, "alice") and "an answer" not in me.text()


def test_ones_own_message_marks_as_read_only_where_nothing_is_unread() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 2, muted=False))
    me.load()
    me.hear(replace(outgoing("waiting"), state="sent", reply=Sent(5, at(5))))
    assert me.screen.chats.open.read == 5 and me.screen.chats.open.unread == 0
    me.hear(replace(outgoing("sent", reply=Sent(6, at(6))), arguments={"target": "#team", "text": "hello"}))
    team = me.screen.chats.by_name["#team"]
    assert (team.read, team.unread) == (0, 2)


def test_what_is_left_of_the_limit_counts_down_with_each_message_to_main() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load()
    me.status(["alice"], limit=Limit(0, 20, None))
    me.wanted()
    me.hear(outgoing("sent", reply=Sent(5, at(5))))
    assert "19 of 20 left in main" in me.text("status") and me.asked("status"), "the server says when it ends"
    me.hear(outgoing("sent", reply=Sent(6, at(6))))
    me.hear(replace(outgoing("sent", reply=Sent(7, at(7))), arguments={"target": "@bob", "text": "hello"}))
    assert "18 of 20 left in main" in me.text("status") and not me.asked("status")


def test_a_file_that_is_sent_out_of_sight_is_told() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load()
    upload = Upload(3, 2, 9, at(9), File(7, "a.png", 2, "x"))
    me.hear(Outgoing("k", "send_file", {"target": "@bob", "name": "a.png"}, START, "sent", reply=upload))
    assert "sent #9: a.png" in me.text("bar")


def test_what_answers_in_a_thread_stands_in_it() -> None:
    me = Me()
    me.load(said(1))
    navigation.open_thread(me.screen, 1)
    (ask,) = me.asked("thread")
    me.answer(ask, [said(1)], ThreadShown(1, "main", 0))
    me.hear(Outgoing("k", "reply", {"id": 1, "text": "my answer"}, START, "sent", reply=Sent(5, at(5))))
    assert "my answer" in me.text()
    navigation.escape(me.screen)
    assert "my answer" in me.text()
