"""Users and their tokens."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chat_server.protocol.names import Name
from chat_server.store.database import Database

# Of one user. A connection ends with its token, so this also bounds the connections of programs.
TOKENS_MAX = 1000
_COLUMNS = "id, name, password, created_ms, ban_until_ms, ban_reason, rate_start_ms, rate_count"
_BY_ID = f"SELECT {_COLUMNS} FROM users WHERE id = ? AND deleted_ms IS NULL"
_BY_NAME = f"SELECT {_COLUMNS} FROM users WHERE folded = ? AND deleted_ms IS NULL"


class User(Struct, frozen=True):
    """An account that is not deleted. `password` is a hash."""

    id: int
    name: str
    password: str | None
    created_ms: int
    ban_until_ms: int
    ban_reason: str | None
    rate_start_ms: int
    rate_count: int

    def __repr__(self) -> str:
        return f"User({self.id}, {self.name!r})"


def by_id(db: Database, user_id: int) -> User | None:
    if db.users is None:
        row = db.one(_BY_ID, (user_id,))
        return User(*row) if row else None
    user: User | None = db.users.get(user_id)
    if user is None and (row := db.one(_BY_ID, (user_id,))):
        user = db.users[user_id] = User(*row)
    return user


def by_name(db: Database, folded: str) -> User | None:
    row = db.one(_BY_NAME, (folded,))
    return User(*row) if row else None


def id_and_name(db: Database, folded: str) -> tuple[int, str] | None:
    """An account by its name, deleted ones too: what it said to others stays in their chats."""
    row = db.one("SELECT id, name FROM users WHERE folded = ?", (folded,))
    return row and (row[0], row[1])


def newest(db: Database) -> int:
    """The id of the last account that was registered: as many as there ever were, since rows stay."""
    return db.value("SELECT max(id) FROM users") or 0


def name_of(db: Database, user_id: int) -> str:
    """Of an account that is there or was."""
    name: str = db.value("SELECT name FROM users WHERE id = ?", (user_id,))
    return name


def folded(db: Database, user_id: int) -> str:
    name: str = db.value("SELECT folded FROM users WHERE id = ?", (user_id,))
    return name


def name_like(db: Database, name: Name) -> str | None:
    """The name of an account, deleted or not, that this name is or looks like."""
    rows = db.all(
        "SELECT name, folded = ?1 OR lookalike = ?2 FROM users WHERE folded = ?1 OR lookalike = ?2 OR shape = ?3",
        (name.folded, name.lookalike, name.shape),
    )
    return next((like for like, alike in rows if alike or not (like.isascii() and name.name.isascii())), None)


def insert(db: Database, name: Name, password: str | None, at_ms: int, elapsed_ms: int) -> int:
    return db.insert(
        "INSERT INTO users (name, folded, lookalike, shape, password, created_ms, seen_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (name.name, name.folded, name.lookalike, name.shape, password, elapsed_ms, at_ms),
    )


def update(db: Database, user_id: int, changes: str, *values: object) -> None:
    """The one way in which a user's row is changed, so that what was read of it in this batch is read again."""
    db.run(f"UPDATE users SET {changes} WHERE id = ?", (*values, user_id))
    if db.users is not None:
        db.users.pop(user_id, None)


def set_password(db: Database, user_id: int, password: str) -> None:
    update(db, user_id, "password = ?", password)


def set_seen(db: Database, user_id: int, at_ms: int) -> None:
    update(db, user_id, "seen_ms = ?", at_ms)


def date_back(db: Database, at_ms: int) -> int:
    """Whoever was last seen or deleted the account in the future did so now; how many there were."""
    late = db.all("SELECT id FROM users WHERE seen_ms > ?1 OR deleted_ms > ?1", (at_ms,))
    for (user_id,) in late:
        update(db, user_id, "seen_ms = min(seen_ms, ?), deleted_ms = min(deleted_ms, ?)", at_ms, at_ms)
    return len(late)


def seen_ms(db: Database, user_id: int) -> int | None:
    seen: int | None = db.value("SELECT seen_ms FROM users WHERE id = ?", (user_id,))
    return seen


def set_rate(db: Database, user: User, start_ms: int, count: int) -> None:
    update(db, user.id, "rate_start_ms = ?, rate_count = ?", start_ms, count)
    if db.users is not None:
        # Whoever writes in main writes again: the row is known without reading it.
        db.users[user.id] = replace(user, rate_start_ms=start_ms, rate_count=count)


def away(db: Database, user_id: int) -> str | None:
    """Why the user is away, None if not."""
    text: str | None = db.value("SELECT away FROM users WHERE id = ?", (user_id,))
    return text


def set_away(db: Database, user_id: int, text: str | None) -> None:
    update(db, user_id, "away = ?", text)


def all_away(db: Database, user_ids: list[int]) -> dict[str, str]:
    """Why those of these users who are away are, by name."""
    sql = (
        "SELECT name, away FROM users WHERE id IN (SELECT value FROM json_each(?)) AND away IS NOT NULL ORDER BY folded"
    )
    return dict(db.all(sql, (msgspec.json.encode(user_ids).decode(),)))


def names(db: Database, limit: int, after: str = "") -> list[tuple[int, str]]:
    """Ids and names by name, at most `limit`, of those after a folded name."""
    rows = db.all(
        "SELECT id, name FROM users WHERE deleted_ms IS NULL AND folded > ? ORDER BY folded LIMIT ?", (after, limit)
    )
    return [(user_id, name) for user_id, name in rows]


def delete(db: Database, user_id: int, at_ms: int) -> None:
    """Nobody can act for the account any more; its name stays taken. What else is left of it is for `erasures`."""
    gone = "password = NULL, seen_ms = NULL, ban_reason = NULL, ban_open = 0, away = NULL"
    update(db, user_id, f"deleted_ms = ?, {gone}", at_ms)
    for table in ("tokens", "delayed", "uploads", "networks"):
        db.run(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))


# ---- tokens


def insert_token(db: Database, token_hash: bytes, user_id: int, elapsed_ms: int) -> list[tuple[int, bytes]]:
    """Of more than TOKENS_MAX the one that was not used for longest ends: which did, with their users."""
    ended = db.all(
        "DELETE FROM tokens WHERE hash IN"
        " (SELECT hash FROM tokens WHERE user_id = ? ORDER BY used_ms DESC, hash LIMIT -1 OFFSET ?)"
        " RETURNING user_id, hash",
        (user_id, TOKENS_MAX - 1),
    )
    db.run("INSERT INTO tokens VALUES (?, ?, ?)", (token_hash, user_id, elapsed_ms))
    return [(of, token) for of, token in ended]


def token_user(db: Database, token_hash: bytes, used_after_ms: int) -> int | None:
    """Whose token it is, if it was used after that time."""
    user_id: int | None = db.value(
        "SELECT user_id FROM tokens WHERE hash = ? AND used_ms > ?", (token_hash, used_after_ms)
    )
    return user_id


def touch_token(db: Database, token_hash: bytes, elapsed_ms: int) -> None:
    db.run("UPDATE tokens SET used_ms = ? WHERE hash = ?", (elapsed_ms, token_hash))


def delete_token(db: Database, token_hash: bytes, user_id: int) -> None:
    db.run("DELETE FROM tokens WHERE hash = ? AND user_id = ?", (token_hash, user_id))


def delete_tokens(db: Database, user_id: int, keep: bytes | None = None) -> None:
    """All tokens of the user but `keep`."""
    db.run("DELETE FROM tokens WHERE user_id = ? AND hash IS NOT ?", (user_id, keep))


def delete_old_tokens(db: Database, used_before_ms: int, limit: int) -> list[tuple[int, bytes]]:
    """Which ended, with their users."""
    ended = db.all(
        "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE used_ms <= ? ORDER BY used_ms LIMIT ?)"
        " RETURNING user_id, hash",
        (used_before_ms, limit),
    )
    return [(user_id, token) for user_id, token in ended]
