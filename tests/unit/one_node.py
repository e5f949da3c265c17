"""One node with its store and its log, in one thread and in virtual time, and Alice who speaks to it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import Batch, Configure, Enter, MarkSeen, OrderedBatch
from chat_server.log.local import LocalLog
from chat_server.node import Node, open_alone
from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.rules.executor import Executed, Executor, Outcome
from chat_server.rules.outcomes import Entered
from chat_server.settings import load
from chat_server.store.database import FILE, open_reader
from tests.fake_runtime import FakeRuntime

SETTINGS = load(["--disk-reserve", "off"], {})


def run(path: Path, do: Callable[["Chat"], Awaitable[None]]) -> "Chat":
    runtime = FakeRuntime()
    chat = Chat(runtime, path)

    async def main() -> None:
        try:
            await chat.node.start()
            running = runtime.spawn(chat.node.run())
            await do(chat)
            chat.node.finish()
            await running
        finally:
            chat.node.close()

    runtime.run(main())
    return chat


class Session:
    """The receiver of what became of Alice's commands."""

    number = 0

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def settle(self, outcome: Outcome) -> bytes:
        self.outcomes.append(outcome)
        return b""

    def settled(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Chat:
    """Alice speaks to a node as its first session."""

    def __init__(self, runtime: FakeRuntime, path: Path) -> None:
        self.runtime = runtime
        self.path = path
        self.node: Node = open_alone(SETTINGS, runtime, path)
        self.log = self.node._log
        self._said = 0
        self.session = Session()
        self.session.number = self.node.delivery.add(self.session)

    def submit(self, command: Any, user_id: int = 1, seen: MarkSeen | None = None) -> None:
        self._said += 1
        self.node.submit(command, user_id, session=self.session.number, number=self._said, seen=seen)

    def say(self, *lines: str) -> None:
        for line in lines:
            self.submit(parse(line, text_chars_max=100).command)

    async def settle(self, seconds: float = 0.1) -> list[Any]:
        """What came of all that was said since the last time."""
        await self.runtime.sleep(seconds)
        outcomes, self.session.outcomes = self.session.outcomes, []
        return [outcome.result for outcome in outcomes]

    async def sign_in(self) -> None:
        self.submit(Enter(check("alice"), 0, None, False, None), 0)
        (entered,) = await self.settle()
        assert isinstance(entered, Entered)

    def lock(self) -> apsw.Connection:
        """Another program keeps the database locked, until this is closed."""
        other = apsw.Connection(str(self.path / FILE))
        other.execute("BEGIN IMMEDIATE")
        return other

    @property
    def limits(self) -> object:
        db = open_reader(self.path)
        try:
            return db.value("SELECT limits FROM state")
        finally:
            db.close()


def share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is one that others read too: what it has given out stands."""
    monkeypatch.setattr(LocalLog, "amend", lambda self, ordered, entries: None)


class Faults:
    """Has the next batches, but for those of the start, fail like this."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Exception] = []
        self.batches: list[Batch] = []
        execute = Executor.execute

        def fail(executor: Executor, ordered: OrderedBatch) -> Executed:
            batch = ordered.batch
            if not any(type(entry.command) is Configure for entry in batch.entries):
                self.batches.append(batch)
                if self.waiting:
                    raise self.waiting.pop(0)
            return execute(executor, ordered)

        monkeypatch.setattr(Executor, "execute", fail)


def codes(results: list[Any]) -> list[str]:
    return [result.code if isinstance(result, Refusal) else type(result).__name__ for result in results]


def command(line: str) -> Any:
    return parse(line, text_chars_max=100).command
