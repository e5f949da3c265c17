"""Addresses of peers: how they are written, which are loopback, and which count together."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# A user with one IPv6 address usually has the whole network of this size: 2 ** 64 addresses.
IPV6_NETWORK_BITS = 64
# Parsing an address took a thirtieth of a sign-in, and most come from few addresses.
_CACHED = 1024


@lru_cache(_CACHED)
def plain_address(address: str) -> str:
    """Return the address as people write it. A socket of both families has `::ffff:192.0.2.7` for an IPv4 peer."""
    parsed = _parse(address)
    return str(parsed) if isinstance(parsed, IPv4Address) else address


@lru_cache(_CACHED)
def network_of(address: str) -> str:
    """Return what the address counts as wherever addresses are compared: IPv4 as itself, IPv6 as its /64."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), IPV6_NETWORK_BITS), strict=False))
    return str(parsed or address)


def counted_network(network: str) -> str:
    """Return the network that something counts against; "" for this machine, against which nothing counts."""
    return "" if network in _OWN_NETWORKS or is_loopback(network) else network


@lru_cache(_CACHED)
def is_loopback(address: str) -> bool:
    """Tell whether the address is of this machine: `127.0.0.1`, `::1`, `localhost`."""
    parsed = _parse(address)
    return address == "localhost" or (parsed is not None and any(parsed in network for network in LOOPBACK))


def bare_address(address: str) -> str:
    """Return the address without the scope of a link-local one, and an IPv4 address as such."""
    return str(_parse(address) or address)


def parse_network(text: str) -> str | None:
    """Return an address or a network in CIDR notation in its one form; None if it is none.

    An IPv6 address stands for its /64, since its user usually has all of that.
    """
    address, slash, length = text.partition("/")
    parsed = _parse(address)
    if parsed is None or "%" in text:
        return None
    if not slash:
        length = str(IPV6_NETWORK_BITS if isinstance(parsed, IPv6Address) else parsed.max_prefixlen)
    elif ":" in address and isinstance(parsed, IPv4Address):
        return None
    try:
        return str(ip_network(f"{parsed}/{length}", strict=False)) if length.isdecimal() else None
    except ValueError:
        return None


def covers(network: str, other: str) -> bool:
    """Tell whether a network has an address of another one."""
    one, two = ip_network(network), ip_network(other) if other else None
    return two is not None and one.version == two.version and one.overlaps(two)


def is_within(network: str, other: str) -> bool:
    """Tell whether all of a network is in another one."""
    return covers(network, other) and ip_network(network).prefixlen >= ip_network(other).prefixlen


def is_own_network(network: str) -> bool:
    """Tell whether a network has an address of loopback."""
    return any(covers(network, str(each)) for each in LOOPBACK)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Parse an address without the scope of a link-local one; None if it is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


# Like every IPv6 address, ::1 counts as its whole /64.
_OWN_NETWORKS = ("", network_of("::1"))
