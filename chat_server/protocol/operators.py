"""The commands of operators: bans, kicks, reports, announcements, statistics."""

from msgspec import Struct

from chat_server.protocol.accounts import ActiveBan
from chat_server.protocol.arguments import Duration, Network, Reason, Text, Username
from chat_server.protocol.base import Command, Reply
from chat_server.protocol.table import command


class UserBanned(Reply, frozen=True, omit_defaults=True):
    user: str
    until: str
    reason: str


class UserUnbanned(Reply, frozen=True, omit_defaults=True):
    user: str
    note: str | None = None


class Kicked(Reply, frozen=True, omit_defaults=True):
    user: str


class Announced(Reply, frozen=True, omit_defaults=True):
    pass


class ReportMade(Struct, frozen=True):
    """`counted` says whether the report counted towards a ban when it was made."""

    user: str
    by: str
    at: str
    reason: str
    counted: bool


class Accused(Struct, frozen=True, omit_defaults=True):
    """How often a user was reported; `counting` of these reports count towards the next ban."""

    user: str
    reports: int
    counting: int
    ban: ActiveBan | None = None


class ReportList(Reply, frozen=True, omit_defaults=True):
    reports: list[ReportMade]
    users: list[Accused]
    more: str | None = None


class StatsReport(Reply, frozen=True, omit_defaults=True):
    """`texts` is what all stored texts have, `texts_most` what those of one user have at most, of `text_quota`.

    `live` is what the running server has counted since its start; of one that does not run there is none. In a cluster
    its `connections` and `deliveries` are the sums over `nodes`, which has the counts of each node that lives.
    """

    users: int
    banned: int
    reports: int
    seq: int
    database: int
    texts: int
    texts_most: int
    text_quota: int
    at: str
    live: dict[str, int] | None = None
    nodes: dict[str, dict[str, int]] | None = None


class AddressBanned(Reply, frozen=True, omit_defaults=True):
    """`address` is the network that is banned; without `until` for good."""

    address: str
    reason: str
    until: str | None = None
    note: str | None = None


class AddressUnbanned(Reply, frozen=True, omit_defaults=True):
    address: str
    note: str | None = None


class BannedAddress(Struct, frozen=True, omit_defaults=True):
    address: str
    reason: str
    by: str
    until: str | None = None


class AddressBanList(Reply, frozen=True, omit_defaults=True):
    bans: list[BannedAddress]


# ---- commands


@command(
    "ban",
    group="Operators",
    reply=UserBanned,
    runs="logged",
    who="operators",
    help="forbids a user to write, for a while; reading goes on",
    example="/ban mallory 2d floods main",
)
class Ban(Command, frozen=True, tag="ban"):
    username: Username
    duration: Duration | None = None
    reason: Reason | None = None


@command(
    "unban",
    group="Operators",
    reply=UserUnbanned,
    runs="logged",
    who="operators",
    help="ends a user's ban",
    example="/unban mallory",
)
class Unban(Command, frozen=True, tag="unban"):
    username: Username


@command(
    "ban_address",
    group="Operators",
    reply=AddressBanned,
    runs="logged",
    who="operators",
    help="lets nobody connect from an address or network",
    example="/ban_address 192.0.2.0/24 2d floods",
)
class BanAddress(Command, frozen=True, tag="ban_address"):
    address: Network
    duration: Duration | None = None
    reason: Reason | None = None


@command(
    "unban_address",
    group="Operators",
    reply=AddressUnbanned,
    runs="logged",
    who="operators",
    help="ends the ban of an address or network",
    example="/unban_address 192.0.2.0/24",
)
class UnbanAddress(Command, frozen=True, tag="unban_address"):
    address: Network


@command(
    "banned_addresses",
    group="Operators",
    reply=AddressBanList,
    runs="reading",
    who="operators",
    help="lists the addresses and networks that are banned",
    example="/banned_addresses",
)
class BannedAddresses(Command, frozen=True, tag="banned_addresses"):
    pass


@command(
    "kick",
    group="Operators",
    reply=Kicked,
    runs="logged",
    who="operators",
    help="closes a user's connections; the user may come back",
    example="/kick mallory calm down",
)
class Kick(Command, frozen=True, tag="kick"):
    username: Username
    reason: Reason | None = None


@command(
    "reports",
    group="Operators",
    reply=ReportList,
    runs="reading",
    who="operators",
    help="who reported whom, when and why; the last ones, or those about one user",
    example="/reports mallory",
)
class Reports(Command, frozen=True, tag="reports"):
    username: Username | None = None


@command(
    "announce",
    group="Operators",
    reply=Announced,
    runs="logged",
    who="operators",
    help="tells everybody who is connected",
    example="/announce the server restarts at noon",
)
class Announce(Command, frozen=True, tag="announce"):
    text: Text


@command(
    "stats",
    group="Operators",
    reply=StatsReport,
    runs="reading",
    who="operators",
    help="how much there is, and what the server has counted",
    example="/stats",
)
class Stats(Command, frozen=True, tag="stats"):
    pass
