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
from chat_server.store.stretches import ChangedMessages, Stretches

P = ParamSpec("P")
R = TypeVar("R")

# Portions of jobs that the thread has: while it works on one, the next one waits there.
SUBMITTED_MAX = 2
# A way to the thread and back costs about as much as a look-up, so each way takes as many jobs as the thread does in
# this time, but at least one. It is short, since a job in the way of others must not hold them up.
PORTION_SECONDS = 0.001
PORTION_JOBS_MAX = 32


class _Job:
    """What one user waits for. The thread leaves the result or the error here; the future belongs to the loop."""

    __slots__ = ("done", "error", "function", "result", "user_id")

    def __init__(self, user_id: int, function: Callable[[], Any], done: Future[Any]) -> None:
        self.user_id = user_id
        self.function = function
        self.done = done
        self.result: Any = None
        self.error: Exception | None = None

    def finish(self) -> None:
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class Reader:
    """A reading thread that users take turns on: a user with a hundred jobs holds others up for no more than one."""

    def __init__(
        self,
        runtime: Runtime,
        directory: Path,
        name: str,
        changed: ChangedMessages | None = None,
        *,
        local: bool = False,
    ) -> None:
        """With the writer's `changed` messages it keeps what many read.

        With `local` it also reads the machine's own database.
        """
        self._runtime = runtime
        self._thread = runtime.worker(f"reader-{name}")
        self._db = self._thread.run_blocking(partial(open_reader, directory, local=local))
        if changed is not None:
            self._db.stretches = Stretches(changed)
        # Those whose turn has come, but for which the thread had no time left.
        self._next: deque[_Job] = deque()
        # The jobs that wait, by user. A user who has been served goes to the end.
        self._waiting: dict[int, deque[_Job]] = {}
        self._submitted = 0

    async def run(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on the reader's thread, on one snapshot of the store, for the server itself."""
        return await self.serve(0, function, *args, **kwargs)

    async def serve(
        self, user_id: int, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a function as `run` does, for a user, when it is the user's turn."""
        done: Future[R] = self._runtime.future()
        job = _Job(user_id, partial(function, self._db, *args, **kwargs), done)
        self._waiting.setdefault(user_id, deque()).append(job)
        self._submit_jobs()
        return await done

    def _submit_jobs(self) -> None:
        """Keep the thread busy: while it does one portion, the next one waits there, and all others here."""
        while self._submitted < SUBMITTED_MAX and (jobs := self._take_jobs()):
            self._submitted += 1
            self._thread.run(self._do, jobs).add_done_callback(partial(self._finish, jobs))

    def _take_jobs(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < PORTION_JOBS_MAX and (self._next or self._waiting):
            job = self._next.popleft() if self._next else self._take_turn()
            if not job.done.done():
                jobs.append(job)
        return jobs

    def _take_turn(self) -> _Job:
        user_id = next(iter(self._waiting))
        jobs = self._waiting.pop(user_id)
        job = jobs.popleft()
        if jobs:
            self._waiting[user_id] = jobs
        return job

    def _do(self, jobs: list[_Job]) -> int:
        """Do the first of these jobs on the thread; return how many were done in time."""
        begun = self._runtime.monotonic()
        for number, job in enumerate(jobs):
            if number and self._runtime.monotonic() - begun > PORTION_SECONDS:
                return number
            if job.done.done():
                continue
            try:
                job.result = self._on_snapshot(job.function)
            except Exception as error:
                job.error = error
        return len(jobs)

    def _on_snapshot(self, function: Callable[[], Any]) -> Any:
        self._db.run("BEGIN")
        if self._db.stretches is not None:
            self._db.stretches.is_current = False
        try:
            return function()
        finally:
            self._db.run("END")

    def _finish(self, jobs: list[_Job], running: Future[int]) -> None:
        self._submitted -= 1
        if running.cancelled():
            for job in jobs:
                job.done.cancel()
            return
        done = running.result()
        self._next.extendleft(reversed(jobs[done:]))
        self._submit_jobs()
        for job in jobs[:done]:
            job.finish()

    def close(self) -> None:
        self._thread.run_blocking(self._db.close)
        self._thread.close()


class Readers:
    """All readers. `searcher` runs searches alone, so that readers of messages never wait for a search."""

    def __init__(self, runtime: Runtime, directory: Path, changed: ChangedMessages, count: int = 2) -> None:
        self._readers = [Reader(runtime, directory, str(number), changed) for number in range(count)]
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
