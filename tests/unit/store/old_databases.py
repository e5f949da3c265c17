"""Databases of earlier versions, as they were kept."""

import gzip
from pathlib import Path

from chat_server.store.database import FILE

DATA = Path(__file__).parents[2] / "data"


def copy_old(path: Path, version: int) -> Path:
    (path / FILE).write_bytes(gzip.decompress((DATA / f"chat-v{version}.db.gz").read_bytes()))
    return path
