from pathlib import Path

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, CloseAccount, Enter
from chat_server.prepare import hash_token
from chat_server.protocol.arguments import Id, Sha256
from chat_server.protocol.control import CodeMade, CodeRevoked, ListCodes, MakeCode, RevokeCode
from chat_server.protocol.names import check
from chat_server.protocol.times import iso
from chat_server.rules.registration import CODE_LIFE_MS, CODES_MAX
from tests.unit.chat import LOOPBACK, Chat
from tests.unit.fakes import HOUR_MS, NOON_MS

NET = "192.0.2.7"


def register(chat: Chat, name: str, code: str | None = None, network: str = NET) -> str:
    """Register, and return `ok` or the code of the refusal."""
    enter = Enter(check(name), 0, None, False, None, code=hash_token(code) if code else None)
    before = chat.dump()
    try:
        assert chat.do(enter, network=network).reply.new
    except Refusal as refusal:
        assert {**chat.dump(), "state": []} == {**before, "state": []}
        return refusal.code
    return "ok"


def draw(chat: Chat, code: str) -> CodeMade:
    made = chat.do(MakeCode(Sha256(hash_token(code).hex())), user_id=MACHINE).reply
    assert isinstance(made, CodeMade)
    return made


def listed_codes(chat: Chat) -> list[int]:
    return [each.code for each in chat.ask_as(MACHINE, ListCodes()).reply.codes]


# ---- how many


def test_accounts_of_a_network_are_bounded_in_a_window_from_the_first(chat: Chat) -> None:
    chat.configure(accounts_count=2, accounts_window_ms=HOUR_MS)
    assert [register(chat, name) for name in ("a1", "bad1", "c1")] == ["ok", "ok", "rate_limited"]
    assert register(chat, "other", network="192.0.2.8") == "ok"
    assert [register(chat, f"here{n}", network=LOOPBACK) for n in range(5)] == ["ok"] * 5
    assert not chat.do(Enter(check("a1"), 0, None, False, None), network=NET).reply.new, "signing in goes on"
    chat.clock.advance(HOUR_MS - 1)
    with pytest.raises(Refusal) as refused:
        chat.do(Enter(check("c1"), 0, None, False, None), network=NET)
    assert refused.value.fields == {"retry_at": iso(NOON_MS + HOUR_MS)}
    chat.clock.advance(1)
    assert [register(chat, name) for name in ("c1", "d1", "e1")] == ["ok", "ok", "rate_limited"]


def test_refused_accounts_do_not_count_and_deleted_ones_do(chat: Chat) -> None:
    chat.configure(accounts_count=1, accounts_window_ms=HOUR_MS, passwordless=False)
    assert register(chat, "dora") == "password_required"
    assert register(chat, "aIice") == "bad_name"
    chat.configure(passwordless=True)
    assert register(chat, "dora") == "ok"
    chat.do(CloseAccount(0), user_id=4)
    assert register(chat, "emil") == "rate_limited"


def test_the_count_is_stored_and_deleted_after_its_window(tmp_path: Path) -> None:
    chat = Chat(tmp_path, accounts_count=1, accounts_window_ms=HOUR_MS)
    assert register(chat, "dora") == "ok"
    chat.close()
    chat = Chat(tmp_path, chat.clock, accounts_count=1, accounts_window_ms=HOUR_MS)
    assert register(chat, "emil") == "rate_limited"
    chat.clock.advance(HOUR_MS)
    chat.due()
    assert chat.dump()["registrations"] == []
    chat.close()


# ---- by invitation


def test_a_code_makes_one_account(chat: Chat) -> None:
    chat.configure(registration="invite")
    assert draw(chat, "c1") == CodeMade(1, iso(NOON_MS + CODE_LIFE_MS))
    assert draw(chat, "c2").code == 2
    assert [register(chat, "dora", code) for code in (None, "c3", "")] == ["forbidden"] * 3
    # A refused name does not use up the code.
    assert register(chat, "aIice", "c1") == "bad_name"
    assert register(chat, "dora", "c1") == "ok"
    assert register(chat, "emil", "c1") == "forbidden"
    assert listed_codes(chat) == [2]
    # An existing account needs no code, and uses up none.
    assert not chat.do(Enter(check("dora"), 0, None, False, None, code=hash_token("c2"))).reply.new
    assert listed_codes(chat) == [2]
    assert chat.do(RevokeCode(Id(2)), user_id=MACHINE).reply == CodeRevoked(2)
    assert register(chat, "emil", "c2") == "forbidden"
    with pytest.raises(Refusal, match="no code 2"):
        chat.do(RevokeCode(Id(2)), user_id=MACHINE)


def test_a_code_expires(chat: Chat) -> None:
    chat.configure(registration="invite")
    draw(chat, "c1")
    draw(chat, "c2")
    chat.clock.advance(CODE_LIFE_MS - 1)
    assert register(chat, "dora", "c1") == "ok"
    chat.clock.advance(1)
    assert register(chat, "emil", "c2") == "forbidden" and listed_codes(chat) == []
    chat.due()
    assert chat.dump()["codes"] == []


@pytest.mark.parametrize(("registration", "expected"), [("open", "ok"), ("closed", "forbidden")])
def test_a_code_that_is_not_needed_is_not_used_up(chat: Chat, registration: str, expected: str) -> None:
    chat.configure(registration=registration)
    assert registration in (draw(chat, "c1").note or "")
    assert register(chat, "dora", "c1") == expected and listed_codes(chat) == [1]
    assert not chat.do(Enter(check("alice"), 0, None, False, None)).reply.new


def test_codes_are_bounded_and_recorded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.rules.registration.CODES_MAX", 2)
    assert CODES_MAX == 1000
    draw(chat, "c1")
    draw(chat, "c2")
    with pytest.raises(Refusal, match="the most there may be"):
        draw(chat, "c3")
    acts = [(row[2], row[3]) for row in chat.dump()["audit"]]
    assert acts == [("server", "invite")] * 2
    with pytest.raises(Refusal, match="for operators"):
        chat.do(MakeCode(Sha256("0" * 64)), "alice")
