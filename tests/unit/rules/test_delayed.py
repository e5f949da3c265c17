import pytest

from chat_server.log.entries import MACHINE, CloseAccount, ForgetNotices
from chat_server.protocol import decode_event
from chat_server.protocol.arguments import Duration, Username
from chat_server.protocol.messages import (
    DelayedCancelled,
    DelayedFailed,
    DelayedList,
    DelayedMessage,
    DelayedSent,
    DelayedSet,
    Message,
)
from chat_server.protocol.operators import Ban
from chat_server.protocol.times import iso
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

MINUTE_MS = 60_000


def run_due(chat: Chat, name: str) -> list[str | None]:
    """Return the texts that the user is sent when `Due` is executed."""
    return [event.text for event in events_to(chat.due(), chat.ids[name]) if isinstance(event, Message)]


def test_a_delayed_message_is_sent_when_due_and_never_before(chat: Chat) -> None:
    assert chat.say("alice", "/send_delayed bob 5m tea").reply == DelayedSet(1, iso(NOON_MS + 5 * MINUTE_MS))
    chat.clock.advance(5 * MINUTE_MS - 1)
    assert chat.batch().next_due_ms == NOON_MS + 5 * MINUTE_MS
    assert chat.due() == []
    chat.clock.advance(1)
    pushes = chat.due()
    (message,) = events_to(pushes, chat.ids["bob"])
    assert message == Message(
        id=1, seq=1, chat="@alice", from_="alice", at=iso(chat.clock.now_ms()), text="tea", delayed=True
    )
    assert DelayedSent(1, 1) in events_to(pushes, chat.ids["alice"])
    assert chat.due() == [] and chat.batch().next_due_ms is None
    assert chat.say("alice", "/delayed").reply == DelayedList([])


def test_delayed_messages_are_sent_in_the_order_of_their_times(chat: Chat) -> None:
    chat.configure(delayed_max=5000)
    for number in range(1050):
        chat.say("alice", f"/send_delayed main {3000 - number} {number}")
    chat.clock.advance(DAY_MS)
    expected = [str(number) for number in reversed(range(1050))]
    assert run_due(chat, "bob") == expected[:1000]
    assert (chat.batch().next_due_ms or 0) <= chat.clock.now_ms()
    assert run_due(chat, "bob") == expected[1000:]


def test_a_delayed_message_waits_for_the_end_of_a_ban(chat: Chat) -> None:
    chat.sign_in("mallory")
    chat.say("mallory", "/send_delayed main 1m spam")
    for name in ("alice", "bob", "carol"):
        chat.say(name, "/report mallory")
    chat.clock.advance(MINUTE_MS)
    assert chat.due() == []
    assert chat.batch().next_due_ms == NOON_MS + 4 * HOUR_MS
    chat.clock.advance(4 * HOUR_MS - MINUTE_MS)
    assert run_due(chat, "bob") == ["spam"]


def test_whoever_named_a_time_waits_for_the_end_of_a_ban_as_others_do(chat: Chat) -> None:
    """A ban ends in elapsed time, whatever happens to the wall clock meanwhile."""
    chat.say("alice", f"/send_delayed main {iso(NOON_MS + MINUTE_MS)} tea")
    chat.do(Ban(Username("alice", "alice"), Duration(HOUR_MS)), user_id=MACHINE)
    chat.clock.advance(MINUTE_MS)
    assert chat.due() == []
    chat.clock.step(-30 * MINUTE_MS)
    chat.clock.advance(HOUR_MS - MINUTE_MS - 1)
    assert run_due(chat, "bob") == []
    chat.clock.advance(1)
    assert run_due(chat, "bob") == ["tea"]


def test_a_delayed_message_waits_for_the_limit_in_main(chat: Chat) -> None:
    chat.configure(main_rate_count=2, main_rate_window_ms=HOUR_MS)
    for number in range(3):
        chat.say("alice", f"/send_delayed main 1m {number}")
    chat.say("alice", "/send_delayed bob 1m direct")
    chat.say("alice", "/send_all now")
    chat.clock.advance(MINUTE_MS)
    assert run_due(chat, "bob") == ["0", "direct"]
    assert refusal_of(chat, "alice", "/send_all more").code == "rate_limited"
    chat.clock.advance(HOUR_MS - MINUTE_MS)
    assert run_due(chat, "bob") == ["1", "2"]
    assert refusal_of(chat, "alice", "/send_all more").code == "rate_limited"


def test_the_promised_time_is_one_at_which_it_can_be_sent(chat: Chat) -> None:
    chat.configure(main_rate_count=1, main_rate_window_ms=HOUR_MS)
    chat.say("alice", "/send_all the one of this hour")
    free = iso(NOON_MS + HOUR_MS)
    held = chat.say("alice", "/send_delayed main 1m waits").reply
    assert (held.due, held.note) == (free, "you have sent as many messages to main as one may until then (1)")
    late = chat.say("alice", "/send_delayed main 2h later").reply
    direct = chat.say("alice", "/send_delayed bob 1m direct").reply
    assert (late.due, late.note) == (iso(NOON_MS + 2 * HOUR_MS), None)
    assert (direct.due, direct.note) == (iso(NOON_MS + MINUTE_MS), None)
    assert [each.due for each in chat.say("alice", "/delayed").reply.delayed] == [direct.due, free, late.due]
    chat.sign_in("dora")
    for name in ("bob", "carol", "dora"):
        chat.say(name, "/report alice")
    banned = iso(NOON_MS + 4 * HOUR_MS)
    assert [each.due for each in chat.say("alice", "/delayed").reply.delayed] == [banned] * 3


def test_a_delayed_message_to_a_deleted_account_fails(chat: Chat) -> None:
    chat.say("alice", "/send_delayed bob 1m tea")
    chat.do(CloseAccount(0), "bob")
    chat.clock.advance(MINUTE_MS)
    assert events_to(chat.due(), chat.ids["alice"]) == [DelayedFailed(1, "unknown_user")]
    assert chat.say("alice", "/delayed").reply.delayed == []


def test_the_outcome_is_kept_until_its_author_was_told(chat: Chat) -> None:
    chat.say("alice", "/send_delayed main 1m tea")
    chat.clock.advance(MINUTE_MS)
    (push,) = [push for push in chat.due() if push.notice]
    assert push.users == (chat.ids["alice"],)
    notice = chat.dump()["notices"][0][-1]
    assert decode_event(notice) == push.event
    chat.do(ForgetNotices([push.notice]), "bob")
    assert DelayedSent(1, 1) in chat.come_back("alice").events
    assert DelayedSent(1, 1) not in chat.come_back("alice").events
    assert chat.dump()["notices"] == []


def test_all_outcomes_that_were_told_at_once_are_forgotten(chat: Chat) -> None:
    for text in ("one", "two", "three"):
        chat.say("alice", f"/send_delayed main 1m {text}")
    chat.clock.advance(MINUTE_MS)
    chat.due()
    told = chat.come_back("alice").events
    assert [event.id for event in told if isinstance(event, DelayedSent)] == [1, 2, 3]
    assert chat.dump()["notices"] == []


def test_only_the_author_can_cancel_a_waiting_message(chat: Chat) -> None:
    chat.say("alice", "/send_delayed bob 1m tea")
    assert refusal_of(chat, "bob", "/cancel_delayed 1").code == "unknown_delayed"
    assert chat.say("alice", "/cancel_delayed #1").reply == DelayedCancelled(1)
    assert refusal_of(chat, "alice", "/cancel_delayed 1").code == "unknown_delayed"
    assert chat.say("alice", "/send_delayed bob 1m tea").reply.delayed_id == 2, "an id is not given again"
    chat.clock.advance(MINUTE_MS)
    chat.due()
    assert refusal_of(chat, "alice", "/cancel_delayed 2").code == "unknown_delayed"


def test_waiting_messages_are_listed_for_their_author_alone(chat: Chat) -> None:
    chat.say("alice", "/send_delayed bob 2h later")
    chat.say("alice", "/send_delayed main 1h sooner")
    assert chat.say("alice", "/delayed").reply.delayed == [
        DelayedMessage(2, "main", iso(NOON_MS + HOUR_MS), "sooner"),
        DelayedMessage(1, "@bob", iso(NOON_MS + 2 * HOUR_MS), "later"),
    ]
    assert chat.say("bob", "/delayed").reply.delayed == []


def test_the_longest_delay_is_taken(chat: Chat) -> None:
    assert chat.say("alice", "/send_delayed bob 365d hi").reply.due == iso(NOON_MS + 365 * DAY_MS)


def test_one_without_a_delay_is_due_at_once(chat: Chat) -> None:
    assert chat.say("alice", "/send_delayed bob 0 now").reply == DelayedSet(1, iso(NOON_MS))
    assert run_due(chat, "bob") == ["now"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/send_delayed nobody 1m x", "unknown_user"), ("/send_delayed alice 1m x", "not_yourself"),
        ("/send_delayed #team 1m x", "unknown_chat"), ("/send_delayed bob 366d x", "bad_argument"),
        ("/send_delayed bob 999999999999d x", "bad_argument"),
        ("/send_delayed bob 2026-11-21T11:59:59 x", "bad_argument"), ("/send_delayed bob 9999-12-31 x", "bad_argument"),
    ],
)  # fmt: skip
def test_refusals(chat: Chat, line: str, code: str) -> None:
    assert refusal_of(chat, "alice", line).code == code


def test_waiting_messages_are_bounded(chat: Chat) -> None:
    chat.configure(delayed_max=2)
    for _ in range(2):
        chat.say("alice", "/send_delayed bob 1m x")
    assert refusal_of(chat, "alice", "/send_delayed bob 1m x").code == "too_many"
    chat.say("alice", "/cancel_delayed 1")
    chat.say("alice", "/send_delayed bob 1m x")


def with_key(delay: str) -> str:
    return f'{{"cmd":"send_delayed","target":"bob","delay":"{delay}","text":"x","key":"k1"}}'


def test_a_key_works_for_delayed_messages(chat: Chat) -> None:
    first = chat.say("alice", with_key("1m"))
    chat.clock.advance(1000)
    assert chat.say("alice", with_key("1m")).reply == first.reply
    assert len(chat.dump()["delayed"]) == 1


def test_an_impossible_delay_with_a_key_is_refused(chat: Chat) -> None:
    assert refusal_of(chat, "alice", with_key("999999999999d")).code == "bad_argument"
