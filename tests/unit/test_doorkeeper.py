"""The doorkeeper: which addresses a ban keeps out."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.addresses import covers, parse_network
from chat_server.doorkeeper import Doorkeeper
from chat_server.protocol.times import Now
from chat_server.store.address_bans import AddressBan
from tests.unit.fakes import NOON_MS

NOW = Now(NOON_MS, 1_000_000)


def keeper(*networks: str, until_ms: int | None = None) -> Doorkeeper:
    made = Doorkeeper()
    made.read([AddressBan(each, until_ms, "bots", "boss") for each in networks])
    return made


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
        ("192.0.2.7/32", "::ffff:192.0.2.7", "2001:db8::7"),
        ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
        ("2001:db8::/64", "2001:db8::ffff", "2001:db8:0:1::"),
        ("fe80::/64", "fe80::1%eth0", "fe81::1%eth0"),
    ],
)
def test_a_network_is_kept_out(network: str, inside: str, outside: str) -> None:
    assert keeper(network).why_not(inside, NOW) == "your address is banned: bots"
    assert keeper(network).why_not(outside, NOW) is None


def test_this_machine_is_never_kept_out() -> None:
    made = keeper("127.0.0.0/8", "::/16")
    assert [made.why_not(each, NOW) for each in ("127.0.0.1", "::1", "")] == [None] * 3


def test_a_ban_ends_at_its_time() -> None:
    made = keeper("192.0.2.0/24", until_ms=NOW.elapsed_ms + 60_000)
    assert made.why_not("192.0.2.7", NOW) == "your address is banned until 12:01:00 UTC, in 1 min: bots"
    assert made.why_not("192.0.2.7", Now(NOON_MS, NOW.elapsed_ms + 60_000)) is None


def test_of_several_bans_the_one_that_ends_last_is_told() -> None:
    made, soon, late = Doorkeeper(), NOW.elapsed_ms + 60_000, NOW.elapsed_ms + 120_000
    bans = [AddressBan(f"192.0.2.0/{length}", end, "bots", "boss") for length, end in ((24, soon), (25, late), (26, 5))]
    for order in (bans, bans[::-1]):
        made.read(order)
        assert made.why_not("192.0.2.7", NOW) == "your address is banned until 12:02:00 UTC, in 2 min: bots"
    made.read([*bans, AddressBan("192.0.2.7/32", None, "for good", "boss")])
    assert made.why_not("192.0.2.7", NOW) == "your address is banned: for good"


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(st.tuples(addresses, st.integers(8, 32)), max_size=8), addresses)
def test_it_agrees_with_looking_at_each_network(bans: list[tuple[str, int]], address: str) -> None:
    networks = [str(ip_network(f"{each}/{length}", strict=False)) for each, length in bans]
    if ip_address(address).is_loopback or getattr(ip_address(address), "ipv4_mapped", None):
        return
    inside = any(covers(network, address) for network in networks)
    assert (keeper(*networks).why_not(address, NOW) is not None) == inside


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("2001:db8::1/128", "2001:db8::1/128"),
        ("2001:db8::1/48", "2001:db8::/48"),
        ("192.0.2.7/33", None),
        ("192.0.2.7/", None),
        ("192.0.2.7/-1", None),
        ("::ffff:192.0.2.7/120", None),
        ("fe80::1%eth0", None),
        ("bob", None),
        ("", None),
    ],
)
def test_a_network_has_one_form(text: str, network: str | None) -> None:
    assert parse_network(text) == network
