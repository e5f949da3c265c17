"""Addresses of peers."""

from ipaddress import ip_address


def is_loopback(address: str) -> bool:
    """Whether it is this machine: `127.0.0.1`, `::1`, `localhost`."""
    if address == "localhost":
        return True
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
