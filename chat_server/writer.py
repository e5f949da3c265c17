"""The writer's thread: it executes batches, and empties SQLite's log of what was erased."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from chat_server.disk_space import Space
from chat_server.errors import StartError
from chat_server.log.entries import OrderedBatch
from chat_server.rules.executor import Executed, Executor
from chat_server.runtime import Runtime, Task
from chat_server.store.data_directory import OpenFiles
from chat_server.store.database import DISK_ERRORS, LOCKED, open_writer
from chat_server.store.state import State

log = logging.getLogger("chat.node")

# While another program keeps the database locked, commands and the start wait for at most so long.
LOCKED_SECONDS_MAX = 30.0
LOCKED_AGAIN_SECONDS = 0.2
# Erased texts stand in SQLite's log for at most about so long; while a reader needs it, it is tried again.
SCRUB_SECONDS = 2.0
SCRUB_AGAIN_SECONDS = 0.2

R = TypeVar("R")


def still_locked() -> StartError:
    return StartError(
        "another program keeps the database locked; nothing was done: end it (fuser chat.db names it), then try again"
    )


def when_unlocked(runtime: Runtime, do: Callable[[], R], seconds: float) -> R:
    """Do it as soon as no other program keeps the database locked. Raises StartError after so many seconds."""
    deadline = runtime.monotonic() + seconds
    while True:
        try:
            return do()
        except LOCKED:
            if runtime.monotonic() > deadline:
                raise still_locked() from None
            log.warning("another program keeps the database locked; it is waited for")
            runtime.block(LOCKED_AGAIN_SECONDS)


class Writer:
    def __init__(self, runtime: Runtime, directory: Path, space: Space) -> None:
        """Open the store, created or migrated as needed. Raises StartError."""
        self.directory = directory
        self._runtime = runtime
        db = when_unlocked(runtime, lambda: open_writer(directory), LOCKED_SECONDS_MAX)
        self._executor = Executor(db, runtime.monotonic)
        self._thread = runtime.worker("writer")
        self._space = space
        self._files: OpenFiles | None = None
        self._scrubbing: Task[None] | None = None

    @property
    def state(self) -> State:
        return self._executor.state

    def count_read(self) -> int:
        """How many messages all have read. Only before the first batch."""
        return self._executor.count_read()

    async def execute(self, ordered: OrderedBatch) -> Executed:
        """Raises what `Executor.execute` does, and Gone."""
        return await self._thread.run(self._execute, ordered)

    def _execute(self, ordered: OrderedBatch) -> Executed:
        """What went into files that somebody took away is not acknowledged."""
        executed = self._executor.execute(ordered)
        if self._files is None:
            # SQLite's log is there from the first commit on.
            self._files = OpenFiles(self.directory)
        self._files.check_committed()
        return executed

    def check_files(self) -> None:
        """Raises Gone."""
        if self._files is not None:
            self._files.check()

    async def make_room(self) -> bool:
        """Give up some of the spare file; whether that made room, so that another try is worth while."""
        return await self._thread.run(self._make_room)

    def _make_room(self) -> bool:
        found = self._space.give_up_spare()
        self._executor.scrub()
        return found

    def scrub_soon(self, on_failure: Callable[[Exception], None]) -> None:
        """Empty SQLite's log of erased texts in a while; many erasures together cost one. A failed disk is told."""
        if self._executor.unclean and self._scrubbing is None:
            self._scrubbing = self._runtime.spawn(self._scrub(on_failure))

    async def _scrub(self, on_failure: Callable[[Exception], None]) -> None:
        wait = SCRUB_SECONDS
        try:
            while self._executor.unclean:
                await self._runtime.sleep(wait)
                done = await self._thread.run(self._executor.scrub)
                wait = SCRUB_SECONDS if done else SCRUB_AGAIN_SECONDS
        except DISK_ERRORS as error:
            on_failure(error)
        finally:
            self._scrubbing = None

    def stop_scrubbing(self) -> None:
        if self._scrubbing is not None:
            self._scrubbing.cancel()

    def close(self, *, abandon: bool) -> None:
        """With `abandon` the files are left as they are: at their paths there may be those of another chat."""
        self._thread.close()
        if self._files is not None:
            self._files.close()
        if abandon:
            self._executor.abandon()
        self._executor.close()
