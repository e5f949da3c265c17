"""The administrator's commands without a server, executed on the store under the directory's lock.

The same `Executor` executes the same rules as in a running server without connections. Nothing else happens: no
settings are logged, and nothing that is due is sent. A query changes and migrates nothing; the database is opened for
writing only with the first order.
"""

from collections.abc import AsyncIterator
from typing import Any

import apsw
import msgspec

from chat_server.chat_time import LocalTime
from chat_server.disk_space import SPARE
from chat_server.errors import Refusal, StartError
from chat_server.log.entries import MACHINE, Batch, Entry, Erase, Limits, OrderedBatch
from chat_server.log.stream import Position
from chat_server.protocol.base import Reply
from chat_server.protocol.times import Now, iso
from chat_server.rules import Executor, read
from chat_server.rules.context import View
from chat_server.rules.outcomes import Page
from chat_server.runtime import Runtime
from chat_server.store.data_directory import LOCAL, DataDirectory, refuse_lost_database
from chat_server.store.database import DISK_ERRORS, FILE, Database, NoRoom, open_unchanged, open_writer
from chat_server.store.local import Local
from chat_server.store.state import State, load
from chat_server.writer import when_unlocked

# How long a command waits for another program that keeps the database locked.
LOCKED_SECONDS_MAX = 5.0
NODE = ""


class Offline:
    def __init__(self, runtime: Runtime, directory: DataDirectory) -> None:
        """Raises StartError."""
        refuse_lost_database(directory.path)
        if not (directory.path / FILE).exists():
            raise StartError(f"there is no chat in {directory.path}; name its directory with --data")
        self._runtime = runtime
        self._path = directory.path
        self._db: Database | None = None
        self._executor: Executor | None = None
        self._local: Local | None = None

    def now(self) -> str:
        return iso(self._runtime.now_ms())

    async def order(self, command: Any) -> Reply:
        """Raises Refusal, and StartError if the disk fails."""
        if self._executor is None:
            self._executor = Executor(when_unlocked(self._runtime, lambda: open_writer(self._path), LOCKED_SECONDS_MAX))
        self._limits_of(self._executor.state)
        if self._local is None:
            self._local = when_unlocked(self._runtime, lambda: Local(self._path), LOCKED_SECONDS_MAX)
        try:
            result = self._execute(self._executor, command)
        except NoRoom:
            raise StartError("the disk is full; nothing was done") from None
        except DISK_ERRORS as error:
            raise StartError(f"the disk failed: {error}; whether this was done is not known") from None
        if isinstance(result, Refusal):
            raise result
        assert isinstance(result, Reply)
        self._erase(self._executor)
        try:
            self._local.finish()
        except apsw.Error as error:
            raise StartError(
                f"this was done, but words of texts that are gone may still be in {LOCAL} ({error}); the server goes on"
                " with that once it runs"
            ) from None
        return result

    def _erase(self, executor: Executor) -> None:
        """Remove all that a deleted account left before it is reported as gone. Raises StartError."""
        try:
            while executor.is_erasing:
                self._execute(executor, Erase())
        except (NoRoom, StartError, *DISK_ERRORS) as error:
            why = "another program keeps the database locked" if isinstance(error, StartError) else error
            raise StartError(
                "the account was deleted and nobody is shown its texts, but some are still on the disk and could not be"
                f" removed ({why}); the server goes on with that once it runs"
            ) from None

    def _execute(self, executor: Executor, command: Any) -> Any:
        state = executor.state
        assert state.history is not None
        stream, sequence = state.position
        if stream:
            raise StartError(f"the chat in {self._path} is one node's copy of a cluster's: start the server first")
        at_ms, elapsed_ms = self._now(state)
        batch = Batch(state.history, NODE, 1, b"", sequence + 1, at_ms, [Entry(command, MACHINE)])
        ordered = OrderedBatch(batch, Position(stream, sequence + 1), at_ms, elapsed_ms)
        try:
            executed = when_unlocked(self._runtime, lambda: executor.execute(ordered), LOCKED_SECONDS_MAX)
        except NoRoom:
            (self._path / SPARE).unlink(missing_ok=True)
            executed = executor.execute(ordered)
        (outcome,) = executed.outcomes
        return outcome.result

    async def read(self, query: Any) -> AsyncIterator[Page]:
        """Raises Refusal, and StartError for a database of an older version."""
        if self._db is None:
            self._db = open_unchanged(self._path)
        state = load(self._db)
        for page in read(View(self._db, MACHINE, self._now(state), self._limits_of(state), {}), query):
            yield page

    def _now(self, state: State) -> Now:
        return LocalTime(self._runtime, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms).now()

    def _limits_of(self, state: State) -> Limits:
        if state.limits is None:
            raise StartError(f"the chat in {self._path} has never been used; start the server first")
        return msgspec.json.decode(state.limits, type=Limits)

    def close(self) -> None:
        for each in (self._db, self._local, self._executor):
            if each is not None:
                each.close()
