"""The names of operators, and the audit log of what operators did."""

from msgspec import Struct

from chat_server.store.database import Database

# The users who are operators: those named as such who have a password.
_IDS = (
    "SELECT DISTINCT u.id FROM users u JOIN operators o ON o.folded = u.folded"
    " WHERE u.deleted_ms IS NULL AND u.password IS NOT NULL"
)


class NamedOperator(Struct, frozen=True):
    """A name that makes an operator, given by the settings (`by_option`) or the command. It may have no account yet."""

    name: str
    by_option: bool
    has_account: bool
    has_password: bool


class Act(Struct, frozen=True):
    id: int
    at_ms: int
    who: str
    act: str
    whom: str | None
    why: str | None


def configure(db: Database, names: list[tuple[str, str]]) -> None:
    """Replace the operators that the settings name by these, given as names and folded names."""
    db.run("DELETE FROM operators WHERE by_option")
    for name, folded in names:
        db.run("INSERT INTO operators VALUES (?, 1, ?)", (folded, name))


def configured_names(db: Database) -> list[str]:
    """Return the operators that the settings name."""
    return [name for (name,) in db.all("SELECT name FROM operators WHERE by_option ORDER BY folded")]


def add(db: Database, folded: str, name: str) -> None:
    db.run("INSERT OR IGNORE INTO operators VALUES (?, 0, ?)", (folded, name))


def remove(db: Database, folded: str) -> None:
    db.run("DELETE FROM operators WHERE folded = ? AND NOT by_option", (folded,))


def is_configured(db: Database, folded: str) -> bool:
    return db.one("SELECT 1 FROM operators WHERE folded = ? AND by_option", (folded,)) is not None


def is_named(db: Database, user_id: int) -> bool:
    """Tell whether the user is named as an operator. A user without a password is none nevertheless."""
    sql = (
        "SELECT 1 FROM users u JOIN operators o ON o.folded = u.folded WHERE u.id = ? AND u.deleted_ms IS NULL LIMIT 1"
    )
    return db.one(sql, (user_id,)) is not None


def ids(db: Database) -> list[int]:
    """Return the users who are operators."""
    return [id for (id,) in db.all(f"{_IDS} ORDER BY id")]


def remembered_networks(db: Database) -> list[tuple[int, str]]:
    """Return the networks that operators signed in from, as far as they are remembered, each with the operator."""
    return db.all(f"SELECT user_id, network FROM networks WHERE user_id IN ({_IDS}) ORDER BY user_id, network")


def list_named(db: Database) -> list[NamedOperator]:
    rows = db.all(
        "SELECT coalesce(u.name, o.name), o.by_option, u.id IS NOT NULL, u.password IS NOT NULL FROM operators o"
        " LEFT JOIN users u ON u.folded = o.folded AND u.deleted_ms IS NULL ORDER BY o.folded, o.by_option DESC"
    )
    return [
        NamedOperator(name, bool(option), bool(account), bool(password)) for name, option, account, password in rows
    ]


def record(db: Database, at_ms: int, who: str, act: str, whom: str | None, why: str | None) -> None:
    db.run("INSERT INTO audit (at_ms, who, act, whom, why) VALUES (?, ?, ?, ?, ?)", (at_ms, who, act, whom, why))


def list_acts(db: Database, after: int, limit: int) -> list[Act]:
    """Return the first `limit` acts with an id above `after`."""
    rows = db.all("SELECT id, at_ms, who, act, whom, why FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [Act(*row) for row in rows]
