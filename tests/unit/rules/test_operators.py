import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, Configure, Entry
from chat_server.protocol.accounts import Banned, Unbanned
from chat_server.protocol.arguments import Duration, Username
from chat_server.protocol.connection import Notice
from chat_server.protocol.control import Appoint, SetPasswordOf
from chat_server.protocol.messages import Changed, Message
from chat_server.protocol.names import check
from chat_server.protocol.operators import Accused, Announce, Ban, ReportList, UserBanned
from chat_server.protocol.people import Reported
from chat_server.protocol.table import TABLE
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Ending
from chat_server.rules.registry import READINGS, RULES
from chat_server.store import operators
from tests.unit.chat import LIMITS, Chat, events_to, refusal_of
from tests.unit.fakes import HOUR_MS, NOON_MS


@pytest.fixture
def boss(chat: Chat) -> str:
    """An operator, named by the settings before there was an account."""
    chat.batch(Entry(Configure(LIMITS, [check("boss")])))
    chat.sign_in("boss", new_hash="argon", password_given=True)
    return "boss"


def acts(chat: Chat) -> list[tuple[str, str, str | None, str | None]]:
    return [(act.who, act.act, act.whom, act.why) for act in operators.list_acts(chat.db, 0, 100)]


LINES = ("/ban bob", "/unban bob", "/kick bob", "/announce hi", "/reports", "/stats", "/ban nobody", "/kick alice")


@pytest.mark.parametrize("line", LINES)
def test_other_users_may_not(chat: Chat, line: str) -> None:
    assert refusal_of(chat, "alice", line).code == "forbidden"
    assert acts(chat) == []


def test_every_operator_command_is_guarded() -> None:
    for spec in TABLE.values():
        where = RULES.get(spec.build) or READINGS.get(spec.build)
        guarded = where is not None and hasattr(where, "__wrapped__")
        assert guarded == (spec.who == "operators"), spec.verb


def test_an_operator_without_a_password_is_none(chat: Chat) -> None:
    chat.batch(Entry(Configure(LIMITS, [check("Alice")])))
    assert refusal_of(chat, "alice", "/ban bob").code == "password_required"
    for reporter in ("bob", "carol"):
        assert chat.say(reporter, "/report alice").reply.note is None


def test_operator_names_are_folded_and_each_start_replaces_them(chat: Chat, boss: str) -> None:
    chat.batch(Entry(Configure(LIMITS, [check("BOSS")])))
    chat.say(boss, "/stats")
    chat.batch(Entry(Configure(LIMITS, [check("alice")])))
    assert refusal_of(chat, boss, "/stats").code == "forbidden"


def test_a_ban_by_an_operator_is_like_any_other(chat: Chat, boss: str) -> None:
    said = chat.say(boss, "/ban bob 1h rude")
    until = iso(NOON_MS + HOUR_MS)
    assert said.reply == UserBanned("bob", until, "rude")
    assert events_to(said.pushes, chat.ids["bob"]) == [Banned(until, "rude")]
    assert events_to(said.pushes, chat.ids["alice"]) == []
    assert refusal_of(chat, "bob", "/send_all hi").fields == {"until": until}
    chat.clock.advance(HOUR_MS)
    assert events_to(chat.due(), chat.ids["bob"]) == [Unbanned()]
    assert acts(chat) == [("boss", "ban", "bob", f"until {until}: rude")]


def test_the_default_duration_of_a_ban_is_that_of_the_settings(chat: Chat, boss: str) -> None:
    assert chat.say(boss, "/ban bob").reply.until == iso(NOON_MS + LIMITS.ban_ms)


def test_unban_ends_a_ban_and_the_count(chat: Chat, boss: str) -> None:
    for reporter in ("alice", "carol", "boss"):
        chat.say(reporter, "/report bob")
    assert refusal_of(chat, "bob", "/send_all hi").code == "banned"
    chat.clock.advance(1000)
    assert events_to(chat.say(boss, "/unban bob").pushes, chat.ids["bob"]) == [Unbanned()]
    chat.say("bob", "/send_all hi")
    assert chat.due() == [] and chat.batch().next_due_ms is None
    chat.clock.advance(1000)
    chat.sign_in("dora")
    assert chat.say("dora", "/report bob").reply == Reported("bob", 1, 3)


def test_unbanning_a_user_who_is_not_banned_does_nothing(chat: Chat, boss: str) -> None:
    said = chat.say(boss, "/unban bob")
    assert said.reply.note and not said.pushes and acts(chat) == []


def test_unban_of_whose_ban_is_over_does_nothing(chat: Chat, boss: str) -> None:
    chat.say(boss, "/ban bob 1h")
    chat.clock.advance(HOUR_MS)
    said = chat.say(boss, "/unban bob")
    assert said.reply.note and not said.pushes


@pytest.mark.parametrize(
    ("line", "after_ms"), [("/unban bob", 0), ("/ban bob 10s", 10_000), ("/ban bob 9h", 9 * HOUR_MS)]
)
def test_messages_that_wait_for_a_ban_wait_for_its_new_end(chat: Chat, boss: str, line: str, after_ms: int) -> None:
    chat.say("bob", "/send_delayed main 5 tea")
    chat.say(boss, "/ban bob 4h")
    chat.clock.advance(5000)
    assert chat.due() == []
    chat.say(boss, line)
    for wait in (after_ms - 1, 1) if after_ms else (0,):
        chat.clock.advance(wait)
        sent = [push.event for push in chat.due() if isinstance(push.event, Message)]
    assert [message.text for message in sent] == ["tea"]


def test_a_kick_hangs_up_on_the_user_alone(chat: Chat, boss: str) -> None:
    (ending,) = chat.say(boss, "/kick bob calm down").endings
    assert ending == Ending(chat.ids["bob"], "kicked", "an operator closed this connection: calm down")
    assert acts(chat) == [("boss", "kick", "bob", "calm down")]


def test_operators_are_safe_from_each_other_and_from_reports(chat: Chat, boss: str) -> None:
    chat.batch(Entry(Configure(LIMITS, [check("boss"), check("chief")])))
    chat.sign_in("chief", new_hash="argon", password_given=True)
    for line in ("/ban chief", "/kick chief"):
        assert refusal_of(chat, boss, line).code == "forbidden"
    for line in ("/ban boss", "/kick boss", "/unban boss"):
        assert refusal_of(chat, boss, line).code == "not_yourself"
    for reporter in ("alice", "bob", "carol"):
        reply = chat.say(reporter, "/report boss").reply
        assert reply.reports == 0 and "is an operator" in reply.note
    chat.say(boss, "/send_all hi")


def test_an_announcement_goes_to_everyone(chat: Chat, boss: str) -> None:
    (push,) = chat.say(boss, "/announce noon").pushes
    assert (push.event, push.users) == (Notice("noon", by="boss"), None)
    assert acts(chat) == [("boss", "announce", None, "noon")]


def test_a_banned_operator_announces_nothing(chat: Chat, boss: str) -> None:
    chat.say(boss, "/ban alice")
    chat.sign_in("dora")
    chat.do(SetPasswordOf(Username("alice", "alice"), "argon2"), user_id=MACHINE)  # type: ignore[arg-type]
    chat.do(Appoint(Username("alice", "alice")), user_id=MACHINE)
    assert refusal_of(chat, "alice", "/announce hi").code == "banned"


def test_any_message_may_be_deleted(chat: Chat, boss: str) -> None:
    private = chat.say("alice", "/send bob secret").reply.id
    said = chat.say(boss, f"/delete {private}")
    assert said.reply == Changed(private, chat.executor.state.seq)
    assert events_to(said.pushes, chat.ids[boss]) == []
    (seen,) = events_to(said.pushes, chat.ids["bob"])
    assert isinstance(seen, Message) and seen.deleted and seen.text is None
    assert refusal_of(chat, boss, f"/delete {private}").code == "unknown_message"
    own = chat.say(boss, "/send_all own").reply.id
    chat.say(boss, f"/delete {own}")
    assert acts(chat) == [("boss", "delete", "alice", f"#{private}")]


def test_any_message_of_a_private_chat_may_be_deleted(chat: Chat, boss: str) -> None:
    chat.say("alice", "/create_chat #team")
    id_ = chat.say("alice", "/send #team secret").reply.id
    assert refusal_of(chat, boss, f"/edit {id_} x").code == "unknown_message"
    said = chat.say(boss, f"/delete {id_}")
    (push,) = said.pushes
    assert push.room and isinstance(push.event, Message) and push.event.deleted
    assert said.reply == Changed(id_, chat.executor.state.seq)
    other = chat.say("alice", "/send #team more").reply.id
    chat.say("alice", "/leave #team")
    assert refusal_of(chat, boss, f"/delete {other}").code == "unknown_message"


def test_reports_are_listed_with_their_counts(chat: Chat, boss: str) -> None:
    chat.say("alice", "/report bob rude")
    chat.clock.advance(1000)
    chat.say("carol", "/report bob")
    reply = chat.say(boss, "/reports").reply
    assert [(each.user, each.by, each.reason) for each in reply.reports] == [
        ("bob", "carol", ""),
        ("bob", "alice", "rude"),
    ]
    assert reply.users == [Accused("bob", 2, 2)]
    assert chat.say(boss, "/reports carol").reply == ReportList([], [])
    with pytest.raises(Refusal, match="nobody"):
        chat.say(boss, "/reports nobody")


def test_a_long_list_says_how_to_go_on(chat: Chat, boss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.rules.operators.REPORTS_MAX", 1)
    chat.say("alice", "/report bob")
    chat.say("alice", "/report carol")
    reply = chat.say(boss, "/reports").reply
    assert len(reply.reports) == 1 and "/reports <username>" in reply.more


def test_the_machine_itself_may_do_all_of_it(chat: Chat) -> None:
    chat.do(Ban(Username("bob", "bob"), Duration(1000), None), user_id=MACHINE)
    chat.do(Announce("hi"), user_id=MACHINE)  # type: ignore[arg-type]
    assert [act[:3] for act in acts(chat)] == [("server", "ban", "bob"), ("server", "announce", None)]
