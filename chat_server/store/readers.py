"""Reader threads, each with its own connection, which wait for neither writes nor the loop.

An answer in several pages stays with the reader that began it, since a connection serves one thread.
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
    """A reading thread that users take turns on: a user with a hundred jobs holds others up for no more than one."""

    def __init__(self, runtime: Runtime, directory: Path, name: str, *, local: bool = False) -> None:
        """With `local` it also reads the machine's own database."""
        self._runtime = runtime
        self._thread = runtime.worker(f"reader-{name}")
        self._db = self._thread.run_blocking(partial(open_reader, directory, local=local))
        # The jobs that wait, by user. A user who has been served goes to the end.
        self._waiting: dict[int, deque[tuple[Future[Any], Callable[[], Any]]]] = {}
        self._submitted = 0

    async def run(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on the reader's thread, on one snapshot of the store, for the server itself."""
        return await self.serve(0, function, *args, **kwargs)

    async def serve(
        self, user_id: int, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a function as `run` does, for a user, when it is the user's turn."""
        done: Future[R] = self._runtime.future()
        job = partial(self._on_snapshot, function, *args, **kwargs)
        self._waiting.setdefault(user_id, deque()).append((done, job))
        self._submit_jobs()
        return await done

    def _submit_jobs(self) -> None:
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
                running.add_done_callback(partial(self._finish, done))

    def _finish(self, done: Future[Any], running: Future[Any]) -> None:
        self._submitted -= 1
        self._submit_jobs()
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
    """All readers. `searcher` runs searches alone, so that readers of messages never wait for a search."""

    def __init__(self, runtime: Runtime, directory: Path, count: int = 2) -> None:
        self._readers = [Reader(runtime, directory, str(number)) for number in range(count)]
        self.searcher = Reader(runtime, directory, "search", local=True)
        self._turn = itertools.cycle(self._readers)

    def pick(self) -> Reader:
        return next(self._turn)

    def of(self, number: int) -> Reader:
        """Return a reader, always the same one for the same number."""
        return self._readers[number % len(self._readers)]

    def close(self) -> None:
        for reader in (*self._readers, self.searcher):
            reader.close()
