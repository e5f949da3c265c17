"""Bans of addresses by operators: nobody connects from there, and nobody stays.

A rule changes the store alone. Each node then reads the bans, since connections are its own (see `doorkeeper`).
"""

from chat_server.addresses import covers, is_own_network, is_within
from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE
from chat_server.protocol.operators import (
    AddressBanList,
    AddressBanned,
    AddressUnbanned,
    BanAddress,
    BannedAddress,
    BannedAddresses,
    UnbanAddress,
)
from chat_server.protocol.times import iso
from chat_server.rules.context import Context, View
from chat_server.rules.operators import MACHINE_NAME, record
from chat_server.rules.registry import reading, rule
from chat_server.store import address_bans, operators
from chat_server.store.address_bans import AddressBan

BANS_MAX = 1000
DEFAULT_REASON = "by an operator"


@rule(BanAddress)
def ban_address(context: Context, command: BanAddress) -> AddressBanned:
    network = str(command.address)
    if is_own_network(network):
        raise Refusal("bad_argument", f"{network} has addresses of this machine, which nobody can be kept out from")
    if context.network and covers(network, context.network):
        raise Refusal("not_yourself", f"you are connected from {network} yourself, and this would end your connection")
    address_bans.delete_ended(context.db, context.elapsed_ms)
    bans = address_bans.list_all(context.db, context.elapsed_ms)
    if sum(ban.network != network for ban in bans) >= BANS_MAX:
        raise Refusal("too_many", f"{BANS_MAX} networks are banned, the most there may be; /unban_address ends a ban")
    until_ms = None if command.duration is None else context.elapsed_ms + command.duration
    reason = command.reason or DEFAULT_REASON
    by = MACHINE_NAME if context.user_id == MACHINE else context.user().name
    address_bans.put(context.db, AddressBan(network, until_ms, reason, by))
    context.counts["address_bans"] += 1
    until = None if until_ms is None else iso(context.now.wall_ms(until_ms))
    record(context, "ban_address", why=f"{network} {f'until {until}' if until else 'for good'}: {reason}")
    return AddressBanned(network, reason, until, _note_on_operators(context, network))


def _note_on_operators(context: Context, network: str) -> str | None:
    """Tell that an operator may be kept out. Which one is not told: addresses are their users' own."""
    out = {user_id for user_id, each in operators.remembered_networks(context.db) if covers(network, each)}
    if out - {context.user_id}:
        return "an operator has signed in from there before, and is kept out, too"
    return "you have signed in from there before, and are kept out there, too" if out else None


@rule(UnbanAddress)
def unban_address(context: Context, command: UnbanAddress) -> AddressUnbanned:
    network = str(command.address)
    is_over = address_bans.delete(context.db, network, context.elapsed_ms)
    others = [ban.network for ban in address_bans.list_all(context.db, context.elapsed_ms)]
    within = next((each for each in others if is_within(network, each)), None)
    if is_over:
        context.counts["address_bans"] += 1
        record(context, "unban_address", why=network)
        still = f"the ban of {network} is over, but nobody may connect from there: {within} is banned, too"
        return AddressUnbanned(network, still if within else None)
    if within:
        return AddressUnbanned(network, f"{network} has no ban of its own, but {within} is banned: /unban_address that")
    return AddressUnbanned(network, f"{network} is not banned; /banned_addresses lists those that are")


@reading(BannedAddresses)
def banned_addresses(view: View, command: BannedAddresses) -> AddressBanList:
    return AddressBanList(
        [
            BannedAddress(
                ban.network,
                ban.reason,
                ban.by,
                None if ban.until_ms is None else iso(view.now.wall_ms(ban.until_ms)),
            )
            for ban in address_bans.list_all(view.db, view.elapsed_ms)
        ]
    )
