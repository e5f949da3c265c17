import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, MarkRead, MarkSeen, OpenUpload
from chat_server.protocol.arguments import Username
from chat_server.protocol.connection import Notice
from chat_server.protocol.files import SendFile
from chat_server.protocol.messages import MarkedRead, Message, MessagesShown, ReadMarker, Send, SendAll, Sent, Talking
from chat_server.protocol.operators import Ban
from chat_server.protocol.people import Limit
from chat_server.protocol.times import iso
from chat_server.rules.messages import MAIN_TARGET
from tests.unit.chat import Chat, Said, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS


def test_a_message_to_main_goes_to_everyone(chat: Chat) -> None:
    said = chat.say("alice", "/send_all hi")
    assert said.reply == Sent(1, iso(NOON_MS))
    (push,) = said.pushes
    assert push.users is None
    assert push.event == Message(id=1, seq=1, chat="main", from_="alice", at=iso(NOON_MS), text="hi")
    assert chat.say("alice", "/send main there").pushes[0].users is None


def test_a_message_to_a_user_goes_to_both_with_the_name_each_sees(chat: Chat) -> None:
    said = chat.say("alice", "/send BOB hi")
    (to_bob,) = events_to(said.pushes, chat.ids["bob"])
    (to_alice,) = events_to(said.pushes, chat.ids["alice"])
    assert (to_bob.chat, to_alice.chat) == ("@alice", "@bob")  # type: ignore[attr-defined]
    assert events_to(said.pushes, chat.ids["carol"]) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/send nobody hi", "unknown_user"), ("/send #team hi", "unknown_chat"), ("/send alice hi", "not_yourself"),
        ("/read #team 1", "unknown_chat"), ("/read nobody 1", "unknown_user"), ("/messages alice", "not_yourself"),
        ("/get_chat_with nobody", "unknown_user"), ("/history #main", "unknown_chat"), ("/talk #team", "unknown_chat"),
        ("/talk nobody", "unknown_user"), ("/history main limit 201", "bad_argument"),
    ],
)  # fmt: skip
def test_refusals(chat: Chat, line: str, code: str) -> None:
    assert refusal_of(chat, "alice", line).code == code


# ---- keys


def with_key(text: str, key: str = "k1") -> SendAll:
    return SendAll(text, key)  # type: ignore[arg-type]


def test_a_repeated_key_gives_the_same_reply_and_sends_nothing(chat: Chat) -> None:
    first = chat.do(with_key("hi"), "alice")
    chat.clock.advance(DAY_MS - 1)
    again = chat.do(with_key("hi"), "alice")
    assert again.reply == first.reply and again.pushes == []
    assert chat.do(with_key("hi"), "bob").reply.id == 2
    chat.clock.advance(1)
    assert chat.do(with_key("hi"), "alice").reply.id == 3


def test_a_banned_user_is_told_of_the_ban_before_the_key_of_an_upload(chat: Chat) -> None:
    chat.do(with_key("hi"), "alice")
    chat.do(OpenUpload(SendFile(MAIN_TARGET, "a", 5, None, "k2"), "l1"), "alice")  # type: ignore[arg-type]
    assert code_of(chat, with_key("ho", "k2")) == "bad_argument"
    chat.do(Ban(Username("alice", "alice")), user_id=MACHINE)
    assert code_of(chat, with_key("ho", "k2")) == "banned"
    assert isinstance(chat.do(with_key("hi"), "alice").reply, Sent), "what was done is told again"


def code_of(chat: Chat, command: SendAll) -> str:
    with pytest.raises(Refusal) as caught:
        chat.do(command, "alice")
    return caught.value.code


def test_the_same_key_for_something_else_is_refused(chat: Chat) -> None:
    chat.do(with_key("hi"), "alice")
    bob: object = chat.parse("/send bob hi")
    assert isinstance(bob, Send)
    for other in (with_key("ho"), Send(bob.target, bob.text, with_key("").key)):
        with pytest.raises(Refusal) as caught:
            chat.do(other, "alice")
        assert caught.value.code == "bad_argument"


def test_a_user_and_a_chat_of_the_same_name_are_not_the_same_to_a_key(chat: Chat) -> None:
    chat.say("alice", "/create_chat #bob")
    line = '{"cmd":"send","target":"%sbob","text":"hi","key":"k1"}'
    first = chat.say("alice", line % "#").reply
    assert chat.say("alice", line % "#").reply == first
    assert refusal_of(chat, "alice", line % "@").code == "bad_argument"


def test_a_key_is_looked_up_before_any_limit_and_a_refusal_keeps_none(chat: Chat) -> None:
    chat.configure(main_rate_count=1, main_rate_window_ms=HOUR_MS)
    first = chat.do(with_key("hi"), "alice").reply
    with pytest.raises(Refusal):
        chat.do(with_key("two", "k2"), "alice")
    assert chat.do(with_key("hi"), "alice").reply == first
    chat.clock.advance(HOUR_MS)
    assert chat.do(with_key("other", "k2"), "alice").reply.id == 2


def test_old_keys_are_removed(chat: Chat) -> None:
    chat.do(with_key("hi"), "alice")
    chat.clock.advance(DAY_MS)
    chat.due()
    assert chat.dump()["keys"] == []


# ---- the rate limit in main


def test_the_limit_in_main_counts_an_hour_from_the_first_message(chat: Chat) -> None:
    chat.configure(main_rate_count=3, main_rate_window_ms=HOUR_MS)
    for _ in range(3):
        chat.say("alice", "/send_all hi")
        chat.clock.advance(60_000)
    refusal = refusal_of(chat, "alice", "/send_all hi")
    assert refusal.code == "rate_limited" and refusal.fields == {"retry_at": iso(NOON_MS + HOUR_MS)}
    assert "until 13:00:00 UTC, in 57 min" in refusal.text
    chat.say("bob", "/send_all hi")
    chat.say("alice", "/send bob hi")
    chat.clock.advance(57 * 60_000 - 1)
    assert refusal_of(chat, "alice", "/send main hi").code == "rate_limited"
    assert chat.say("alice", "/status").reply.limits["main_messages"] == Limit(3, 3, iso(NOON_MS + HOUR_MS))
    chat.clock.advance(1)
    assert chat.say("alice", "/status").reply.limits["main_messages"] == Limit(0, 3)
    for _ in range(3):
        chat.say("alice", "/send_all hi")
    assert refusal_of(chat, "alice", "/send_all hi").fields == {"retry_at": iso(NOON_MS + 2 * HOUR_MS)}


# ---- read markers


def test_a_marker_moves_only_forwards_and_at_most_to_the_newest(chat: Chat) -> None:
    for number in range(3):
        chat.say("bob", f"/send_all {number}")
    assert chat.say("alice", "/read main 2").reply == MarkedRead("main", 2)
    assert chat.say("alice", "/read main 1").reply == MarkedRead("main", 2)
    said = chat.say("alice", "/read main 99")
    assert said.reply == MarkedRead("main", 3)
    assert events_to(said.pushes, chat.ids["alice"]) == [ReadMarker("main", 3)]
    assert chat.say("alice", "/read main 99").pushes == []
    assert chat.say("alice", "/read bob 5").reply == MarkedRead("@bob", 0)


def test_messages_seen_by_a_text_session_are_read_in_every_chat(chat: Chat) -> None:
    chat.say("bob", "/send_all one")
    chat.say("bob", "/send alice two")
    chat.say("bob", "/send_all three")
    pushes = chat.do(MarkSeen(2), "alice").pushes
    assert events_to(pushes, chat.ids["alice"]) == [ReadMarker("main", 1), ReadMarker("@bob", 2)]
    assert chat.come_back("alice").texts == ["three"]
    assert chat.do(MarkSeen(1), "alice").pushes == []


def test_only_members_can_mark_a_chat_as_read(chat: Chat) -> None:
    chat.say("bob", "/send carol hi")
    assert chat.do(MarkRead(2, 1), "alice").pushes == []


# ---- reading


def test_messages_goes_on_where_it_stopped(chat: Chat) -> None:
    for number in range(45):
        chat.say("bob", f"/send alice {number}")
    chat.say("alice", "/send bob mine")
    first = chat.say("alice", "/messages bob")
    assert first.texts == [str(n) for n in range(20)]
    assert first.reply == MessagesShown("@bob", 20, unread=25, more="/messages @bob")
    assert chat.say("alice", "/messages @bob").texts == [str(n) for n in range(20, 40)]
    last = chat.say("alice", "/messages @bob")
    assert last.texts == [str(n) for n in range(40, 45)] and last.reply == MessagesShown("@bob", 5, unread=0)
    assert chat.say("alice", "/messages @bob").reply == MessagesShown("@bob", 0, unread=0, more="/history @bob")


@pytest.mark.parametrize("unread", [3, 45])
def test_get_chat_with_shows_the_last_or_all_unread_messages(chat: Chat, unread: int) -> None:
    for number in range(50):
        chat.say("bob", f"/send alice {number}")
        if number == 49 - unread:
            chat.say("alice", "/read bob 99")
    said = chat.say("alice", "/get_chat_with bob")
    assert said.texts == [str(n) for n in range(50 - max(20, unread), 50)]
    assert said.reply == MessagesShown("@bob", max(20, unread))
    assert chat.come_back("alice").events == [Notice("nothing unread", unread={})]


def test_history_pages_by_id_and_marks_nothing(chat: Chat) -> None:
    for number in range(1, 31):
        chat.say("bob", f"/send_all {number}")

    def ask(words: str) -> Said:
        return chat.say("alice", f"/history main {words}")

    assert ask("").texts == [str(n) for n in range(11, 31)] and ask("").reply.more == "/history main before 11"
    assert ask("before 11").texts == [str(n) for n in range(1, 11)] and ask("before 11").reply.more is None
    assert ask("after 25").texts == ["26", "27", "28", "29", "30"] and ask("after 25").reply.more is None
    assert ask("after 2 limit 3").texts == ["3", "4", "5"]
    assert ask("after 2 limit 3").reply.more == "/history main after 5 limit 3"
    assert ask("around 10 limit 5").texts == ["8", "9", "10", "11", "12"]
    assert ask("around 1 limit 4").texts == ["1", "2", "3", "4"]
    assert ask("before 1").reply == MessagesShown("main", 0)
    assert ask("since 1970-01-01 limit 3").texts == ["1", "2", "3"]
    assert ask("since 1970-01-01 limit 3").reply.more == "/history main after 3 limit 3"
    assert ask("since 2999-01-01").reply == MessagesShown("main", 0)
    assert chat.come_back("alice").events[0] == Notice("30 unread: main 30", unread={"main": 30})


def test_a_chat_without_messages_is_empty(chat: Chat) -> None:
    for line in ("/get_chat_with bob", "/history bob"):
        assert chat.say("alice", line).reply == MessagesShown("@bob", 0)
    assert chat.say("alice", "/talk BOB").reply == Talking("@bob")
    assert chat.say("alice", "/talk").reply == Talking()
