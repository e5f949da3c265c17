"""Bans of addresses: what an operator may ban, what is recorded, and that each node reads them."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.frontend.sessions import Sessions
from chat_server.frontend.transport import Transport
from chat_server.protocol.arguments import Network, Reason, Username
from chat_server.protocol.control import Appoint
from chat_server.protocol.operators import AddressBanList, AddressBanned, AddressUnbanned, BanAddress, BannedAddress
from chat_server.protocol.times import iso
from chat_server.rules import address_bans
from tests.unit import one_node
from tests.unit.chat import Chat, refusal_of
from tests.unit.fakes import NOON_MS, FakeTransport
from tests.unit.speakers import Speaker

MACHINE = -1


@pytest.fixture
def boss(chat: Chat) -> str:
    chat.sign_in("boss", new_hash="h", password_given=True)
    chat.do(Appoint(Username("boss", "boss")), user_id=MACHINE)
    return "boss"


def test_a_ban_is_listed_until_it_ends(chat: Chat, boss: str) -> None:
    said = chat.say(boss, "/ban_address 192.0.2.0/24 1h bots")
    until = iso(NOON_MS + 3_600_000)
    assert said.reply == AddressBanned("192.0.2.0/24", "bots", until)
    assert chat.say(boss, "/banned_addresses").reply == AddressBanList(
        [BannedAddress("192.0.2.0/24", "bots", "boss", until)]
    )
    chat.clock.advance(3_600_000)
    assert chat.say(boss, "/banned_addresses").reply == AddressBanList([])
    assert chat.say(boss, "/unban_address 192.0.2.0/24").reply.note


def test_a_ban_may_be_changed_and_ended(chat: Chat, boss: str) -> None:
    chat.say(boss, "/ban_address 192.0.2.7 1h")
    chat.say(boss, "/ban_address 192.0.2.7")
    (ban,) = chat.say(boss, "/banned_addresses").reply.bans
    assert (ban.until, ban.reason) == (None, "by an operator")
    assert chat.say(boss, "/unban_address 192.0.2.7").reply == AddressUnbanned("192.0.2.7/32")
    assert [row[3:6] for row in chat.dump()["audit"]][-3:] == [
        ("ban_address", None, "192.0.2.7/32 until 2026-11-21T13:00:00.000Z: by an operator"),
        ("ban_address", None, "192.0.2.7/32 for good: by an operator"),
        ("unban_address", None, "192.0.2.7/32"),
    ]


def test_there_are_not_too_many(chat: Chat, boss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_bans, "BANS_MAX", 1)
    chat.say(boss, "/ban_address 192.0.2.7")
    assert refusal_of(chat, boss, "/ban_address 192.0.2.8").code == "too_many"
    assert chat.say(boss, "/ban_address 192.0.2.7 1h").reply.until, "one that is there is changed"


def test_a_larger_ban_that_goes_on_is_told(chat: Chat, boss: str) -> None:
    chat.say(boss, "/ban_address 192.0.2.0/24")
    chat.say(boss, "/ban_address 192.0.2.7")
    assert chat.say(boss, "/unban_address 192.0.2.7").reply.note == (
        "the ban of 192.0.2.7/32 is over, but nobody may connect from there: 192.0.2.0/24 is banned, too"
    )
    assert chat.say(boss, "/unban_address 192.0.2.7").reply.note == (
        "192.0.2.7/32 has no ban of its own, but 192.0.2.0/24 is banned: /unban_address that"
    )
    assert "is not banned" in chat.say(boss, "/unban_address 192.0.0.0/16").reply.note


def test_an_operator_who_would_be_kept_out_is_told_of(chat: Chat, boss: str) -> None:
    chat.sign_in("dora", new_hash="h", password_given=True, network="192.0.2.7")
    assert chat.say(boss, "/ban_address 192.0.2.0/24").reply.note is None, "she is no operator"
    chat.do(Appoint(Username("dora", "dora")), user_id=MACHINE)
    note = "an operator has signed in from there before, and is kept out, too"
    assert chat.say(boss, "/ban_address 192.0.2.0/24").reply.note == note
    assert chat.say("dora", "/ban_address 192.0.2.7").reply.note == (
        "you have signed in from there before, and are kept out there, too"
    )
    assert chat.say(boss, "/ban_address 198.51.100.0/24").reply.note is None


def test_nobody_from_there_stays_or_comes_and_the_operator_does(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat) -> None:
        there, boss = Speaker(chat, "192.0.2.7"), Speaker(chat, "198.51.100.1")
        assert (await there.says("/sign_in mallory")).startswith("+ ")
        assert (await boss.says("/sign_in boss secret")).startswith("+ ")
        chat.submit(Appoint(Username("boss", "boss")), MACHINE)
        await chat.settle()
        told = list[str]()
        chat.node.on_bans = lambda: told.append(chat.node.doorkeeper.why_not("192.0.2.7", chat.node.time.now()) or "")
        refusal = await boss.says("/ban_address 198.51.100.0/24")
        assert refusal.startswith("- not_yourself: you are connected from 198.51.100.0/24 yourself")
        assert (await boss.says("/ban_address 192.0.2.0/24 bots")).startswith("+ ")
        assert told == ["your address is banned: bots"]
        assert (await boss.says("/unban_address 192.0.2.0/24")).startswith("+ ")
        assert told[1:] == [""]

    one_node.run(tmp_path, do)


def test_those_who_are_connected_from_there_are_sent_away(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat) -> None:
        form = LineForm(chat.runtime, json=False)
        actions = ActionLog(chat.runtime, form, enabled=False, stream=cast(io.TextIOBase, io.StringIO()))
        sessions = Sessions(chat.runtime, chat.node, one_node.SETTINGS, actions)
        chat.node.on_bans = sessions.close_banned
        ended = list[str]()
        taken = {}
        for address in ("192.0.2.7", "198.51.100.1", "127.0.0.1"):
            taken[address] = transport = Taking(partial(ended.append, address))
            sessions.open(cast(Transport, transport), address, lambda: None)
        chat.submit(BanAddress(Network("192.0.2.0/24"), reason=Reason("bots")), MACHINE)
        await chat.settle()
        assert ended == ["192.0.2.7"]
        assert taken["192.0.2.7"].taken.endswith(b"* closing: your address is banned: bots\n")

    one_node.run(tmp_path, do)


class Taking(FakeTransport):
    """It tells when it is hung up."""

    def __init__(self, on_end: Callable[[], object]) -> None:
        super().__init__()
        self._on_end = on_end

    def hang_up(self, stall_seconds: float, on_taken: Callable[[], None] | None = None) -> None:
        self._on_end()
