"""Bans of addresses: networks from which nobody may connect, until when, and why."""

from msgspec import Struct

from chat_server.store.database import Database


class AddressBan(Struct, frozen=True):
    """A network in CIDR notation; `until_ms` is elapsed time, None for a ban without an end."""

    network: str
    until_ms: int | None
    reason: str
    by: str


def put(db: Database, ban: AddressBan) -> None:
    db.run("INSERT OR REPLACE INTO address_bans VALUES (?, ?, ?, ?)", (ban.network, ban.until_ms, ban.reason, ban.by))


def delete(db: Database, network: str, elapsed_ms: int) -> bool:
    """Delete a ban. Return whether it was still in force."""
    sql = "DELETE FROM address_bans WHERE network = ? RETURNING until_ms IS NULL OR until_ms > ?"
    return any(row[0] for row in db.all(sql, (network, elapsed_ms)))


def delete_ended(db: Database, elapsed_ms: int) -> None:
    db.run("DELETE FROM address_bans WHERE until_ms <= ?", (elapsed_ms,))


def list_all(db: Database, elapsed_ms: int) -> list[AddressBan]:
    """Return the bans in force, sorted by network."""
    rows = db.all(
        "SELECT network, until_ms, reason, banned_by FROM address_bans WHERE until_ms IS NULL OR until_ms > ?"
        " ORDER BY network",
        (elapsed_ms,),
    )
    return [AddressBan(*row) for row in rows]
