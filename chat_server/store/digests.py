"""Digests that show whether two machines have the same state: of all tables, and of outcomes.

The digest of all tables is exact, and takes seconds for a million messages. The running digest of outcomes costs a few
microseconds a batch: it tells at once that two machines have answered differently, and `verify` then tells where.
"""

from collections.abc import Generator, Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from chat_server.store.database import Database, Row

# Rows that are read at once. It has no influence on a digest.
PORTION_ROWS = 500
_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode


def after_batch(before: bytes, seq: int, at_ms: int, elapsed_ms: int, outcomes: Iterable[tuple[int, str]]) -> bytes:
    """Return the running digest after a batch. `outcomes` are the seq after each entry, and its code, "" if done.

    No wording and no other detail of a program is in it, since nodes of two versions may run side by side.
    """
    return blake2b(before + _encode((seq, at_ms, elapsed_ms, list(outcomes))), digest_size=_BYTES).digest()


class _Table(NamedTuple):
    name: str
    columns: str
    key: list[str]


def of_tables(db: Database) -> Generator[int, None, dict[str, str]]:
    """Compute the digest of each table that machines share: of all tables of the chat's database.

    MUST be called in a transaction. Each step yields the number of rows that it has looked at.
    """
    found = {}
    for table in [*_tables(db), _Table("sqlite_sequence", "name, seq", [])]:
        digest = blake2b(digest_size=_BYTES)
        digest.update(table.columns.encode())
        for rows in _portions(db, table):
            for row in rows:
                digest.update(_encode(row))
            yield len(rows)
        found[table.name] = digest.hexdigest()
    return found


def now_of_tables(db: Database) -> dict[str, str]:
    """Compute the digests at once. MUST be called in a transaction."""
    steps = of_tables(db)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: dict[str, str] = stop.value
            return found


def total(tables: dict[str, str]) -> str:
    """Return one digest for those of all tables."""
    return blake2b(_encode(sorted(tables.items())), digest_size=_BYTES).hexdigest()


def _tables(db: Database) -> list[_Table]:
    names = db.all(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name"
    )
    return [_table(db, name) for (name,) in names]


def _table(db: Database, name: str) -> _Table:
    """Look at the columns. Their order is that of their names, since a migration adds one where a new table has it."""
    columns = db.all(f'PRAGMA main.table_info("{name}")')
    key = [row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5]]
    assert key, f"{name} has a primary key"
    return _Table(name, ", ".join(sorted(f'"{row[1]}"' for row in columns)), [f'"{each}"' for each in key])


def _portions(db: Database, table: _Table) -> Generator[list[Row], None, None]:
    """Read a table in the order of its primary key. `sqlite_sequence` has none, and a row for each other table."""
    if not table.key:
        yield db.all(f"SELECT {table.columns} FROM main.{table.name} ORDER BY name")
        return
    key, marks = ", ".join(table.key), ", ".join("?" * len(table.key))
    select = f'SELECT {key}, {table.columns} FROM main."{table.name}" '
    last: Row = ()
    while True:
        where = f"WHERE ({key}) > ({marks}) " if last else ""
        rows = db.all(f"{select}{where}ORDER BY {key} LIMIT ?", (*last, PORTION_ROWS))
        yield [row[len(table.key) :] for row in rows]
        if len(rows) < PORTION_ROWS:
            return
        last = rows[-1][: len(table.key)]
