"""The gauges of the store, for `--metrics-file`."""

from contextlib import closing
from pathlib import Path

from chat_server.store import text_quota
from chat_server.store.database import FILE, Database, open_reader
from chat_server.store.state import database_bytes

_FIRST_READ = """SELECT max(min(read), (SELECT spared_ms FROM state)) FROM (
    SELECT min(read_ms) AS read FROM read_ranges UNION ALL SELECT min(elapsed_ms) FROM messages WHERE alone
)"""


def read_gauges(directory: Path, elapsed_ms: int, message_ttl_ms: int | None) -> dict[str, float]:
    """Read the gauges, by the names of `metrics.GAUGES`. Raises apsw.Error.

    They are read on a connection of their own, so that nobody waits: counting 1,000,000 messages takes 10 ms.
    """
    log = directory / f"{FILE}-wal"
    with closing(open_reader(directory)) as db:
        return {
            "messages_stored": db.value("SELECT count(*) FROM messages"),
            "retention_lag_seconds": _lag_ms(db, elapsed_ms, message_ttl_ms) / 1000,
            "uploads_open": db.value("SELECT count(*) FROM uploads"),
            "files_stored_bytes": db.value("SELECT total(bytes) FROM file_bytes"),
            "texts_stored_bytes": text_quota.bytes_of_all(db),
            "texts_stored_bytes_most": text_quota.most_bytes(db),
            "database_bytes": database_bytes(db),
            "database_free_bytes": db.value("PRAGMA freelist_count") * db.value("PRAGMA page_size"),
            "wal_bytes": log.stat().st_size if log.exists() else 0,
        }


def _lag_ms(db: Database, elapsed_ms: int, message_ttl_ms: int | None) -> int:
    """Return for how long the first message to remove has outlived its life, 0 if there is none."""
    read_ms = db.value(_FIRST_READ)
    if message_ttl_ms is None or read_ms is None:
        return 0
    return max(0, elapsed_ms - (int(read_ms) + message_ttl_ms))
