"""A home for the machine's own commands where no server runs: the store itself, held by the directory's lock.

The same rules, executed by the same `Executor`: what a running server would do, but that nobody is connected. Nothing
else is done: no settings are logged, and nothing that is due is sent.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from chat_server.clock import ChatTime, Clock
from chat_server.entries import MACHINE, Batch, Entry, Erase, Limits
from chat_server.errors import Refusal, StartError
from chat_server.node import Page
from chat_server.protocol.events import Reply
from chat_server.protocol.times import iso
from chat_server.rules import Executor, read
from chat_server.rules.turn import View
from chat_server.store.database import DISK_ERRORS, FILE, open_reader, open_writer
from chat_server.store.directory import DataDirectory


class Offline:
    def __init__(self, clock: Clock, directory: DataDirectory) -> None:
        """Raises StartError."""
        if not (directory.path / FILE).exists():
            raise StartError(f"there is no chat in {directory.path}; name its directory with --data")
        self._clock = clock
        self._executor = Executor(open_writer(directory.path))
        self._db = open_reader(directory.path)
        state = self._executor.state
        self._time = ChatTime(clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        limits = state.limits
        if limits is None:
            self.close()
            raise StartError(f"the chat in {directory.path} has never been used; start the server first")
        self._limits = msgspec.json.decode(limits, type=Limits)

    def now(self) -> str:
        return iso(self._clock.now_ms())

    async def order(self, command: Any) -> Reply:
        """Raises Refusal, and StartError if the disk fails."""
        try:
            result = self._execute(command)
            while self._executor.is_erasing:
                self._execute(Erase())
        except DISK_ERRORS as error:
            raise StartError(f"the disk failed: {error}; nothing was done") from None
        if isinstance(result, Refusal):
            raise result
        assert isinstance(result, Reply)
        return result

    def _execute(self, command: Any) -> Any:
        batch = Batch(self._executor.state.applied + 1, *self._time.now(), [Entry(command, MACHINE)])
        (outcome,) = self._executor.execute(batch).outcomes
        return outcome.result

    async def read(self, query: Any) -> AsyncIterator[Page]:
        pages = read(View(self._db, MACHINE, *self._time.now(), self._limits, {}), query)
        while True:
            try:
                yield Page(next(pages))
            except StopIteration as stop:
                yield Page(None, stop.value)
                return

    def close(self) -> None:
        self._db.close()
        self._executor.close()
