"""The colours of names, which are the same on every machine."""

from functools import lru_cache
from zlib import crc32

from chat_server.protocol.names import fold

NAME_COLOURS = 14


@lru_cache(maxsize=4096)
def name_style(name: str) -> str:
    return f"name{crc32(fold(name).encode()) % NAME_COLOURS}"
