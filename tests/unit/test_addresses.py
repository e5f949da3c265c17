"""How addresses are written, which are this machine, and which count together."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.addresses import counted_network, is_loopback, network_of, plain_address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::1%lo", "::ffff:127.0.0.1"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["", "0.0.0.0", "::", "192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "example.org"]
)
def test_not_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1", ""])
def test_nothing_counts_against_this_machine(address: str) -> None:
    assert counted_network(network_of(address)) == ""


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "fe80::1"])
def test_all_others_count(address: str) -> None:
    assert counted_network(network_of(address)) == network_of(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_itself_over_either_family(address: IPv4Address) -> None:
    mapped = str(IPv6Address(0xFFFF << 32 | int(address)))
    for written in (mapped, str(address)):
        assert plain_address(written) == network_of(written) == str(address)
    assert is_loopback(mapped) == is_loopback(str(address))


@given(st.ip_addresses(v=6, network="2000::/3"), st.integers(0, 2**64 - 1), st.integers(0, 127))
def test_an_ipv6_address_counts_as_its_64(address: IPv6Address, host: int, bit: int) -> None:
    neighbour = IPv6Address(int(address) >> 64 << 64 | host)
    assert plain_address(str(address)) == str(address)
    assert network_of(str(neighbour)) == network_of(str(address))
    other = IPv6Address(int(address) ^ 1 << bit)
    assert (network_of(str(other)) == network_of(str(address))) == (bit < 64)


def test_a_scope_is_no_part_of_a_network() -> None:
    assert network_of("fe80::1%eth0") == network_of("fe80::2%2") == "fe80::/64"


@pytest.mark.parametrize("address", ["", "control", "example.org"])
def test_what_is_no_address_counts_as_itself(address: str) -> None:
    assert network_of(address) == plain_address(address) == address
