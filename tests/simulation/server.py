"""A server without sockets: the node and its sessions, for one start. It is stopped in order, or killed."""

import io
import shutil
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from chat_server.action_log import ActionLog, LineForm
from chat_server.frontend.sessions import Sessions
from chat_server.log import Log
from chat_server.node import open_alone
from chat_server.runtime import Runtime, Task, Timer, Worker
from chat_server.settings import Settings
from chat_server.store.data_directory import DataDirectory
from tests.fake_runtime import FakeRuntime, InlineWorker
from tests.simulation.connection import MemoryConnection

Args = TypeVarTuple("Args")
R = TypeVar("R")


class _Timer:
    """A timer of a process. It can be cancelled, too, when it has gone off while the process was stopped."""

    inner: Timer

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.inner.cancel()


class Process(Runtime):
    """What one process has of the machine's runtime: once it is killed nothing of it goes on.

    A process that is stopped (SIGSTOP) does nothing either, until it is woken (SIGCONT). Its clocks go on.
    """

    def __init__(self, machine: FakeRuntime) -> None:
        self._machine = machine
        self._tasks: dict[Task[Any], None] = {}
        self._is_killed = False
        self._held: list[Callable[[], None]] | None = None  # while it is stopped

    def now_ms(self) -> int:
        return self._machine.now_ms()

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def token_bytes(self, size: int) -> bytes:
        return self._machine.token_bytes(size)

    def block(self, seconds: float) -> None:
        self._machine.block(seconds)

    def run(self, main: Coroutine[Any, Any, R]) -> R:
        return self._machine.run(main)

    def call_later(self, seconds: float, function: Callable[[*Args], object], *args: *Args) -> Timer:
        timer = _Timer()

        def ring(*args: *Args) -> None:
            if not timer.is_cancelled:
                function(*args)

        timer.inner = self._machine.call_later(seconds, self._unless_killed(ring), *args)
        return timer

    def call_soon(self, function: Callable[[*Args], object], *args: *Args) -> Timer:
        return self._machine.call_soon(self._unless_killed(function), *args)

    def worker(self, name: str, count: int = 1) -> Worker:
        return InlineWorker(
            lambda function, *args: self._machine.after_work(self._unless_killed(function), *args), count
        )

    def spawn(self, coroutine: Coroutine[Any, Any, R]) -> Task[R]:
        task = self._machine.spawn(coroutine)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    def _unless_killed(self, function: Callable[[*Args], object]) -> Callable[[*Args], None]:
        def call(*args: *Args) -> None:
            if self._held is not None:
                self._held.append(partial(call, *args))
            elif not self._is_killed:
                function(*args)

        return call

    def stop(self) -> None:
        self._held = []

    def wake(self) -> None:
        held, self._held = self._held or [], None
        for call in held:
            self._machine.call_soon(call)

    def kill(self) -> None:
        self._is_killed = True
        for task in list(self._tasks):
            task.cancel()


class SimulatedServer:
    """MUST be made and run on the machine's loop."""

    def __init__(self, machine: FakeRuntime, settings: Settings, path: Path, open_log: Callable[..., Log]) -> None:
        self._machine = machine
        self._settings = settings
        self._process = Process(machine)
        self._directory = DataDirectory(str(path))
        self.node = open_alone(settings, self._process, path, open_log=open_log, write_now=self._write_now)
        actions = ActionLog(self._process, LineForm(self._process, json=False), enabled=False, stream=io.StringIO())
        self._sessions = Sessions(self._process, self.node, settings, actions)
        self._connections: dict[MemoryConnection, None] = {}
        self._by_descriptor: dict[int, MemoryConnection] = {}
        self._is_accepting = False

    async def start(self) -> None:
        await self.node.start()
        self._running = self._process.spawn(self.node.run())
        self._watching = self._process.spawn(self._sessions.watch_stalled())
        self._is_accepting = True

    def connect(
        self, take_bytes_max: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> MemoryConnection | None:
        """None: nobody listens."""
        if not self._is_accepting:
            return None
        unsent_bytes_max = self._settings.outbox_bytes_max // 2
        # As the kernel does: the lowest that is free.
        descriptor = next(number for number in count() if number not in self._by_descriptor)
        connection = MemoryConnection(self._machine, unsent_bytes_max, take_bytes_max, received, ended, descriptor)
        self._connections[connection] = None
        self._by_descriptor[descriptor] = connection

        def release() -> None:
            del self._connections[connection], self._by_descriptor[descriptor]

        connection.open(lambda transport: self._sessions.open(transport, "127.0.0.1", release))
        return connection

    def _write_now(self, descriptor: int, data: bytes) -> int:
        return self._by_descriptor[descriptor].write_now(data)

    async def stop(self) -> None:
        self._is_accepting = False
        await self._sessions.finish(self._running)
        self._watching.cancel()
        await self._running
        assert not self._connections, "a connection outlives the stop"
        self._close()

    def kill(self, copy: Path) -> None:
        """What is on the disk at this moment is left in `copy`."""
        self._is_accepting = False
        shutil.copytree(self._directory.path, copy)
        for connection in self._connections:
            connection.sever()
        self._process.kill()
        self._close()

    def _close(self) -> None:
        self.node.close()
        assert self.node.failure is None, self.node.failure
        self._directory.close()
