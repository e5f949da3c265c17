"""Threads that read the store, each with its own connection, so that reading never waits for writing or for the loop.

What has been begun with a reader goes on with the same one: a connection serves one thread.
"""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from chat_server.store.database import Database, open_reader

P = ParamSpec("P")
R = TypeVar("R")


class Reader:
    def __init__(self, directory: Path, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"reader-{name}")
        self._db = self._thread.submit(open_reader, directory).result()

    async def run(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it on the reader's thread, on one snapshot of the store."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._on_snapshot(function, *args, **kwargs))

    def _on_snapshot(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        self._db.run("BEGIN")
        try:
            return function(self._db, *args, **kwargs)
        finally:
            self._db.run("END")

    def close(self) -> None:
        self._thread.submit(self._db.close)
        self._thread.shutdown(wait=True)


class Readers:
    """`searcher` is for searches alone, so that nobody who reads waits for what somebody seeks."""

    def __init__(self, directory: Path, count: int = 2) -> None:
        self._readers = [Reader(directory, str(number)) for number in range(count)]
        self.searcher = Reader(directory, "search")
        self._turn = itertools.cycle(self._readers)

    def pick(self) -> Reader:
        return next(self._turn)

    def close(self) -> None:
        for reader in (*self._readers, self.searcher):
            reader.close()
