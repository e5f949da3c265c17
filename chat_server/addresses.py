"""Addresses of peers: how they are written, which are loopback, and which count together."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# Whoever has one IPv6 address has the whole network of this size, 2 ** 64 of them.
IPV6_NETWORK_BITS = 64


def plain(address: str) -> str:
    """The address as people write it; an IPv4 peer of a socket that takes both families is `::ffff:192.0.2.7` there."""
    parsed = _parse(address)
    return str(parsed) if isinstance(parsed, IPv4Address) else address


def network_of(address: str) -> str:
    """What the address counts as wherever addresses are compared: IPv4 as itself, IPv6 as its /64."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), IPV6_NETWORK_BITS), strict=False))
    return str(parsed or address)


def counted_network(network: str) -> str:
    """The network against which something counts: "" for this machine, against which nothing does."""
    return "" if network in _OWN_NETWORKS or is_loopback(network) else network


def is_loopback(address: str) -> bool:
    """Whether it is this machine: `127.0.0.1`, `::1`, `localhost`."""
    parsed = _parse(address)
    return address == "localhost" or (parsed is not None and any(parsed in network for network in LOOPBACK))


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Without the scope of a link-local address; None for what is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


# ::1 counts as its whole /64, as every address of IPv6 does.
_OWN_NETWORKS = ("", network_of("::1"))
