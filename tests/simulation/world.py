"""A run from a seed: three users, a server that is stopped and killed under them, and the checks afterwards."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from argon2 import PasswordHasher, Type

from chat_server import passwords
from chat_server.log import Log
from chat_server.log.local import LocalLog
from chat_server.settings import load
from chat_server.store import message_pages, stretches
from tests.fake_runtime import FakeRuntime
from tests.simulation.connection import MemoryConnection
from tests.simulation.kept_log import Kept
from tests.simulation.ledger import ROOM, Ledger, check
from tests.simulation.server import SimulatedServer
from tests.simulation.users import JsonUser, TextUser, User

# Little fits into an outbox or on a page, so that readers fall behind and catch up over many pages.
SETTINGS = load(
    [
        *("--disk-reserve", "off", "--main-rate-limit", "off", "--message-ttl", "off"),
        *("--outbox-max", "4KiB", "--stall-timeout", "20s"),
    ],
    {},
)
PAGE_MESSAGES_MAX, PAGE_TEXT_CHARS_MAX, STRETCH_MESSAGES_MAX = 5, 1500, 4
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.ID)
SECONDS_MAX = 900.0
MEMORY = Path("/dev/shm")


class Errors(logging.Handler):
    """A mistake of the server is logged and answered; here it ends the run."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Simulation:
    def __init__(self, seed: int, path: Path) -> None:
        self.machine = FakeRuntime(seed)
        self.ledger = Ledger()
        self.transcript: list[str] = []
        self._random = self.machine.random
        self._path = path
        self._open_log: Callable[..., Log] = Kept(self.machine).open if self._random.random() < 0.5 else LocalLog
        self._starts = 0
        self._server: SimulatedServer | None = None
        self._something_was_said = False
        self.is_steady = True
        self.users: list[User] = []

    # ---- what users have of the world

    def connect(
        self, take_bytes_max: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> MemoryConnection | None:
        return None if self._server is None else self._server.connect(take_bytes_max, received, ended)

    def delivered(self) -> int:
        return self._server.node.delivery.delivered if self._server else 0

    def tell(self, what: str) -> None:
        self._something_was_said = True
        self.transcript.append(f"{self.machine.monotonic():.6f} {what}")

    # ---- the course of things

    async def run(self) -> None:
        async with self.machine.timeout(SECONDS_MAX):
            await self._start()
            await self._meet()
            living = [self.machine.spawn(user.live()) for user in self.users]
            for _ in range(self._random.randint(1, 4)):
                await self.machine.sleep(self._random.expovariate(1 / 8))
                await self._restart()
            await self.machine.sleep(self._random.expovariate(1 / 8))
            for user in self.users:
                user.be_calm()
            for each in living:
                await each
            for user in self.users:
                await user.settle()
            await self.machine.sleep(60)
            for user in self.users:
                await user.settle()
            await self.machine.sleep(1)
            self._check()
            rows = self.ledger.check_store(self._path)
            for user in self.users:
                user.check_shown_all(rows)
            await self._stop()

    async def _meet(self) -> None:
        self.users = [TextUser(self, "alice", "secret"), TextUser(self, "bob", None), JsonUser(self, "carol", "secret")]
        for user in self.users:
            await user.come_in()
        alice, *others = self.users
        for said in [
            alice.say("create_chat", chat=ROOM),
            *(alice.say("invite", chat=ROOM, username=other.name) for other in others),
        ]:
            await said.ended
        for other in others:
            await other.say("join", chat=ROOM).ended

    async def _start(self) -> None:
        """Start, and be killed sometimes while that is under way."""
        while True:
            self._starts += 1
            self.tell(f"server/{self._starts} starts")
            server = SimulatedServer(self.machine, SETTINGS, self._path, self._open_log)
            starting = self.machine.spawn(server.start())
            if self._starts > 1 and self._random.random() < 0.2:
                await self.machine.sleep(self._random.uniform(0, 0.03))
                self._server = server
                starting.cancel()
                self._kill()
                continue
            await starting
            self._server = server
            self._check()
            return

    async def _restart(self) -> None:
        self.is_steady = False
        for user in self.users:
            user.server_ends()
        if self._random.random() < 0.4:
            await self._stop()
        else:
            # In the middle of something, rather than while all are silent.
            self._something_was_said = False
            while not self._something_was_said:
                await self.machine.sleep(0.001)
            await self.machine.sleep(self._random.uniform(0, 0.05))
            self._kill()
        await self.machine.sleep(self._random.uniform(0, 2))
        await self._start()
        self.is_steady = True

    async def _stop(self) -> None:
        self.tell("the server stops")
        assert self._server is not None
        stopping = self.machine.spawn(self._server.stop())
        if self._random.random() < 0.2:
            await self.machine.sleep(self._random.uniform(0, 0.2))
            if not stopping.done():
                stopping.cancel()
                self._kill()
                return
        await stopping
        self._server = None
        self._check()

    def _kill(self) -> None:
        self.tell("the server is killed")
        assert self._server is not None
        server, self._server = self._server, None
        self._check()
        self._path = self._path.with_name(f"{self._starts}")
        server.kill(self._path)

    def _check(self) -> None:
        rows = self.ledger.check_store(self._path)
        for user in self.users:
            user.check_shown_so_far(rows)


@contextmanager
def _directory() -> Iterator[Path]:
    """In memory if there is such a place: nobody waits for a disk then."""
    with tempfile.TemporaryDirectory(prefix="chat-simulation-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name) / "0"


class Run(Protocol):
    machine: FakeRuntime
    transcript: list[str]

    async def run(self) -> None: ...


def simulate(seed: int, make: Callable[[int, Path], Run] = Simulation, expected: tuple[str, ...] = ()) -> list[str]:
    """The transcript of a run. Raises AssertionError with the seed and the transcript's end.

    An error of the server ends the run, unless it is one of those `expected`.
    """
    errors = Errors()
    with ExitStack() as stack:
        path = stack.enter_context(_directory())
        stack.enter_context(patch.object(message_pages, "PAGE_MESSAGES_MAX", PAGE_MESSAGES_MAX))
        stack.enter_context(patch.object(message_pages, "PAGE_TEXT_CHARS_MAX", PAGE_TEXT_CHARS_MAX))
        stack.enter_context(patch.object(stretches, "STRETCH_MESSAGES_MAX", STRETCH_MESSAGES_MAX))
        stack.enter_context(patch.object(passwords, "_HASHER", HASHER))
        logging.getLogger().addHandler(errors)
        stack.callback(logging.getLogger().removeHandler, errors)
        simulation = make(seed, path)
        try:
            simulation.machine.run(simulation.run())
            unexpected = [line for line in errors.lines if not any(each in line for each in expected)]
            check(not unexpected, "the server logged errors")
        except Exception as error:
            told = "\n".join([*simulation.transcript[-12:], *errors.lines])
            which = f"python -m tests.simulation {'--cluster ' * (make is not Simulation)}{seed}"
            raise AssertionError(f"seed {seed} ({which}): {error!r}\n{told}") from error
    return simulation.transcript
