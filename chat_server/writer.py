"""The writer's thread: batches, the search index that follows them, and the emptying of SQLite's logs."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from chat_server.disk_space import Space
from chat_server.errors import StartError
from chat_server.log.entries import Limits, OrderedBatch
from chat_server.rules.executor import Executed, Executor
from chat_server.runtime import Future, Runtime, Task
from chat_server.store import files
from chat_server.store.data_directory import OpenFiles
from chat_server.store.database import DAMAGED, DISK_ERRORS, LOCKED, is_of_this_machine, open_writer
from chat_server.store.local import INDEX_AFTER_SECONDS, Local
from chat_server.store.state import State
from chat_server.store.stretches import ChangedMessages
from chat_server.writer_pulse import own_task

log = logging.getLogger("chat.node")

# While another program keeps the database locked, commands and the start wait for at most this time.
LOCKED_SECONDS_MAX = 30.0
LOCKED_AGAIN_SECONDS = 0.2
# Erased texts stand in SQLite's log for at most about this time; while a reader needs it, it is tried again.
SCRUB_SECONDS = 2.0
SCRUB_AGAIN_SECONDS = 0.2
# What this machine could not do for its own database is tried again after this time.
FOLLOW_AGAIN_SECONDS = 1.0

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
    def __init__(self, runtime: Runtime, directory: Path, space: Space, *, durable: bool = True) -> None:
        """Open the store, created or migrated as needed; `durable` is as for `open_writer`. Raises StartError."""
        self.directory = directory
        self._runtime = runtime
        db = when_unlocked(runtime, lambda: open_writer(directory, durable=durable), LOCKED_SECONDS_MAX)
        self._executor = Executor(db, runtime.monotonic)
        self._local = when_unlocked(runtime, lambda: Local(directory), LOCKED_SECONDS_MAX)
        # The last note of something that was dropped (see `Local`).
        self._dropped = files.last_dropped(db)
        self._thread = runtime.worker("writer")
        self._space = space
        self._files: OpenFiles | None = None
        self._scrubbing: Task[None] | None = None
        self._indexing: Task[None] | None = None
        self._is_index_due = True

    @property
    def state(self) -> State:
        return self._executor.state

    @property
    def limits(self) -> Limits | None:
        """See `Executor.limits`."""
        return self._executor.limits

    @property
    def changed_messages(self) -> ChangedMessages:
        """See `Executor.changed_messages`."""
        return self._executor.changed_messages

    def count_read(self) -> int:
        """How many messages all have read. Only before the first batch."""
        return self._executor.count_read()

    async def execute(self, ordered: OrderedBatch) -> Executed:
        """Raises what `Executor.execute` does, and Gone."""
        return await self._thread.run(self._execute, ordered)

    def _execute(self, ordered: OrderedBatch) -> Executed:
        """What went into files that somebody took away is not acknowledged."""
        before = self.state.seq
        executed = self._executor.execute(ordered)
        self._follow(executed, before)
        if self._files is None:
            # SQLite's log is there from the first commit on.
            self._files = OpenFiles(self.directory)
        self._files.check_committed()
        return executed

    def _follow(self, executed: Executed, before: int) -> None:
        """Have the machine's own database follow the batch. Its trouble, which `_index` sees to, is not the batch's."""
        if executed.seq == before and executed.dropped == self._dropped:
            return
        self._is_index_due = True
        try:
            if executed.dropped != self._dropped:
                self._local.follow()
                self._dropped = executed.dropped
            self._local.keep_close(executed.seq, executed.seq - before)
        except Exception as error:
            if not is_of_this_machine(error):
                raise
            log.error("the search index does not follow for now: %s", error)

    def check_files(self) -> None:
        """Raises Gone."""
        if self._files is not None:
            self._files.check()

    def send_pulse(self) -> Future[str]:
        """See `writer_pulse`."""
        return self._thread.run(own_task)

    async def make_room(self) -> bool:
        """Give up some of the spare file; whether that made room, so that another try is worth while."""
        return await self._thread.run(self._make_room)

    def _make_room(self) -> bool:
        found = self._space.give_up_spare()
        self._scrub_now()
        return found

    @property
    def has_sweeps(self) -> bool:
        """Tell whether something may be removed from the disk (see `transfers`)."""
        return self._local.has_sweeps

    async def forget_sweeps(self, ids: list[int]) -> None:
        """Forget what has been removed from the disk. Raises what SQLite does."""
        await self._thread.run(self._local.forget_sweeps, ids)

    def tend(self, on_failure: Callable[[Exception], None]) -> None:
        """Go on indexing in a while, and empty SQLite's logs of erased texts. A failed disk is told.

        Many erasures together cost one such emptying.
        """
        if self._is_index_due and self._indexing is None:
            self._indexing = self._runtime.spawn(self._index(on_failure))
        if self._is_unclean and self._scrubbing is None:
            self._scrubbing = self._runtime.spawn(self._scrub(on_failure))

    async def _index(self, on_failure: Callable[[Exception], None]) -> None:
        wait: float | None = INDEX_AFTER_SECONDS
        try:
            while wait is not None:
                await self._runtime.sleep(wait)
                self._is_index_due = False
                try:
                    wait = await self._thread.run(self._local.step)
                except Exception as error:
                    if not self._may_pass(error):
                        raise
                    wait = FOLLOW_AGAIN_SECONDS
                if wait is None and self._is_index_due:
                    wait = INDEX_AFTER_SECONDS
                # A block of the index may have been rewritten without words of erased texts.
                self.tend(on_failure)
        except DISK_ERRORS as error:
            if isinstance(error, DAMAGED):
                self._local.discard()
            on_failure(error)
        finally:
            self._indexing = None

    def _may_pass(self, error: Exception) -> bool:
        """Tell whether what kept the machine's own database from following may pass by itself."""
        failed = isinstance(error, DISK_ERRORS) and not self._local.db.is_full(error)
        return is_of_this_machine(error) and not failed

    async def _scrub(self, on_failure: Callable[[Exception], None]) -> None:
        wait = SCRUB_SECONDS
        try:
            while self._is_unclean:
                await self._runtime.sleep(wait)
                done = await self._thread.run(self._scrub_now)
                wait = SCRUB_SECONDS if done else SCRUB_AGAIN_SECONDS
        except DISK_ERRORS as error:
            on_failure(error)
        finally:
            self._scrubbing = None

    @property
    def _is_unclean(self) -> bool:
        return self._executor.unclean or self._local.db.unclean

    def _scrub_now(self) -> bool:
        """Empty both logs. Return False if this has to be tried again. Raises DISK_ERRORS."""
        left = [each for each in (self._executor, self._local.db) if each.unclean and not each.scrub()]
        return not left

    def stop_tending(self) -> None:
        for each in (self._scrubbing, self._indexing):
            if each is not None:
                each.cancel()

    def close(self, *, abandon: bool) -> None:
        """With `abandon` the files are left as they are: at their paths there may be those of another chat."""
        self._thread.close()
        if self._files is not None:
            self._files.close()
        if abandon:
            self._executor.abandon()
            self._local.db.abandon()
        # First the one that only reads the chat's database: the last one to be closed empties SQLite's log.
        self._local.close()
        self._executor.close()
