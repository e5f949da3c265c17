import asyncio
import threading
from collections.abc import Iterator

import pytest

from chat_server.chat_time import ChatTime
from chat_server.errors import Refusal
from chat_server.passwords import SIGNED_IN, THREADS, TRIED_MAX, WAITING_MAX, Passwords, SignInGuard
from chat_server.protocol.times import iso
from chat_server.runtime import SystemRuntime
from chat_server.settings import Rate
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS, FakeClock

WINDOW_MS = 600_000
RATE = Rate(3, WINDOW_MS)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(SystemRuntime())
    yield passwords
    passwords.close()


class Somebody:
    def __init__(self, network: str = "a", *, left: bool = False, gone: bool = False) -> None:
        self.network = network
        self.left = left
        self.gone = gone

    def is_there(self) -> bool:
        return not self.gone

    def may_have_left(self) -> bool:
        return self.left


HERE = Somebody()


async def test_the_right_password_alone_is_verified(passwords: Passwords) -> None:
    hashed = await passwords.hash(HERE, "anna", "geheim 🔑")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and "geheim" not in hashed
    assert await passwords.hash(HERE, "anna", "geheim 🔑") != hashed
    assert await passwords.verify(HERE, "anna", hashed, "geheim 🔑")
    for wrong in ("geheim", "", "Geheim 🔑", "geheim 🔑 "):
        assert not await passwords.verify(HERE, "anna", hashed, wrong)


@pytest.mark.parametrize("hashed", ["", "plain", "$argon2id$v=19$m=1"])
async def test_a_text_that_is_no_hash_verifies_nothing(passwords: Passwords, hashed: str) -> None:
    assert not await passwords.verify(HERE, "anna", hashed, hashed)


class Queue:
    """One thread, which is busy until `served` lets it go on and notes what it does then."""

    def __init__(self) -> None:
        self.passwords = Passwords(SystemRuntime(), threads=1)
        self.go = threading.Event()
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def fill(self, *jobs: tuple[str, Somebody, str]) -> None:
        """Submit a job. The very first one is under way already; the others wait."""
        for what, who, account in jobs:
            self.tasks.append(asyncio.ensure_future(self.passwords._run(who, account, self._work, what)))
            await asyncio.sleep(0)

    def _work(self, what: str) -> None:
        self.go.wait()
        self.order.append(what)

    async def served(self) -> list[str]:
        """Return the order of the jobs, without the first one."""
        self.go.set()
        self.ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.order[1:]

    @property
    def refused(self) -> list[int]:
        return [place for place, ended in enumerate(self.ended) if isinstance(ended, Refusal) and ended.code == "busy"]


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.go.set()
    queue.passwords.close()


FIRST = ("first", HERE, "first")


async def test_networks_take_turns_and_so_do_accounts_of_one(queue: Queue) -> None:
    flood, honest = Somebody("a"), Somebody("b")
    await queue.fill(FIRST, *((f"a{n}", flood, "x") for n in range(4)), ("a-y", flood, "y"), ("b1", honest, "z"))
    await queue.fill(("b2", honest, "z"))
    assert await queue.served() == ["b1", "a0", "b2", "a-y", "a1", "a2", "a3"]


async def test_peers_that_may_have_left_come_last(queue: Queue) -> None:
    gone = [(f"left{n}", Somebody(left=True), f"u{n}") for n in range(5)]
    await queue.fill(FIRST, *gone, ("here", Somebody(), "honest"))
    assert await queue.served() == ["here", *(what for what, _, _ in gone)]


async def test_a_password_nobody_waits_for_is_not_hashed(queue: Queue) -> None:
    left = Somebody()
    await queue.fill(FIRST, ("reset", left, "x"), ("cancelled", HERE, "y"), ("here", HERE, "z"))
    left.gone = True
    queue.tasks[2].cancel()
    assert await queue.served() == ["here"]
    assert queue.refused == [1]
    assert queue.passwords._waiting == []


async def test_the_network_with_most_jobs_gives_way(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.passwords.WAITING_MAX", 4)
    assert WAITING_MAX == 500
    flood, left = Somebody("a"), Somebody("a", left=True)
    await queue.fill(FIRST, ("a1", flood, "x"), ("a2", left, "x"), ("a3", flood, "x"), ("a4", flood, "x"))
    # A peer that may have left is dropped first, then the last one of the network with most.
    await queue.fill(("b1", Somebody("b"), "y"), ("b2", Somebody("b"), "y"), ("a5", flood, "x"))
    assert sorted(await queue.served()) == ["a1", "a3", "b1", "b2"]
    assert queue.refused == [2, 4, 7]


async def test_remembered_turns_are_bounded(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.passwords.TURNS_MAX", 10)
    await asyncio.gather(*(passwords.verify(Somebody(f"n{n}"), "x", "", "x") for n in range(100)))
    assert len(passwords._turns) <= 12 and passwords._waiting == [] and passwords._free == THREADS


class Door:
    """A guard that checks wrong passwords (or the right one), at times that the test sets."""

    def __init__(self, rate: Rate | None = RATE) -> None:
        self.clock = FakeClock()
        self.guard = SignInGuard(SystemRuntime(), ChatTime(self.clock, at_ms=0, elapsed_ms=0), rate)
        self.looked_at = 0

    async def knock(self, apart: str | None = None, account: str = "alice", *, right: bool = False) -> str | None:
        """Return when to try again, None if the password was checked."""

        async def verify() -> bool:
            self.looked_at += 1
            await asyncio.sleep(0)
            return right

        try:
            assert await self.guard.check(account, apart, verify) == right
        except Refusal as refusal:
            assert refusal.code == "too_fast"
            return str(refusal.fields["retry_at"])
        return None


async def test_past_the_limit_waits_double_up_to_the_window() -> None:
    door = Door()
    assert [await door.knock() for _ in range(3)] == [None] * 3
    for wait_ms in (1000, 2000, 4000, 8000):
        end = iso(door.clock.now_ms() + wait_ms)
        assert await door.knock() == end
        door.clock.advance(wait_ms - 1)
        assert await door.knock(right=True) == end, "the right one too"
        door.clock.advance(1)
        assert await door.knock() is None
    for _ in range(20):
        door.clock.advance(WINDOW_MS - 1)
        await door.knock()
    door.clock.advance(WINDOW_MS)
    assert [await door.knock() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("step_ms", (HOUR_MS, -HOUR_MS, 30 * DAY_MS, -30 * DAY_MS))
async def test_setting_the_clock_changes_no_wait(step_ms: int) -> None:
    door = Door()
    assert [await door.knock() for _ in range(6)][3:] == [iso(NOON_MS + 1000)] * 3
    door.clock.step(step_ms)
    assert await door.knock() == iso(NOON_MS + step_ms + 1000), "told by the clock as it goes now"
    door.clock.advance(999)
    assert await door.knock() == iso(NOON_MS + step_ms + 1000)
    door.clock.advance(1)
    assert await door.knock() is None


async def test_many_tries_at_once_do_not_pass_the_limit() -> None:
    door = Door()
    await asyncio.gather(*(door.knock() for _ in range(20)))
    assert door.looked_at == 3


async def test_the_limit_counts_for_the_account_from_any_network() -> None:
    door = Door()
    assert [await door.knock() for _ in range(3)] == [None] * 3
    assert await door.knock() == iso(NOON_MS + 1000)
    assert await door.knock(account="bob") is None


async def test_known_networks_are_counted_apart() -> None:
    """Each known network has a count of its own, so that a stolen device does not keep the owner out either."""
    door = Door()
    counts = (None, "home", "work", SIGNED_IN)
    for apart in counts:
        assert [await door.knock(apart) for _ in range(3)] == [None] * 3
        assert await door.knock(apart) is not None
    assert [await door.knock(apart, "bob") for apart in counts] == [None] * 4


async def test_success_forgets_the_failures() -> None:
    door = Door()
    for _ in range(5):
        assert [await door.knock(right=right) for right in (False, False, True)] == [None] * 3


async def test_without_a_limit_everyone_may_try() -> None:
    door = Door(None)
    assert [await door.knock() for _ in range(100)] == [None] * 100


async def test_remembered_tries_are_bounded() -> None:
    door = Door()
    for number in range(TRIED_MAX + 10):
        await door.knock(account=f"user{number}", right=True)
    assert len(door.guard._tries) == TRIED_MAX
