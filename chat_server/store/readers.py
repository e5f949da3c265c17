"""Threads that read the store, each with its own connection, so that reading never waits for writing or for the loop.

What has been begun with a reader goes on with the same one: a connection serves one thread.
"""

import itertools
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from chat_server.runtime import Future, Runtime
from chat_server.store.database import Database, open_reader

P = ParamSpec("P")
R = TypeVar("R")

SUBMITTED_MAX = 2


class Reader:
    """Users take turns: who has a hundred things read at once holds nobody else up for more than one of them."""

    def __init__(self, runtime: Runtime, directory: Path, name: str) -> None:
        self._runtime = runtime
        self._thread = runtime.worker(f"reader-{name}")
        self._db = self._thread.run_blocking(open_reader, directory)
        # What waits, by user; the user who is served goes to the end.
        self._waiting: dict[int, deque[tuple[Future[Any], Callable[[], Any]]]] = {}
        self._submitted = 0

    async def run(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it on the reader's thread, on one snapshot of the store, for the server itself."""
        return await self.serve(0, function, *args, **kwargs)

    async def serve(
        self, user_id: int, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """The same for a user, when it is the user's turn."""
        done: Future[R] = self._runtime.future()
        job = partial(self._on_snapshot, function, *args, **kwargs)
        self._waiting.setdefault(user_id, deque()).append((done, job))
        self._go_on()
        return await done

    def _go_on(self) -> None:
        """Keep the thread busy: while it runs one job, one more waits there, and all others here."""
        while self._waiting and self._submitted < SUBMITTED_MAX:
            user_id = next(iter(self._waiting))
            jobs = self._waiting.pop(user_id)
            done, job = jobs.popleft()
            if jobs:
                self._waiting[user_id] = jobs
            if not done.done():
                self._submitted += 1
                running = self._thread.run(job)
                running.add_done_callback(partial(self._has_run, done))

    def _has_run(self, done: Future[Any], running: Future[Any]) -> None:
        self._submitted -= 1
        self._go_on()
        error = None if running.cancelled() else running.exception()
        if done.done():
            return
        if running.cancelled():
            done.cancel()
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(running.result())

    def _on_snapshot(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        self._db.run("BEGIN")
        try:
            return function(self._db, *args, **kwargs)
        finally:
            self._db.run("END")

    def close(self) -> None:
        self._thread.run_blocking(self._db.close)
        self._thread.close()


class Readers:
    """`searcher` is for searches alone, so that nobody who reads waits for what somebody seeks."""

    def __init__(self, runtime: Runtime, directory: Path, count: int = 2) -> None:
        self._readers = [Reader(runtime, directory, str(number)) for number in range(count)]
        self.searcher = Reader(runtime, directory, "search")
        self._turn = itertools.cycle(self._readers)

    def pick(self) -> Reader:
        return next(self._turn)

    def of(self, number: int) -> Reader:
        """Always the same one for the same number."""
        return self._readers[number % len(self._readers)]

    def close(self) -> None:
        for reader in (*self._readers, self.searcher):
            reader.close()
