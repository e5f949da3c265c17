"""Slow mode: who waits how long between two messages of a chat, and who does not."""

from pathlib import Path

import pytest

from chat_server.log.entries import CloseAccount
from chat_server.protocol.arguments import Username
from chat_server.protocol.connection import Notice
from chat_server.protocol.control import Appoint
from chat_server.protocol.messages import DelayedSent
from chat_server.protocol.rooms import SlowModeChanged, SlowModeShown
from chat_server.protocol.times import DAY_MS, HOUR_MS, iso
from chat_server.rules.accounts import Welcome
from chat_server.store.database import NoRoom
from tests.unit.chat import Chat, events_in, events_to, failing_commits, refusal_of
from tests.unit.fakes import NOON_MS
from tests.unit.rules.rooms import bring_in

MACHINE = -1
SECOND_MS = 1000


@pytest.fixture
def slow(chat: Chat) -> Chat:
    """#team of alice, with bob, where everybody waits for 30 s; and main, where dora is an operator."""
    chat.sign_in("dora", new_hash="h", password_given=True)
    chat.do(Appoint(Username("dora", "dora")), user_id=MACHINE)
    chat.say("alice", "/create_chat #team")
    bring_in(chat, "#team", "bob")
    chat.say("alice", "/slow_mode #team 30s")
    return chat


def rows(chat: Chat) -> list[tuple[object, ...]]:
    return list(chat.dump()["slow_posts"])


def test_the_chat_is_told_when_it_changes(slow: Chat) -> None:
    assert slow.say("alice", "/slow_mode #team 30s").pushes == [], "nothing has changed"
    said = slow.say("alice", "/slow #TEAM 1m")
    assert said.reply == SlowModeShown("#team", 60)
    assert events_in(said.pushes) == [SlowModeChanged("#team", 60, "alice")]
    (push,) = slow.say("dora", "/slow_mode main 5m").pushes
    assert (push.event, push.users) == (SlowModeChanged("main", 300, "dora"), None)
    for name in ("alice", "bob"):
        listed = {each.name: each.slow_mode for each in slow.say(name, "/status").reply.chats}
        assert listed == {"main": 300, "#team": 60}
    assert slow.say("bob", "/slow_mode #team").reply == SlowModeShown("#team", 60)
    assert slow.say("bob", "/slow_mode main").reply == SlowModeShown("main", 300)


def test_a_newcomer_is_told(slow: Chat) -> None:
    slow.sign_in("erin")
    slow.say("dora", "/slow_mode main 5m")
    said = slow.ask("erin", Welcome(True, slow.executor.state.seq, None, None))
    words = [event.text for event in said.events if isinstance(event, Notice)]
    assert any("main is in slow mode: everybody may send one message in 5m" in text for text in words)


def test_everybody_waits_from_message_to_message(slow: Chat) -> None:
    slow.say("bob", "/send #team one")
    slow.clock.advance(30 * SECOND_MS - 1)
    refusal = refusal_of(slow, "bob", "/send #team two")
    assert (refusal.code, refusal.fields) == ("rate_limited", {"retry_at": iso(NOON_MS + 30 * SECOND_MS)})
    assert refusal.text == (
        "nothing was sent: #team is in slow mode, which lets each send one message in 30s; you have to wait until"
        " 12:00:30 UTC, in 1 s"
    )
    slow.clock.advance(1)
    message = slow.say("bob", "/send #team two").reply.id
    assert refusal_of(slow, "bob", f"/reply {message} three").code == "rate_limited"
    assert refusal_of(slow, "bob", "/send_file #team a.png 5").code == "rate_limited"
    # What changes no more than a message that is there, and all other chats.
    for line in (f"/edit {message} 2", f"/react {message} 👍", "/send alice hi", "/send_all hi", f"/delete {message}"):
        slow.say("bob", line)
    # Time that a setting of the clock adds or takes away does not count.
    slow.clock.step(-HOUR_MS)
    assert refusal_of(slow, "bob", "/send #team three").code == "rate_limited"
    slow.clock.advance(30 * SECOND_MS)
    slow.say("bob", "/send #team three")


def test_owner_and_operators_are_exempt(slow: Chat) -> None:
    for _ in range(3):
        slow.say("alice", "/send #team mine")
    slow.say("dora", "/slow_mode main 1h")
    for _ in range(3):
        slow.say("dora", "/send_all mine")
    assert rows(slow) == []
    slow.say("alice", "/send_all one")
    assert refusal_of(slow, "alice", "/send_all two").code == "rate_limited", "she owns another chat"
    # Who hands a chat on waits as others do.
    slow.say("alice", "/give #team bob")
    slow.say("alice", "/send #team one")
    assert refusal_of(slow, "alice", "/send #team two").code == "rate_limited"
    slow.say("bob", "/invite #team dora")
    slow.say("dora", "/join #team")
    for _ in range(2):
        slow.say("dora", "/send #team mine")
    slow.say("dora", "/slow_mode #team off")
    slow.say("alice", "/send #team two")


def test_who_may_set_it(slow: Chat) -> None:
    assert refusal_of(slow, "bob", "/slow_mode #team off").code == "forbidden"
    assert refusal_of(slow, "alice", "/slow_mode main 5s").code == "forbidden"
    assert refusal_of(slow, "carol", "/slow_mode #team").code == "unknown_chat"
    assert refusal_of(slow, "dora", "/slow_mode #team 5s").code == "unknown_chat", "an operator who is not in it"
    acts = [act[3:] for act in slow.dump()["audit"]]
    slow.say("dora", "/slow_mode main 5s")
    assert [act[3:] for act in slow.dump()["audit"]][len(acts) :] == [("slow_mode", None, "main 5s")]


def test_a_change_counts_at_once(slow: Chat) -> None:
    slow.say("bob", "/send #team one")
    slow.clock.advance(10 * SECOND_MS)
    slow.say("alice", "/slow_mode #team 10s")
    slow.say("bob", "/send #team two")
    slow.say("alice", "/slow_mode #team 1h")
    slow.clock.advance(10 * SECOND_MS)
    assert refusal_of(slow, "bob", "/send #team three").code == "rate_limited"
    slow.say("alice", "/slow_mode #team off")
    assert rows(slow) == []
    slow.say("bob", "/send #team three")
    slow.say("bob", "/send #team four")
    assert rows(slow) == []


def test_it_outlives_a_new_start_and_leaving_the_chat(slow: Chat, tmp_path: Path) -> None:
    slow.say("dora", "/slow_mode main 1h")
    slow.say("bob", "/send #team one")
    slow.say("bob", "/send_all one")
    slow.executor.close()
    again = Chat(slow.path, slow.clock)
    again.ids = slow.ids
    for line in ("/send #team two", "/send_all two"):
        assert refusal_of(again, "bob", line).code == "rate_limited"
    again.say("bob", "/leave #team")
    bring_in(again, "#team", "bob")
    assert refusal_of(again, "bob", "/send #team two").code == "rate_limited"
    for name in ("bob", "alice"):
        again.say(name, "/leave #team")
    assert [row[0] for row in rows(again)] == [1], "what has ended holds nobody up"
    again.do(CloseAccount(0), "bob")
    assert rows(again) == []
    again.executor.close()


def test_a_batch_that_fails_leaves_main_as_it_was(slow: Chat) -> None:
    with pytest.raises(NoRoom), failing_commits(slow.executor):
        slow.say("dora", "/slow_mode main 1h")
    slow.say("bob", "/send_all one")
    slow.say("bob", "/send_all two")


def test_who_may_write_again_is_forgotten(slow: Chat) -> None:
    slow.sign_in(*(f"u{number}" for number in range(6)))
    bring_in(slow, "#team", *(f"u{number}" for number in range(6)))
    for number in range(6):
        slow.say(f"u{number}", "/send #team one")
    assert len(rows(slow)) == 6
    slow.clock.advance(30 * SECOND_MS)
    for _ in range(4):
        slow.say("bob", "/send #team one")
        slow.clock.advance(30 * SECOND_MS)
    assert [row[1] for row in rows(slow)] == [slow.ids["bob"]]


def test_the_limit_of_main_and_slow_mode_both_hold(slow: Chat) -> None:
    slow.configure(main_rate_count=1, main_rate_window_ms=HOUR_MS)
    slow.say("dora", "/slow_mode main 1s")
    slow.say("bob", "/send_all one")
    slow.clock.advance(SECOND_MS)
    assert "as many messages to main" in refusal_of(slow, "bob", "/send_all two").text
    slow.clock.advance(HOUR_MS)
    slow.say("bob", "/send_all two")
    slow.clock.advance(SECOND_MS - 1)
    # A refused message neither counts towards the limit nor begins the wait anew.
    assert "slow mode" in refusal_of(slow, "bob", "/send_all three").text
    assert rows(slow) == [(1, slow.ids["bob"], rows(slow)[0][2])]


def test_delayed_messages_wait_for_it(slow: Chat) -> None:
    slow.say("bob", "/send #team now")
    held = slow.say("bob", "/send_delayed #team 5s one").reply
    assert held.due == iso(NOON_MS + 30 * SECOND_MS)
    assert held.note == "the chat is in slow mode, and you have written just now"
    slow.say("bob", "/send_delayed #team 40s two")
    assert slow.say("bob", "/send_delayed alice 5s direct").reply.note is None
    for seconds, sent in ((5, [3]), (25, [1]), (10, []), (20, [2])):
        slow.clock.advance(seconds * SECOND_MS)
        told = events_to(slow.due(), slow.ids["bob"])
        assert [each.id for each in told if isinstance(each, DelayedSent)] == sent, seconds
    slow.clock.advance(DAY_MS)
