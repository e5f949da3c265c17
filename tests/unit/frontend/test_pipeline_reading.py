"""The pipeline's readings, and what a person has seen."""

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import ForgetNotices, MarkRead, MarkSeen, SetPassword
from chat_server.protocol.arguments import Text
from chat_server.protocol.connection import Notice, Pong
from chat_server.protocol.messages import Comment, Message, Send, SendAll
from chat_server.protocol.people import Mute
from chat_server.rules.accounts import Welcome
from chat_server.rules.outcomes import Entered, Page, Prepared
from tests.unit.frontend.bench import NOON, REFUSAL, Bench, message, texts

# ---- reading


def test_pages_come_before_the_reply_and_pushes_behind_it(bench: Bench) -> None:
    bench.say("@k1 /history main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.push()
    bench.answer(Page([]))
    bench.answer(Page((), Pong("end")))
    bench.settle_down()
    assert [line.split(" ")[0] for line in bench.lines] == ["[12:00:00]", "+", "[12:00:00]", "+"]
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and bench.work_begun == ["read"] * 3


def test_what_is_pushed_while_a_query_is_read_comes_behind_its_reply(bench: Bench) -> None:
    """The reply is of the store as it was read, perhaps before what is pushed was there."""
    bench.say("@k1 /members #den", "@k2 /who bob")
    for _ in range(2):
        bench.push()
        bench.answer()
    assert [line[:5] for line in bench.lines] == ["+ @k1", "[12:0", "+ @k2", "[12:0"]
    assert bench.outbox.live and bench.missed is None, "and nothing of it is read from the store"


def test_of_what_waits_for_a_reply_nothing_counts_as_seen(bench: Bench) -> None:
    bench.push(2)
    bench.say("")
    bench.deliver()
    bench.say("/who bob")
    bench.push(1)
    bench.say("")
    assert bench.logged == [MarkSeen(2)]
    bench.answer()
    bench.say("")
    assert bench.logged == [MarkSeen(2), MarkSeen(3)]


def test_what_waits_for_a_reply_is_seen_by_whoever_closes_after_it(bench: Bench) -> None:
    bench.say("/who bob")
    bench.push(1)
    bench.eof()
    assert bench.logged == []
    bench.answer()
    assert bench.hung_up and bench.shown_ids == [1]
    assert bench.when_taken is not None
    bench.when_taken()
    assert bench.logged == [MarkSeen(1)]


def test_programs_are_told_which_command_a_page_belongs_to(bench: Bench) -> None:
    bench.say("/format json", "@k1 /history main")
    bench.answer(Page([message(1)]))
    assert '"label":"k1"' in bench.lines[-1] and bench.shown_ids == [1]


def test_the_next_page_is_read_when_this_one_was_taken(bench: Bench) -> None:
    bench.say("/history main")
    bench.block()
    bench.answer(Page([message(number) for number in range(1, 40)]))
    assert not bench.work, "it waits for its reader"
    seen = len(bench.shown_ids)
    assert 0 < seen < 39
    bench.take()
    assert bench.shown_ids == list(range(1, 40)) and bench.work
    bench.block()
    bench.answer(Page((), Pong()))
    bench.take()
    bench.settle_down()
    assert bench.lines[-1] == "+ pong"


def test_a_page_shows_nothing_of_a_chat_that_one_left_meanwhile(bench: Bench) -> None:
    bench.say("/history #den")
    bench.outbox.move("#den", came=False)
    bench.answer(Page([message(1), Message(id=2, seq=2, chat="#den", from_="bob", at=NOON, text="secret")]))
    assert bench.shown_ids == [1] and "secret" not in bench.taken.decode()


def test_what_a_reading_has_to_log_comes_before_its_reply(bench: Bench) -> None:
    bench.say("@k1 /messages main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.answer(Page((), (MarkRead(1, 1), Pong("read"))))
    assert bench.logged == [MarkRead(1, 1)] and bench.replies == []
    bench.deliver()
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and "+ @k1 pong read" in bench.lines


def test_what_was_told_by_a_command_is_not_told_again(bench: Bench) -> None:
    bench.say("/history main")
    bench.outbox.keep(Notice("kept"), 5)
    bench.answer(Page((), (ForgetNotices([5]), Pong())))
    bench.deliver()
    bench.settle_down()
    assert bench.lines == ["+ pong"]


def test_a_query_may_be_refused_behind_a_page(bench: Bench) -> None:
    bench.say("@k1 /history main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.answer(REFUSAL)
    bench.settle_down()
    assert bench.replies == [("k1", "banned"), ("k2", "ok")]


def test_talk_is_where_lines_go_that_are_no_commands(bench: Bench) -> None:
    bench.say("/talk main", "hello")
    assert bench.logged == [], "not before the reply"
    bench.settle_down()
    assert texts(bench.logged) == ["hello"]
    bench.say("@k1 /sign_out", "hello")
    bench.settle_down()
    bench.sign_in()
    bench.say("hello")
    bench.settle_down()
    assert bench.lines[-1].startswith("- not_a_command")


def test_a_talk_that_is_refused_changes_nothing(bench: Bench) -> None:
    bench.say("/talk bob")
    bench.answer(Refusal("unknown_user", "who?"))
    bench.say("hello")
    assert texts(bench.logged) == []


# ---- what a person has seen


def test_who_types_has_seen_what_stands_above(bench: Bench) -> None:
    bench.push(3)
    bench.say("@k1 /send_all x")
    assert bench.logged == [MarkSeen(3), SendAll(Text("x"))], "before what was typed"
    bench.deliver()
    assert len(bench.lines) == 4 and bench.replies == [("k1", "ok")]
    bench.say("/ping")
    assert len(bench.logged) == 2, "nothing but one's own message came since"
    bench.push()
    bench.receive(b"/pi")
    assert len(bench.logged) == 2, "not a line yet"
    bench.receive(b"ng\n")
    assert bench.logged[2:] == [MarkSeen(5)]


@pytest.mark.parametrize(
    ("line", "logged"),
    [
        ("/send_all x", [(SendAll, True)]), ("/send bob x", [(Send, True)]), ("/reply 1 x", [(Comment, True)]),
        ("/mute main", [(MarkSeen, False), (Mute, False)]), ("/history main", [(MarkSeen, False)]),
        ("", [(MarkSeen, False)]), ("/ping", [(MarkSeen, False)]), ("/send_all", [(MarkSeen, False)]),
        ("/send_all a\n/send bob b", [(SendAll, True), (Send, False)]),
        ("/format json\n/send_all x", [(MarkSeen, False)]),
    ],
)  # fmt: skip
def test_a_message_takes_along_what_was_seen(bench: Bench, line: str, logged: list[tuple[type, bool]]) -> None:
    """Whatever else is said follows what was seen: users come to chats and leave them by it, or it reads the store."""
    bench.push(3)
    bench.say(line)
    assert [(type(command), seen == MarkSeen(3)) for command, _, _, seen in bench.log] == logged
    bench.say("/send_all y")
    assert bench.logged.count(MarkSeen(3)) == 1
    bench.settle_down()
    assert texts(bench.logged)[-1] == "y"


@pytest.mark.parametrize("line", ["/send_all x", "/mute main"])
def test_while_the_log_is_full_what_was_seen_waits_for_no_message(bench: Bench, line: str) -> None:
    bench.push(3)
    bench.log_is_full = True
    bench.say(line)
    assert bench.logged == [MarkSeen(3)]


def test_what_came_between_is_not_seen_with_ones_own_message(bench: Bench) -> None:
    bench.say("/send_all x")
    bench.push()
    bench.deliver()
    bench.say("/ping")
    assert bench.logged[1:] == [MarkSeen(2)]


@pytest.mark.parametrize("why", ["a program", "not taken", "behind"])
def test_not_everything_that_was_sent_is_seen(bench: Bench, why: str) -> None:
    if why == "a program":
        bench.say("/format json")
    bench.all_taken = why != "not taken"
    if why == "behind":
        bench.block()
    bench.push(2)
    bench.say("/ping")
    assert bench.logged == []


def test_what_was_not_shown_since_it_was_known_stays_unread() -> None:
    bench = Bench()
    bench.push(9)
    bench.say("/resume abcdefghijklmnop 7")
    bench.answer(Prepared(SendAll("stands for the entry"), "token", position=7))  # type: ignore[arg-type]
    bench.deliver(result=lambda _: Entered(1, "alice", False))
    assert bench.work == ("read", Welcome(False, 9, 7, "token"))
    bench.answer()
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(9, 7)]


def test_who_knows_more_than_there_is_has_all_of_it_unread() -> None:
    bench = Bench()
    bench.push(9)
    bench.say("/resume abcdefghijklmnop 99")
    bench.answer(Prepared(SetPassword(0, "stands for the entry", None), "token", position=99))
    bench.deliver(result=lambda _: Entered(1, "alice", False))
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(9, 9)]


def test_what_one_user_has_seen_another_has_not(bench: Bench) -> None:
    bench.push(3)
    bench.say("/ping", "/sign_out", "/sign_in bob")
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(3)]


def test_the_end_of_the_input_is_a_sign_of_life(bench: Bench) -> None:
    bench.push(2)
    bench.eof()
    assert bench.logged == [MarkSeen(2)] and not bench.hung_up
    bench.deliver()
    assert bench.hung_up
