"""Wrong passwords in the log: what counts together, and how long the next try waits."""

from typing import Any

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, CloseAccount, Enter, Entry, Logged, SetPassword, WrongPassword
from chat_server.protocol.arguments import Username, Word
from chat_server.protocol.control import SetPasswordOf
from chat_server.protocol.names import check
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Stale
from chat_server.store.wrong_passwords import COUNTS_MAX
from tests.unit.chat import Chat
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

WINDOW_MS = 600_000
HOME, WORK, STRANGE = "192.0.2.1", "192.0.2.2", "198.51.100.7"


class Door:
    """Alice and Bob have passwords, and sign in from home and from work."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        chat.configure(tries_count=3, tries_window_ms=WINDOW_MS)
        for name in ("alice", "bob"):
            chat.do(SetPassword(0, "hash", None), name)
            for network in (HOME, WORK):
                chat.do(self.enter(name), network=network)

    def enter(self, name: str = "alice") -> Enter:
        return Enter(check(name), 1, None, True, None)

    def wrong(self, name: str = "alice") -> WrongPassword:
        return WrongPassword(self.chat.ids[name], 1)

    def knock(self, command: Logged, network: str = STRANGE, by: int = 0) -> str:
        """Return what became of it: when to try again, otherwise a word."""
        (outcome,) = self.chat.batch(Entry(command, by, network=network)).outcomes
        return told(outcome.result)

    def wait(self, ms: int) -> None:
        self.chat.clock.advance(ms)


def told(result: Any) -> str:
    if not isinstance(result, Refusal):
        return "stale" if isinstance(result, Stale) else "ok"
    return str(result.fields["retry_at"]) if result.code == "too_fast" else result.code


@pytest.fixture
def door(chat: Chat) -> Door:
    return Door(chat)


def test_past_the_limit_waits_double_up_to_the_window(door: Door) -> None:
    assert [door.knock(door.wrong()) for _ in range(3)] == ["wrong_password"] * 3
    for wait_ms in (1000, 2000, 4000, 8000):
        end = iso(door.chat.clock.now_ms() + wait_ms)
        assert door.knock(door.wrong()) == end
        door.wait(wait_ms - 1)
        assert door.knock(door.enter()) == end, "the right one too"
        door.wait(1)
        assert door.knock(door.wrong()) == "wrong_password"
    for _ in range(20):
        door.wait(WINDOW_MS - 1)
        door.knock(door.wrong())
    door.wait(WINDOW_MS)
    assert [door.knock(door.wrong()) for _ in range(4)][:3] == ["wrong_password"] * 3


@pytest.mark.parametrize("step_ms", (HOUR_MS, -HOUR_MS, 30 * DAY_MS, -30 * DAY_MS))
def test_setting_the_clock_changes_no_wait(door: Door, step_ms: int) -> None:
    assert [door.knock(door.wrong()) for _ in range(6)][3:] == [iso(NOON_MS + 1000)] * 3
    door.chat.clock.step(step_ms)
    assert door.knock(door.wrong()) == iso(NOON_MS + step_ms + 1000), "told by the clock as it goes now"
    door.wait(999)
    assert door.knock(door.wrong()) == iso(NOON_MS + step_ms + 1000)
    door.wait(1)
    assert door.knock(door.wrong()) == "wrong_password"


def test_of_those_checked_at_once_the_order_of_the_log_says_which_are_too_many(door: Door) -> None:
    """As from several nodes, of which none has seen the others' tries yet."""
    tries = [Entry(command, network=STRANGE) for command in (*[door.wrong()] * 5, door.enter())]
    outcomes = door.chat.batch(*tries).outcomes
    again = iso(NOON_MS + 1000)
    assert [told(each.result) for each in outcomes] == ["wrong_password"] * 3 + [again] * 3


def test_unknown_networks_count_together_and_known_ones_apart(door: Door) -> None:
    for network in ("203.0.113.1", "203.0.113.2", STRANGE):
        assert door.knock(door.wrong(), network) == "wrong_password"
    assert door.knock(door.enter(), "203.0.113.3") == iso(NOON_MS + 1000)
    assert door.knock(door.enter("bob")) == "ok", "another account"
    for network in (HOME, WORK):
        assert [door.knock(door.wrong(), network) for _ in range(3)] == ["wrong_password"] * 3
        assert door.knock(door.enter(), network) == iso(NOON_MS + 1000)


@pytest.mark.parametrize("command", [SetPassword(1, "new", None), CloseAccount(1)])
def test_who_is_signed_in_counts_apart(door: Door, command: Logged) -> None:
    alice = door.chat.ids["alice"]
    for network in (HOME, WORK, STRANGE):
        assert door.knock(door.wrong(), network, by=alice) == "wrong_password"
    assert door.knock(command, HOME, by=alice) == iso(NOON_MS + 1000)
    assert door.knock(door.enter(), HOME) == "ok"
    door.wait(1000)
    assert door.knock(command, HOME, by=alice) == "ok"


def test_a_right_one_forgets_the_wrong_ones_that_count_with_it(door: Door) -> None:
    for _ in range(5):
        codes = [door.knock(each, HOME) for each in (door.wrong(), door.wrong(), door.enter())]
        assert codes == ["wrong_password", "wrong_password", "ok"]
    door.knock(door.wrong(), WORK)
    assert door.knock(door.enter(), HOME) == "ok"
    assert [row[2:4] for row in door.chat.dump()["wrong_passwords"]] == [(WORK, 1)]


def test_one_checked_against_an_older_password_is_not_counted(door: Door) -> None:
    door.chat.do(SetPassword(1, "new", None), "alice")
    assert door.knock(door.wrong()) == "stale"
    door.chat.do(CloseAccount(1), "bob")
    assert door.knock(door.wrong("bob")) == "stale"
    assert door.chat.dump()["wrong_passwords"] == []


def test_counts_last_over_a_restart(door: Door) -> None:
    assert [door.knock(door.wrong()) for _ in range(3)] == ["wrong_password"] * 3
    door.chat.executor._load()
    assert door.knock(door.enter()) == iso(NOON_MS + 1000)


def test_a_password_that_the_administrator_sets_begins_anew(door: Door) -> None:
    assert [door.knock(door.wrong()) for _ in range(4)][3] == iso(NOON_MS + 1000)
    door.chat.do(SetPasswordOf(Username("alice", "alice"), Word("hash2")), user_id=MACHINE)
    assert door.knock(Enter(check("alice"), 2, None, True, None)) == "ok"


def test_without_a_limit_none_is_counted(door: Door) -> None:
    door.knock(door.wrong())
    door.chat.configure(tries_count=None, tries_window_ms=0)
    assert [door.knock(door.wrong()) for _ in range(100)] == ["wrong_password"] * 100
    assert door.knock(door.enter()) == "ok"
    door.chat.due()
    assert door.chat.dump()["wrong_passwords"] == []


def test_old_counts_are_deleted_and_the_table_is_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert COUNTS_MAX == 100_000
    monkeypatch.setattr("chat_server.store.wrong_passwords.COUNTS_MAX", 2)
    for network in (HOME, WORK, HOME, STRANGE):
        door.knock(door.wrong(), network)
        door.wait(1000)
    assert {row[2]: row[3] for row in door.chat.dump()["wrong_passwords"]} == {HOME: 2, "": 1}
    door.wait(WINDOW_MS - 2000)
    door.chat.due()
    assert [row[2] for row in door.chat.dump()["wrong_passwords"]] == [""]
    door.wait(1000)
    door.chat.due()
    assert door.chat.dump()["wrong_passwords"] == []


def test_they_go_with_their_account(door: Door) -> None:
    door.knock(door.wrong())
    door.chat.do(CloseAccount(1), "alice", network=HOME)
    assert door.chat.dump()["wrong_passwords"] == []
