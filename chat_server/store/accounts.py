"""Users and their tokens."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chat_server.protocol.names import Name
from chat_server.store.database import Database

# The tokens of one user. A connection ends with its token, so this also bounds the connections of programs.
TOKENS_MAX = 1000
_COLUMNS = "id, name, password, password_version, created_ms, ban_until_ms, ban_reason, rate_start_ms, rate_count"
_BY_ID = f"SELECT {_COLUMNS} FROM users WHERE id = ? AND deleted_ms IS NULL"
_BY_NAME = f"SELECT {_COLUMNS} FROM users WHERE folded = ? AND deleted_ms IS NULL"


class User(Struct, frozen=True):
    """An account that is not deleted. `password` is a hash; `password_version` is 0 without one."""

    id: int
    name: str
    password: str | None
    password_version: int
    created_ms: int
    ban_until_ms: int
    ban_reason: str | None
    rate_start_ms: int
    rate_count: int

    def __repr__(self) -> str:
        return f"User({self.id}, {self.name!r})"


def by_id(db: Database, user_id: int) -> User | None:
    cache = db.cache
    if cache is None:
        row = db.one(_BY_ID, (user_id,))
        return User(*row) if row else None
    user: User | None = cache.users.get(user_id)
    if user is None and (row := db.one(_BY_ID, (user_id,))):
        user = cache.users[user_id] = User(*row)
    return user


def by_name(db: Database, folded: str) -> User | None:
    row = db.one(_BY_NAME, (folded,))
    return User(*row) if row else None


def find_id_and_name(db: Database, folded: str) -> tuple[int, str] | None:
    """Find an account by its folded name, even a deleted one, since its chats with others remain."""
    row = db.one("SELECT id, name FROM users WHERE folded = ?", (folded,))
    return row and (row[0], row[1])


def newest_id(db: Database) -> int:
    """Return the id of the newest account. Rows are never deleted, so it also counts all accounts there ever were."""
    return db.value("SELECT max(id) FROM users") or 0


def name_of(db: Database, user_id: int) -> str:
    """Return the name of an account, which may be deleted."""
    name: str = db.value("SELECT name FROM users WHERE id = ?", (user_id,))
    return name


def folded_name(db: Database, user_id: int) -> str:
    name: str = db.value("SELECT folded FROM users WHERE id = ?", (user_id,))
    return name


def find_similar_name(db: Database, name: Name) -> str | None:
    """Find the name of an account, deleted or not, that this name equals or looks like."""
    rows = db.all(
        "SELECT name, folded = ?1 OR lookalike = ?2 FROM users WHERE folded = ?1 OR lookalike = ?2 OR shape = ?3",
        (name.folded, name.lookalike, name.shape),
    )
    return next((like for like, alike in rows if alike or not (like.isascii() and name.name.isascii())), None)


def insert(db: Database, name: Name, password: str | None, at_ms: int, elapsed_ms: int) -> int:
    return db.insert(
        "INSERT INTO users (name, folded, lookalike, shape, password, password_version, created_ms, seen_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5 IS NOT NULL, ?6, ?7)",
        (name.name, name.folded, name.lookalike, name.shape, password, elapsed_ms, at_ms),
    )


def update(db: Database, user_id: int, changes: str, *values: object) -> None:
    """Change a user's row and drop it from the cache. No other function may change such a row."""
    db.run(f"UPDATE users SET {changes} WHERE id = ?", (*values, user_id))
    if db.cache is not None:
        db.cache.users.pop(user_id, None)


def set_password(db: Database, user_id: int, password: str) -> None:
    db.unclean = True  # it may have had one
    update(db, user_id, "password = ?, password_version = password_version + 1", password)


def set_seen(db: Database, user_id: int, at_ms: int) -> None:
    update(db, user_id, "seen_ms = ?", at_ms)


def clamp_future_times(db: Database, at_ms: int) -> int:
    """Set the times of last sight and of deletion that lie in the future to now. Return how many accounts had any."""
    late = db.all("SELECT id FROM users WHERE seen_ms > ?1 OR deleted_ms > ?1", (at_ms,))
    for (user_id,) in late:
        update(db, user_id, "seen_ms = min(seen_ms, ?), deleted_ms = min(deleted_ms, ?)", at_ms, at_ms)
    return len(late)


def last_seen_ms(db: Database, user_id: int) -> int | None:
    seen: int | None = db.value("SELECT seen_ms FROM users WHERE id = ?", (user_id,))
    return seen


def set_rate(db: Database, user: User, start_ms: int, count: int) -> None:
    update(db, user.id, "rate_start_ms = ?, rate_count = ?", start_ms, count)
    if db.cache is not None:
        # A user who writes in main often writes again. The new row is known, so it need not be read.
        db.cache.users[user.id] = replace(user, rate_start_ms=start_ms, rate_count=count)


def away_text(db: Database, user_id: int) -> str | None:
    """Return why the user is away, or None for a user who is not."""
    text: str | None = db.value("SELECT away FROM users WHERE id = ?", (user_id,))
    return text


def set_away(db: Database, user_id: int, text: str | None) -> None:
    db.unclean = db.unclean or away_text(db, user_id) is not None
    update(db, user_id, "away = ?", text)


def away_texts(db: Database, user_ids: list[int]) -> dict[str, str]:
    """Return why users are away, by name, for those of these users who are."""
    sql = (
        "SELECT name, away FROM users WHERE id IN (SELECT value FROM json_each(?)) AND away IS NOT NULL ORDER BY folded"
    )
    return dict(db.all(sql, (msgspec.json.encode(user_ids).decode(),)))


def names(db: Database, limit: int, after: str = "") -> list[tuple[int, str]]:
    """Return the ids and names of at most `limit` users, sorted by folded name, beginning after one."""
    rows = db.all(
        "SELECT id, name FROM users WHERE deleted_ms IS NULL AND folded > ? ORDER BY folded LIMIT ?", (after, limit)
    )
    return [(user_id, name) for user_id, name in rows]


def delete(db: Database, user_id: int, at_ms: int) -> None:
    """Delete all that lets somebody act for the account. Its name stays taken; `erasures` removes the rest."""
    db.unclean = True
    gone = "password = NULL, password_version = 0, seen_ms = NULL, ban_reason = NULL, ban_open = 0, away = NULL"
    update(db, user_id, f"deleted_ms = ?, {gone}", at_ms)
    db.forget_places()
    for table in ("tokens", "delayed", "uploads", "networks", "wrong_passwords", "slow_posts"):
        db.run(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))


# ---- tokens


class StoredToken(Struct, frozen=True):
    """A token by its hash. `made_ms` and `network` are None for one that is older than these columns."""

    hash: bytes
    made_ms: int | None
    used_ms: int
    client: str | None
    network: str | None


def insert_token(
    db: Database, token_hash: bytes, user_id: int, elapsed_ms: int, client: str | None, network: str
) -> list[tuple[int, bytes]]:
    """Insert a token. Beyond TOKENS_MAX the least recently used one ends. Return the users and hashes that ended."""
    ended = db.all(
        "DELETE FROM tokens WHERE hash IN"
        " (SELECT hash FROM tokens WHERE user_id = ? ORDER BY used_ms DESC, hash LIMIT -1 OFFSET ?)"
        " RETURNING user_id, hash",
        (user_id, TOKENS_MAX - 1),
    )
    db.run(
        "INSERT INTO tokens (hash, user_id, used_ms, made_ms, client, network) VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
        (token_hash, user_id, elapsed_ms, client, network),
    )
    return [(of, token) for of, token in ended]


def user_of_token(db: Database, token_hash: bytes, used_after_ms: int) -> int | None:
    """Return the id of the token's user if the token was used after that time."""
    user_id: int | None = db.value(
        "SELECT user_id FROM tokens WHERE hash = ? AND used_ms > ?", (token_hash, used_after_ms)
    )
    return user_id


def tokens_of(db: Database, user_id: int, used_after_ms: int) -> list[StoredToken]:
    """Return the user's tokens that were used after that time, those used last first."""
    rows = db.all(
        "SELECT hash, made_ms, used_ms, client, network FROM tokens WHERE user_id = ? AND used_ms > ?"
        " ORDER BY used_ms DESC, hash",
        (user_id, used_after_ms),
    )
    return [StoredToken(*row) for row in rows]


def enter_by_token(db: Database, token_hash: bytes, elapsed_ms: int, client: str | None, network: str) -> None:
    """Note a sign-in by the token: when, by which program, and from which network."""
    db.run(
        "UPDATE tokens SET used_ms = ?, client = ?, network = ? WHERE hash = ?",
        (elapsed_ms, client, network, token_hash),
    )


def touch_token(db: Database, token_hash: bytes, elapsed_ms: int) -> None:
    db.run("UPDATE tokens SET used_ms = ? WHERE hash = ?", (elapsed_ms, token_hash))


def delete_token(db: Database, token_hash: bytes, user_id: int) -> None:
    db.run("DELETE FROM tokens WHERE hash = ? AND user_id = ?", (token_hash, user_id))


def delete_tokens(db: Database, user_id: int, keep: bytes | None = None) -> None:
    """Delete all tokens of the user except for `keep`."""
    db.run("DELETE FROM tokens WHERE user_id = ? AND hash IS NOT ?", (user_id, keep))


def delete_old_tokens(db: Database, used_before_ms: int, limit: int) -> list[tuple[int, bytes]]:
    """Delete up to `limit` tokens that were not used since. Return their users and hashes."""
    ended = db.all(
        "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE used_ms <= ? ORDER BY used_ms LIMIT ?)"
        " RETURNING user_id, hash",
        (used_before_ms, limit),
    )
    return [(user_id, token) for user_id, token in ended]
