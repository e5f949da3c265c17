import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount
from chat_server.protocol.accounts import ActiveBan, Banned, Unbanned
from chat_server.protocol.messages import Sent
from chat_server.protocol.people import Reported
from chat_server.protocol.times import iso
from tests.unit.chat import LOOPBACK, Chat, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

BAN_MS = 4 * HOUR_MS
REPORTERS = ("alice", "bob", "carol")
VISIBLE = ("/send_all hi", "/send bob hi", "/send main hi", "/send_delayed bob 1h hi")


@pytest.fixture
def mallory(chat: Chat) -> str:
    chat.sign_in("mallory")
    return "mallory"


def ban(chat: Chat, name: str) -> None:
    for reporter in REPORTERS:
        said = chat.say(reporter, f"/report {name} floods main")
    assert said.pushes


def test_the_third_reporter_bans(chat: Chat, mallory: str) -> None:
    assert chat.say("alice", "/report mallory").reply == Reported("mallory", 1, 3)
    assert chat.say("bob", "/report MALLORY spam spam").reply == Reported("mallory", 2, 3)
    said = chat.say("carol", "/report @mallory")
    assert said.reply.reports == 3 and "banned until 16:00:00 UTC, in 4 h" in said.reply.note
    assert events_to(said.pushes, chat.ids[mallory]) == [Banned(iso(NOON_MS + BAN_MS), "reported by 3 users")]
    assert events_to(said.pushes, chat.ids["alice"]) == []


def test_a_ban_holds_from_the_next_entry_of_the_same_batch_on(chat: Chat, mallory: str) -> None:
    entries = [chat.entry(mallory, "/send_all before")]
    for reporter in REPORTERS:
        entries += [chat.entry(reporter, "/report mallory"), chat.entry(mallory, "/send_all meanwhile")]
    results = [outcome.result for outcome in chat.batch(*entries).outcomes]
    assert isinstance(results[-1], Refusal) and results[-1].code == "banned"
    assert all(isinstance(result, Sent | Reported) for result in results[:-1])


def test_a_banned_user_reads_but_cannot_write_and_is_told_until_when(chat: Chat, mallory: str) -> None:
    ban(chat, mallory)
    for line in VISIBLE:
        refusal = refusal_of(chat, mallory, line)
        assert refusal.code == "banned" and refusal.fields == {"until": iso(NOON_MS + BAN_MS)}
        assert "until 16:00:00 UTC, in 4 h" in refusal.text
    chat.say("alice", "/send_all hi")
    assert chat.say(mallory, "/messages main").texts == ["hi"]
    assert chat.come_back(mallory).reply.ban == ActiveBan(iso(NOON_MS + BAN_MS), "reported by 3 users")
    assert chat.say(mallory, "/status").reply.ban is not None
    chat.clock.advance(BAN_MS - 1)
    assert refusal_of(chat, mallory, "/send_all hi").code == "banned"
    chat.clock.advance(1)
    chat.say(mallory, "/send_all hi")
    assert chat.come_back(mallory).reply.ban is None


@pytest.mark.parametrize(
    "line", ["/send nobody hi", "/send mallory hi", "/send #none hi", "/send_delayed bob 9999d hi"]
)
def test_the_ban_comes_before_any_other_check(chat: Chat, mallory: str, line: str) -> None:
    ban(chat, mallory)
    assert refusal_of(chat, mallory, line).code == "banned"


def test_a_ban_survives_a_restart_and_the_end_is_told_once(chat: Chat, mallory: str) -> None:
    ban(chat, mallory)
    assert chat.batch().next_due_ms == NOON_MS + BAN_MS
    chat.executor._load()
    chat.clock.advance(BAN_MS - 1)
    assert chat.due() == []
    chat.clock.advance(1)
    assert events_to(chat.due(), chat.ids[mallory]) == [Unbanned()]
    assert chat.due() == [] and chat.batch().next_due_ms is None


def test_a_reporter_counts_once_for_a_target(chat: Chat, mallory: str) -> None:
    chat.say("alice", "/report mallory")
    chat.clock.advance(30 * DAY_MS)
    assert refusal_of(chat, "alice", "/report mallory again").code == "already_reported"
    assert refusal_of(chat, "alice", "/report alice").code == "not_yourself"
    assert refusal_of(chat, "alice", "/report nobody").code == "unknown_user"


def test_a_report_that_does_not_count_takes_no_address(chat: Chat, mallory: str) -> None:
    chat.configure(report_min_age_ms=HOUR_MS)
    chat.clock.advance(HOUR_MS)
    chat.sign_in("young")
    assert chat.say("young", "/report mallory", "192.0.2.1").reply.reports == 0
    assert chat.say("alice", "/report mallory", "192.0.2.1").reply == Reported("mallory", 1, 3)


def test_reports_during_a_ban_are_kept_but_not_counted_and_after_it_the_count_starts_again(
    chat: Chat, mallory: str
) -> None:
    ban(chat, mallory)
    chat.sign_in("dora", "emil", "fritz", "gerda")
    said = chat.say("dora", "/report mallory").reply
    assert said.reports == 0 and "banned already" in said.note
    chat.clock.advance(BAN_MS)
    assert chat.say("emil", "/report mallory").reply == Reported("mallory", 1, 3)
    assert chat.say("fritz", "/report mallory").reply.reports == 2
    assert refusal_of(chat, "dora", "/report mallory").code == "already_reported"
    chat.say(mallory, "/send_all hi")
    chat.say("gerda", "/report mallory")
    assert refusal_of(chat, mallory, "/send_all hi").fields == {"until": iso(NOON_MS + 2 * BAN_MS)}


def test_no_more_than_ten_users_a_day(chat: Chat) -> None:
    chat.configure(reports_per_day=2)
    chat.sign_in("dora", "emil")
    for name in ("bob", "carol"):
        chat.say("alice", f"/report {name}")
        chat.clock.advance(HOUR_MS)
    refusal = refusal_of(chat, "alice", "/report dora")
    assert refusal.code == "too_many" and "in 22 h" in refusal.text, "the first one is 24 hours old then"
    chat.clock.advance(22 * HOUR_MS)
    chat.say("alice", "/report dora")
    assert refusal_of(chat, "alice", "/report emil").code == "too_many"


def test_one_address_counts_once_loopback_excepted(chat: Chat, mallory: str) -> None:
    assert chat.say("alice", "/report mallory", "192.0.2.1").reply.reports == 1
    said = chat.say("bob", "/report mallory", "192.0.2.1").reply
    assert said.reports == 1 and "address" in said.note
    assert chat.say("carol", "/report mallory", "192.0.2.2").reply.reports == 2
    chat.sign_in("dora", "emil")
    chat.say("dora", "/report alice", LOOPBACK)
    assert chat.say("emil", "/report alice", LOOPBACK).reply.reports == 2


def test_a_young_account_does_not_count(chat: Chat, mallory: str) -> None:
    chat.configure(report_min_age_ms=HOUR_MS)
    said = chat.say("alice", "/report mallory").reply
    assert said.reports == 0 and "younger than 1 h" in said.note
    chat.clock.advance(HOUR_MS)
    assert chat.say("bob", "/report mallory").reply.reports == 1


def test_reports_outlive_the_account_that_made_them(chat: Chat, mallory: str) -> None:
    chat.say("alice", "/report mallory")
    chat.do(CloseAccount(0), "alice")
    assert chat.say("bob", "/report mallory").reply.reports == 2
