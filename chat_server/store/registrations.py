"""Registrations: invitation codes, accounts made by each network, and the networks of users.

Addresses are counted by their network (`addresses.network_of`). All times are elapsed time in ms.
"""

from chat_server.store.database import Database

# The networks of one user. The least recently used one is forgotten.
NETWORKS_MAX = 20

# ---- codes


def insert_code(db: Database, code_hash: bytes, expires_ms: int) -> int:
    return db.insert("INSERT INTO codes (hash, expires_ms) VALUES (?, ?)", (code_hash, expires_ms))


def is_valid_code(db: Database, code_hash: bytes, elapsed_ms: int) -> bool:
    return db.one("SELECT 1 FROM codes WHERE hash = ? AND expires_ms > ?", (code_hash, elapsed_ms)) is not None


def use_code(db: Database, code_hash: bytes) -> None:
    db.run("DELETE FROM codes WHERE hash = ?", (code_hash,))


def list_codes(db: Database, elapsed_ms: int) -> list[tuple[int, int]]:
    """Return the ids of the codes that are still valid, and when they expire."""
    rows = db.all("SELECT id, expires_ms FROM codes WHERE expires_ms > ? ORDER BY id", (elapsed_ms,))
    return [(code_id, expires_ms) for code_id, expires_ms in rows]


def revoke_code(db: Database, code_id: int, elapsed_ms: int) -> bool:
    """Revoke a code. Return whether it was still valid."""
    return bool(db.all("DELETE FROM codes WHERE id = ? AND expires_ms > ? RETURNING id", (code_id, elapsed_ms)))


# ---- accounts that a network made


def registration_count(db: Database, network: str) -> tuple[int, int]:
    """Return since when the accounts of a network are counted, and how many there are."""
    row = db.one("SELECT start_ms, count FROM registrations WHERE network = ?", (network,))
    return (row[0], row[1]) if row else (0, 0)


def set_registration_count(db: Database, network: str, start_ms: int, count: int) -> None:
    db.run("INSERT OR REPLACE INTO registrations VALUES (?, ?, ?)", (network, start_ms, count))


# ---- networks that users come from


def note_network(db: Database, user_id: int, network: str, elapsed_ms: int) -> None:
    db.run("INSERT OR REPLACE INTO networks VALUES (?, ?, ?)", (user_id, network, elapsed_ms))
    db.run(
        "DELETE FROM networks WHERE user_id = ?1 AND network IN"
        " (SELECT network FROM networks WHERE user_id = ?1 AND network <> ?2"
        " ORDER BY used_ms DESC, network LIMIT -1 OFFSET ?3)",
        (user_id, network, NETWORKS_MAX - 1),
    )


def is_known_network(db: Database, user_id: int, network: str) -> bool:
    """Tell whether the user signed in from this network, as far as it is remembered."""
    return db.one("SELECT 1 FROM networks WHERE user_id = ? AND network = ?", (user_id, network)) is not None


def delete_old(db: Database, elapsed_ms: int, start_ms: int, limit: int) -> None:
    """Delete expired codes and counts that began at `start_ms` or before, at most `limit` of each."""
    db.run_in_portions(
        "DELETE FROM codes WHERE id IN (SELECT id FROM codes WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
        (elapsed_ms,),
        limit,
    )
    db.run_in_portions(
        "DELETE FROM registrations WHERE network IN"
        " (SELECT network FROM registrations WHERE start_ms <= ? ORDER BY start_ms LIMIT ?)",
        (start_ms,),
        limit,
    )
