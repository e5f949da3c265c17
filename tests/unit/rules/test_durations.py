"""Durations: no step of the wall clock changes any kind of them, whether the server runs or restarts."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from chat_server.chat_time import LocalTime
from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, Enter, EnterByToken, LeaveUploads
from chat_server.protocol.arguments import Sha256
from chat_server.protocol.control import ListCodes, MakeCode
from chat_server.protocol.messages import Message
from chat_server.protocol.names import check
from chat_server.protocol.times import iso
from chat_server.rules.messages import KEY_LIFE_MS
from chat_server.rules.registration import CODE_LIFE_MS
from chat_server.store.files import UPLOAD_LIFE_MS
from tests.unit.chat import Chat
from tests.unit.fakes import DAY_MS, HOUR_MS

MINUTE_MS = 60_000
REPORT_AGE_MS = 2 * HOUR_MS
STEPS_MS = (HOUR_MS, -HOUR_MS, 30 * DAY_MS, -30 * DAY_MS)


class Kind(NamedTuple):
    """A state that lasts for `ms` after `begin`. `lasts` tells whether it still does, and does not change that."""

    ms: int
    begin: Callable[[Chat], object]
    lasts: Callable[[Chat], bool]


def code(chat: Chat, name: str, line: str) -> str:
    try:
        chat.say(name, line)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def has_row(chat: Chat, what: str, where: str = "1") -> bool:
    """Tell whether there is such a row after `Due` was executed."""
    chat.due()
    return chat.db.one(f"SELECT 1 FROM {what} WHERE {where}") is not None


def report_by_three(chat: Chat) -> None:
    for name in ("bob", "carol", "dora"):
        chat.say(name, "/report alice")


def report_ten(chat: Chat) -> None:
    for number in range(10):
        chat.sign_in(f"one{number}")
        chat.say("alice", f"/report one{number}")


def read_by_all(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    for name in ("bob", "carol", "dora"):
        chat.say(name, "/read main 99")


def unread_by_bob(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    for name in ("carol", "dora"):
        chat.say(name, "/read main 99")


def send_alone(chat: Chat) -> None:
    for name in ("bob", "carol", "dora"):
        chat.say(name, "/send_all bye")
    chat.say("alice", "/create_chat #solo")
    chat.say("alice", "/send #solo hello?")


def send_with_key(chat: Chat) -> int:
    sent: int = chat.say("alice", '{"cmd":"send","target":"bob","text":"hi","key":"k"}').reply.id
    return sent


def begin_upload(chat: Chat) -> None:
    chat.say("alice", "/send_file bob a.txt 5")
    chat.do(LeaveUploads(None))


def delay_banned(chat: Chat) -> None:
    chat.say("alice", "/send_delayed bob 1 hi")
    report_by_three(chat)
    chat.clock.advance(1000)
    chat.due()
    chat.clock.advance(-1000)


def is_young(chat: Chat) -> bool:
    """Tell whether a report by eve does not count. It is removed again, since a second one would be refused."""
    said = chat.say("eve", "/report bob").reply
    chat.executor._db.run("DELETE FROM reports")
    return said.note is not None


def resumes(chat: Chat) -> bool:
    """Tell whether the token is valid. Using it prolongs its life, so that is undone."""
    db = chat.executor._db
    used_ms = db.value("SELECT used_ms FROM tokens")
    try:
        chat.do(EnterByToken(b"token"))
    except Refusal as refusal:
        assert refusal.code == "bad_token"
        return False
    db.run("UPDATE tokens SET used_ms = ?", (used_ms,))
    return True


def register(chat: Chat, name: str) -> str:
    try:
        chat.do(Enter(check(name), 0, None, False, None), network="192.0.2.7")
    except Refusal as refusal:
        return refusal.code
    return "ok"


def make_an_account(chat: Chat) -> None:
    chat.configure(accounts_count=1, accounts_window_ms=HOUR_MS)
    assert register(chat, "first") == "ok"


KINDS = {
    "the limit in main": Kind(
        HOUR_MS,
        lambda chat: [chat.say("alice", "/send_all hi") for _ in range(20)],
        lambda chat: code(chat, "alice", "/send_all more") == "rate_limited",
    ),
    "a ban by reports": Kind(
        4 * HOUR_MS, report_by_three, lambda chat: code(chat, "alice", "/send bob hi") == "banned"
    ),
    "what waits for the end of a ban": Kind(4 * HOUR_MS, delay_banned, lambda chat: has_row(chat, "delayed")),
    "a delay": Kind(
        90 * MINUTE_MS,
        lambda chat: chat.say("alice", "/send_delayed bob 90m hi"),
        lambda chat: has_row(chat, "delayed"),
    ),
    "the life of a message": Kind(HOUR_MS, read_by_all, lambda chat: has_row(chat, "messages")),
    "the life of what one says alone": Kind(
        HOUR_MS, send_alone, lambda chat: has_row(chat, "messages", "text = 'hello?'")
    ),
    "who is not absent": Kind(30 * DAY_MS, unread_by_bob, lambda chat: not has_row(chat, "members", "absent")),
    "a key": Kind(KEY_LIFE_MS, send_with_key, lambda chat: send_with_key(chat) == 1),
    "a token": Kind(30 * DAY_MS, lambda chat: chat.sign_in("alice", token_hash=b"token"), resumes),
    "a code of a chat": Kind(
        24 * HOUR_MS,
        lambda chat: [chat.say("alice", line) for line in ("/create_chat #team", "/invite_link #team")],
        lambda chat: code(chat, "bob", "/join code-1") == "ok" and code(chat, "alice", "/deny #team bob") == "ok",
    ),
    "an upload": Kind(UPLOAD_LIFE_MS, begin_upload, lambda chat: has_row(chat, "uploads")),
    "the reports of a day": Kind(DAY_MS, report_ten, lambda chat: code(chat, "alice", "/report bob") == "too_many"),
    "the accounts of a network": Kind(
        HOUR_MS, make_an_account, lambda chat: register(chat, "second") == "rate_limited"
    ),
    "a code to register with": Kind(
        CODE_LIFE_MS,
        lambda chat: chat.do(MakeCode(Sha256("ab" * 32)), user_id=MACHINE),
        lambda chat: len(chat.ask_as(MACHINE, ListCodes()).reply.codes) == 1,
    ),
    "the age of an account whose reports count": Kind(REPORT_AGE_MS, lambda chat: chat.sign_in("eve"), is_young),
}


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    chat = Chat(
        tmp_path,
        main_rate_count=20,
        main_rate_window_ms=HOUR_MS,
        report_min_age_ms=0,
        message_ttl_ms=HOUR_MS,
        absent_after_ms=30 * DAY_MS,
    )
    chat.sign_in("alice", "bob", "carol", "dora")
    chat.clock.advance(REPORT_AGE_MS)
    chat.configure(report_min_age_ms=REPORT_AGE_MS)
    return chat


def restart(chat: Chat, step_ms: int = 0) -> None:
    """Restart at once, though the clock may have been set meanwhile."""
    # At its stop at the latest, the node notices that the clock was set, and stores the two times.
    chat.due()
    state = chat.executor.state
    chat.executor._load()
    chat.clock.step(step_ms)
    chat.time = LocalTime(chat.clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)


@pytest.mark.parametrize("step_ms", STEPS_MS, ids=lambda ms: f"{ms // HOUR_MS}h")
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("name", KINDS)
def test_no_step_of_the_clock_changes_a_duration(chat: Chat, name: str, restarts: bool, step_ms: int) -> None:
    kind = KINDS[name]
    # The two times differ from the beginning on, so that neither can pass for the other.
    chat.clock.step(-step_ms // 2)
    kind.begin(chat)
    assert kind.lasts(chat)
    chat.clock.advance(MINUTE_MS)
    chat.clock.step(step_ms)
    assert kind.lasts(chat), "the clock was set"
    if restarts:
        restart(chat)
        assert kind.lasts(chat), "and the server restarted"
    chat.clock.advance(MINUTE_MS)
    assert kind.lasts(chat)
    if restarts and step_ms > 0:
        # A step forwards could not be told from a long stop.
        restart(chat, -step_ms)
    else:
        chat.clock.step(-step_ms)
    assert kind.lasts(chat), "the clock was set right"
    chat.clock.advance(kind.ms - 2 * MINUTE_MS - 1000)
    assert kind.lasts(chat), "up to its end"
    chat.clock.advance(1000)
    assert not kind.lasts(chat), "and no longer"


@pytest.mark.parametrize("step_ms", STEPS_MS)
def test_an_end_is_shown_by_the_clock_as_it_runs_now(chat: Chat, step_ms: int) -> None:
    report_by_three(chat)
    for passed in (0, HOUR_MS):
        chat.clock.advance(passed)
        chat.clock.step(step_ms)
        end_ms = chat.clock.now_ms() + 4 * HOUR_MS - passed
        with pytest.raises(Refusal) as refused:
            chat.say("alice", "/send_all hi")
        assert refused.value.fields["until"] == iso(end_ms)
        assert f"in {4 - passed // HOUR_MS} h" in str(refused.value)
        assert chat.say("alice", "/status").reply.ban.until == iso(end_ms)


@pytest.mark.parametrize("step_ms", STEPS_MS)
def test_a_named_time_is_by_the_wall_clock(chat: Chat, step_ms: int) -> None:
    due_ms = chat.clock.now_ms() + 40 * DAY_MS
    assert chat.say("alice", f"/send_delayed bob {iso(due_ms)} hi").reply.due == iso(due_ms)
    chat.clock.step(step_ms)
    assert [each.due for each in chat.say("alice", "/delayed").reply.delayed] == [iso(due_ms)]
    chat.clock.advance(40 * DAY_MS - step_ms - 1)
    assert has_row(chat, "delayed")
    chat.clock.advance(1)
    assert not has_row(chat, "delayed")


def test_messages_are_sorted_by_id_whatever_the_clock_says(chat: Chat) -> None:
    for step_ms in (0, *STEPS_MS):
        chat.clock.step(step_ms)
        chat.say("alice", f"/send bob {step_ms}")
    shown = [(event.id, event.at) for event in chat.say("bob", "/history alice").events if isinstance(event, Message)]
    assert [id_ for id_, _ in shown] == [1, 2, 3, 4, 5]
    assert len({at for _, at in shown}) == 3, "now, an hour later, a month later"
