from itertools import product

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import (
    MACHINE,
    CloseAccount,
    Due,
    EndTokens,
    Enter,
    EnterByToken,
    Logged,
    NoteDeparture,
    SetPassword,
    UseTokens,
)
from chat_server.protocol.accounts import AccountDeleted
from chat_server.protocol.arguments import Username, Word
from chat_server.protocol.connection import Notice
from chat_server.protocol.control import SetPasswordOf
from chat_server.protocol.messages import Message, QuietMessage
from chat_server.protocol.names import check
from chat_server.protocol.people import Limit
from chat_server.protocol.rooms import ChatInfo
from chat_server.protocol.times import iso
from chat_server.rules import accounts as rules
from chat_server.rules.accounts import Welcome
from chat_server.rules.context import View
from chat_server.rules.outcomes import Ending, Stale
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS


def code_of(chat: Chat, *names: str, **fields: object) -> str:
    with pytest.raises(Refusal) as caught:
        chat.sign_in(*names, **fields)
    return caught.value.code


# ---- signing in


def test_the_first_time_registers_and_later_times_do_not(chat: Chat) -> None:
    assert chat.sign_in("dora").new
    again = chat.sign_in("DORA")
    assert (again.new, again.name) == (False, "dora")


@pytest.mark.parametrize(
    ("name", "like"), [("lisa", "Iisa"), ("user1", "userl"), ("b0b1", "bobl"), ("coco", "сосо"), ("max", "МАХ")]
)
def test_a_name_that_looks_like_an_existing_one_is_refused(chat: Chat, name: str, like: str) -> None:
    chat.sign_in(name)
    assert code_of(chat, like) == "bad_name"
    assert not chat.sign_in(name).new


def test_an_account_needs_a_password_beyond_loopback(chat: Chat) -> None:
    chat.configure(passwordless=False)
    assert code_of(chat, "dora") == "password_required"
    assert code_of(chat, "alice") == "password_required"
    assert chat.sign_in("dora", new_hash="h1", password_given=True).new


def test_an_old_account_without_a_password_cannot_sign_in_beyond_loopback(chat: Chat) -> None:
    chat.sign_in("alice", token_hash=b"t1")
    chat.configure(passwordless=False)
    for way in (EnterByToken(b"t1"), Enter(check("alice"), 0, None, False, None)):
        with pytest.raises(Refusal, match="chat-server password alice") as caught:
            chat.do(way)
        assert caught.value.code == "password_required"
    chat.configure(passwordless=True)
    assert chat.do(EnterByToken(b"t1")).reply.name == "alice"


def test_a_password_for_an_account_without_one_is_wrong(chat: Chat) -> None:
    assert code_of(chat, "alice", password_given=True) == "wrong_password"


def test_a_sign_in_prepared_on_another_hash_is_stale(chat: Chat) -> None:
    chat.do(SetPassword(0, "h1", None), "alice")
    for stale in ({}, {"saw_version": 2, "password_given": True}, {"new_hash": "h2", "password_given": True}):
        with pytest.raises(Stale):
            chat.sign_in("alice", **stale)
    assert not chat.sign_in("alice", saw_version=1, password_given=True).new
    with pytest.raises(Stale):
        chat.sign_in("newcomer", saw_version=1, password_given=True)
    for command in (SetPassword(0, "h2", None), CloseAccount(0)):
        with pytest.raises(Stale):
            chat.do(command, "alice")


# ---- tokens


def test_a_token_signs_in_until_it_ends(chat: Chat) -> None:
    chat.sign_in("alice", token_hash=b"t1")
    assert chat.do(EnterByToken(b"t1")).reply.name == "alice"
    chat.do(EndTokens(1, b"t1"), "bob")
    chat.do(EnterByToken(b"t1"))
    chat.do(EndTokens(1, b"t1"), "alice")
    with pytest.raises(Refusal, match="sign in with"):
        chat.do(EnterByToken(b"t1"))


def test_a_token_lives_from_its_last_use(chat: Chat) -> None:
    chat.sign_in("alice", token_hash=b"t1")
    for _ in range(2):
        chat.clock.advance(30 * DAY_MS - 1)
        chat.do(EnterByToken(b"t1"))
    chat.clock.advance(30 * DAY_MS)
    with pytest.raises(Refusal) as caught:
        chat.do(EnterByToken(b"t1"))
    assert caught.value.code == "bad_token"
    assert chat.dump()["tokens"]
    chat.due()
    assert not chat.dump()["tokens"]


def test_a_connection_that_stays_keeps_its_token(chat: Chat) -> None:
    chat.sign_in("alice", token_hash=b"t1")
    chat.sign_in("alice", token_hash=b"t2")
    for _ in range(3):
        chat.clock.advance(30 * DAY_MS - 1)
        chat.do(UseTokens([b"t1", b"ended"]))
        chat.due()
    chat.clock.advance(30 * DAY_MS - 1)
    assert chat.do(EnterByToken(b"t1")).reply.name == "alice"
    assert [row[0] for row in chat.dump()["tokens"]] == [b"t1"]


def test_a_new_password_and_signing_out_everywhere_end_the_other_tokens(chat: Chat) -> None:
    for token in (b"t1", b"t2"):
        chat.sign_in("alice", token_hash=token)
    chat.sign_in("bob", token_hash=b"t3")
    chat.do(SetPassword(0, "h1", b"t2"), "alice")
    assert {row[0] for row in chat.dump()["tokens"]} == {b"t2", b"t3"}
    chat.do(EndTokens(None), "alice")
    assert {row[0] for row in chat.dump()["tokens"]} == {b"t3"}


def test_the_least_recently_used_token_ends_with_its_connections(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.store.accounts.TOKENS_MAX", 5)
    tokens = [bytes([number]) for number in range(5)]
    for token in tokens:
        chat.sign_in("alice", token_hash=token)
        chat.clock.advance(1)
    chat.do(EnterByToken(tokens[0]))
    # All are used in the same millisecond; the new token is never the one that ends.
    for token, ended in ((b"\xff", tokens[1]), (b"\xfe", tokens[2])):
        entered = chat.do(Enter(check("alice"), 0, None, False, token))
        (ending,) = entered.endings
        assert (ending.user_id, ending.token, ending.asker) == (chat.ids["alice"], ended, "closed")
        assert len(chat.dump()["tokens"]) == 5
        assert chat.do(EnterByToken(token)).endings == []


def test_the_end_of_a_token_ends_its_connections(chat: Chat) -> None:
    """Each way to end a token closes these connections: (token, session, what becomes of the asker)."""
    alice = chat.ids["alice"]

    def ended(command: Logged, user_id: int = alice) -> list[tuple[bytes | None, int | None, str]]:
        endings = chat.do(command, user_id=user_id).endings
        assert {each.user_id for each in endings} == {alice}
        return [(each.token, each.session, each.asker) for each in endings]

    for token in (b"t1", b"t2", b"t3"):
        chat.sign_in("alice", token_hash=token)
    assert ended(EndTokens(7, b"t1")) == [(b"t1", 7, "signed_out")]
    assert ended(EndTokens(7)) == [(None, 7, "signed_out")]
    assert ended(EndTokens(None)) == [(None, None, "signed_out")]
    assert ended(SetPassword(0, "h1", None)) == [(None, None, "kept")]
    assert ended(SetPasswordOf(Username("alice", "alice"), Word("h2")), MACHINE) == [(None, None, "closed")]
    chat.sign_in("alice", saw_version=2, password_given=True, token_hash=b"t4")
    chat.clock.advance(30 * DAY_MS)
    assert ended(Due()) == [(b"t4", None, "closed")]
    assert ended(CloseAccount(2)) == [(None, None, "closed")]


@pytest.mark.parametrize("session", [None, 1, 2])
@pytest.mark.parametrize("token", [None, b"t1", b"t2"])
def test_which_connections_an_ending_covers(session: int | None, token: bytes | None) -> None:
    ending = Ending(1, "", "", session, token)
    for number, came_by in product((1, 2, 3), (None, b"t1", b"t2", b"t3")):
        of_all = session is None and token is None
        assert ending.is_of(number, came_by) == (of_all or number == session or (came_by and came_by == token) or False)


# ---- what one is shown


def test_a_newcomer_sees_the_last_messages_of_main_and_nothing_is_unread(chat: Chat) -> None:
    for number in range(25):
        chat.say("alice", f"/send_all {number}")
    chat.sign_in("dora")
    said = chat.ask("dora", Welcome(True, chat.executor.state.seq, None, "token"))
    assert said.texts == [None, *map(str, range(5, 25))][1:]
    assert said.reply.new and said.reply.seq == 25 and said.reply.history == "history-1"
    assert said.reply.chats == [ChatInfo("main", read=25, unread=0, muted=False)]


def test_a_returning_user_gets_counts_and_then_all_unread_messages_by_id(chat: Chat) -> None:
    for number in range(3):
        chat.say("alice", f"/send_all main {number}")
        chat.say("bob", f"/send alice direct {number}")
        chat.say("carol", f"/send bob secret {number}")
    said = chat.come_back("alice")
    assert said.events[0] == Notice("3 unread: @bob 3", unread={"@bob": 3})
    assert said.texts == ["direct 0", "direct 1", "direct 2"]
    said = chat.come_back("carol")
    assert said.events[0] == Notice("3 unread: main 3", unread={"main": 3})
    assert chat.come_back("bob").texts == [f"{kind} {n}" for n in range(3) for kind in ("main", "secret")]


def test_what_came_after_the_sign_in_is_not_counted_as_unread(chat: Chat) -> None:
    """It is pushed once the session is live, so the numbers above it would count it twice."""
    chat.say("bob", "/send_all before")
    up_to = chat.executor.state.seq
    chat.say("bob", "/send_all after")
    said = chat.ask("alice", Welcome(False, up_to, None, None))
    assert said.events[0] == Notice("1 unread: main 1", unread={"main": 1})
    assert said.texts == ["before"] and said.reply.chats == [ChatInfo("main", read=0, unread=1, muted=False)]


def test_unread_messages_of_many_pages_come_once_in_order(chat: Chat) -> None:
    chat.batch(*[chat.entry("bob", f"/send_all {n} {'x' * 500}") for n in range(700)])
    ids = [event.id for event in chat.come_back("alice").events if isinstance(event, Message)]
    assert ids == list(range(1, 701))


def test_resuming_brings_new_and_changed_messages_by_seq(chat: Chat) -> None:
    for text in ("one", "two", "three"):
        chat.say("bob", f"/send_all {text}")
    chat.say("carol", "/send alice mine")
    assert chat.come_back("alice", position=2).texts == ["three", "mine"]
    chat.do(CloseAccount(0), "bob")
    seqs = [event.seq for event in chat.come_back("alice", position=3).events if isinstance(event, Message)]
    assert seqs == [4, 5, 6, 7]
    assert chat.come_back("alice", position=7).events == []


@pytest.mark.parametrize("online", [("zoe",), ("a1", "zoe"), ("a1", "a2", "b1", "b2", "zoe")])
def test_pages_of_status_leave_nobody_out(chat: Chat, monkeypatch: pytest.MonkeyPatch, online: tuple[str, ...]) -> None:
    monkeypatch.setattr(rules, "LIST_MAX", 3)
    for name in ("a1", "a2", "b1", "b2", "zoe"):
        chat.sign_in(name)
    chat.say("b2", "/away lunch")
    here = {chat.ids[name]: name for name in online}
    everybody: set[str] = set()
    away: dict[str, str] = {}
    more: str | None = "/status"
    for page in range(5):
        view = View(chat.db, chat.ids["alice"], chat.time.now(), chat.limits, here, blobs=chat.blobs)
        reply = rules.status(view, chat.parse(more))  # type: ignore[arg-type]
        assert len(reply.active) + len(reply.inactive) <= 3
        assert set(reply.active) <= set(online) and not set(reply.inactive) & set(online)
        assert page or len(online) >= 3 or reply.active == sorted(online), "who is there stands on the first page"
        everybody |= {*reply.active, *reply.inactive}
        away |= reply.away or {}
        if (more := reply.more) is None:
            break
    assert more is None and away == {"b2": "lunch"}
    assert everybody == {"alice", "bob", "carol", "a1", "a2", "b1", "b2", "zoe"}


def test_status_and_who(chat: Chat) -> None:
    chat.say("bob", "/send_all hi")
    chat.say("bob", "/send alice hi")
    status = chat.say("alice", "/status").reply
    assert [(each.name, each.unread) for each in status.chats] == [("main", 1), ("@bob", 1)]
    assert status.inactive == ["alice", "bob", "carol"] and status.ban is None
    assert status.limits["reports"] == Limit(0, 10)
    chat.clock.advance(HOUR_MS)
    chat.do(NoteDeparture(), "bob")
    chat.clock.advance(HOUR_MS)
    assert chat.say("alice", "/who @BOB").reply.last_seen == iso(NOON_MS + HOUR_MS)
    assert refusal_of(chat, "alice", "/who nobody").code == "unknown_user"


def test_status_counts_the_reports_of_a_day(chat: Chat) -> None:
    chat.say("alice", "/report bob")
    chat.clock.advance(HOUR_MS)
    chat.say("alice", "/report carol")
    used = []
    for ms in (0, DAY_MS - HOUR_MS - 1, 1, HOUR_MS):
        chat.clock.advance(ms)
        used.append(chat.say("alice", "/status").reply.limits["reports"].used)
    assert used == [2, 2, 1, 0]


# ---- the end of an account


def test_a_deleted_account_loses_its_texts_and_its_name_stays_taken(chat: Chat) -> None:
    chat.sign_in("alice", token_hash=b"t1")
    chat.say("alice", "/send_all in main")
    chat.say("alice", "/send bob to bob")
    chat.say("bob", "/send alice to alice")
    chat.say("alice", "/send_delayed bob 1h later")
    said = chat.do(CloseAccount(0), "alice")
    assert said.reply == AccountDeleted("alice")
    assert [type(event) for event in events_to(said.pushes, chat.ids["bob"])] == [
        Notice,
        QuietMessage,
        QuietMessage,
    ]
    with pytest.raises(Refusal):
        chat.do(EnterByToken(b"t1"))
    for name in ("alice", "Alice", "aIice"):
        assert code_of(chat, name) == "bad_name"
    assert chat.say("bob", "/history main").texts == [None]
    page = chat.say("bob", "/get_chat_with alice")
    assert page.texts == [None, "to alice"] and page.events[0].deleted  # type: ignore[attr-defined]
    assert refusal_of(chat, "bob", "/send alice hi").code == "unknown_user"
    assert not any("in main" in repr(rows) or "later" in repr(rows) for rows in chat.dump().values())
    chat.clock.advance(HOUR_MS)
    assert chat.due() == []


def test_a_deleted_account_cannot_write(chat: Chat) -> None:
    chat.do(CloseAccount(0), "alice")
    for line in ("/send_all hi", "/send bob hi", "/send_delayed bob 1h hi", "/report bob", "/status"):
        assert refusal_of(chat, "alice", line).code == "not_signed_in"


def test_reading_from_a_deleted_account_is_refused_or_empty_never_a_failure(chat: Chat) -> None:
    chat.say("bob", "/send alice hi")
    chat.do(CloseAccount(0), "alice")
    for line in ("/read main 1", "/read bob 1", "/messages main", "/get_chat_with bob", "/history main", "/delayed"):
        try:
            chat.say("alice", line)
        except Refusal as refusal:
            assert refusal.code == "not_signed_in"
