"""The doorkeeper: from which addresses nobody may connect, as the store had it when it was read last."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from math import inf

from chat_server.addresses import bare_address, is_loopback
from chat_server.protocol.connection import ADDRESS_BANNED
from chat_server.protocol.times import Now, until
from chat_server.store.address_bans import AddressBan


class Doorkeeper:
    """It looks an address up once for each length of banned networks, however many there are."""

    def __init__(self) -> None:
        # The bans by family and length of their networks, and by the networks' first addresses.
        self._bans: dict[tuple[int, int], dict[int, AddressBan]] = {}

    def read(self, bans: Sequence[AddressBan]) -> None:
        self._bans = {}
        for ban in bans:
            network = ip_network(ban.network)
            of_length = self._bans.setdefault((network.version, network.prefixlen), {})
            of_length[int(network.network_address)] = ban

    def why_not(self, address: str, now: Now) -> str | None:
        """Return why nobody may connect from this address now; None if one may. This machine's own are never banned."""
        if not self._bans or not address or is_loopback(address):
            return None
        parsed, found = ip_address(bare_address(address)), None
        for (version, length), bans in self._bans.items():
            if version != parsed.version:
                continue
            unused = parsed.max_prefixlen - length
            ban = bans.get(int(parsed) >> unused << unused)
            # If several bans hold, the one that ends last tells when one may come back.
            if ban is not None and _end(ban) > (_end(found) if found else now.elapsed_ms):
                found = ban
        return _words(found, now) if found else None


def _end(ban: AddressBan) -> float:
    return inf if ban.until_ms is None else ban.until_ms


def _words(ban: AddressBan, now: Now) -> str:
    end = "" if ban.until_ms is None else f" {until(now.wall_ms(ban.until_ms), now.at_ms)}"
    return f"{ADDRESS_BANNED}{end}: {ban.reason}"
