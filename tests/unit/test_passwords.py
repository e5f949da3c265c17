import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from chat_server.chat_time import LocalTime
from chat_server.errors import Refusal
from chat_server.passwords import GUESSING_MAX, THREADS, TRIED_MAX, WAITING_MAX, Guesses, Passwords, SignInGuard
from chat_server.runtime import SystemRuntime
from chat_server.setting_kinds import Rate
from tests.fake_runtime import FakeRuntime


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
    """A guard, and passwords that are checked as the test says; a wrong one is never counted elsewhere."""

    def __init__(self) -> None:
        self.runtime = FakeRuntime()
        self.time = LocalTime(self.runtime, at_ms=0, elapsed_ms=0)
        self.guard = SignInGuard(self.runtime, self.time)
        self.begun_ms = self.time.now().elapsed_ms
        self.checked: list[int] = []  # when, in ms since the beginning
        self.under_way = 0
        self.next_try_ms = 0

    async def knock(self, account: int = 1, counted: str = "", *, right: bool = False) -> bool:
        async def next_try() -> int:
            return self.begun_ms + self.next_try_ms if self.next_try_ms else 0

        async def verify() -> bool:
            self.checked.append(self.time.now().elapsed_ms - self.begun_ms)
            self.under_way += 1
            assert self.under_way == 1
            await self.runtime.sleep(0.02)
            self.under_way -= 1
            return right

        return await self.guard.check(account, counted, next_try, verify)

    def run(self, *knocks: Coroutine[Any, Any, bool]) -> list[bool]:
        async def all_at_once() -> list[bool]:
            return await asyncio.gather(*knocks)

        return self.runtime.run(all_at_once())


def test_wrong_ones_that_count_together_are_checked_once_a_second() -> None:
    door = Door()
    assert door.run(*(door.knock() for _ in range(3))) == [False] * 3
    assert door.checked == [0, 1020, 2040]


def test_right_ones_are_checked_one_after_the_other_without_a_pause() -> None:
    door = Door()
    assert door.run(*(door.knock(right=True) for _ in range(3))) == [True] * 3
    assert door.checked == [0, 20, 40]


@pytest.mark.parametrize(("counted_ms", "begins_ms"), [(500, 500), (1500, 1500)])
def test_a_wrong_one_that_another_node_has_counted_is_waited_for(counted_ms: int, begins_ms: int) -> None:
    door = Door()
    door.next_try_ms = counted_ms
    assert door.run(door.knock()) == [False]
    assert door.checked == [begins_ms]


def test_each_account_and_network_waits_for_itself_alone() -> None:
    door = Door()

    async def knock() -> None:
        for each in ((1, ""), (1, "home"), (2, "")):
            await door.knock(*each)

    door.runtime.run(knock())
    assert door.checked == [0, 20, 40]


def test_a_refusal_ends_a_try_before_it_is_checked() -> None:
    door = Door()

    async def refuse() -> int:
        raise Refusal("too_fast", "")

    async def verify() -> bool:
        raise AssertionError("it is checked")

    async def knock() -> None:
        for _ in range(2):
            with pytest.raises(Refusal):
                await door.guard.check(1, "", refuse, verify)

    door.runtime.run(knock())


def test_remembered_tries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TRIED_MAX == 10_000
    monkeypatch.setattr("chat_server.passwords.TRIED_MAX", 3)
    door = Door()

    async def knock() -> None:
        for number in range(10):
            await door.knock(number, right=True)

    door.runtime.run(knock())
    assert len(door.guard._tries) == 3


# ---- guesses, over all accounts


class Guessing:
    def __init__(self, most: int | None = 2) -> None:
        self.runtime = FakeRuntime()
        self.guesses = Guesses(LocalTime(self.runtime, at_ms=0, elapsed_ms=0), Rate(most, 60_000) if most else None)

    def is_refused(self, network: str) -> bool:
        try:
            self.guesses.refuse_too_many(network)
        except Refusal as refusal:
            assert refusal.code == "too_fast" and {"retry_at", "retry_in"} <= refusal.fields.keys()
            return True
        return False

    def pass_time(self, seconds: float) -> None:
        self.runtime.run(self.runtime.sleep(seconds))


def test_a_network_has_so_many_wrong_ones_in_a_window_that_begins_with_the_first() -> None:
    guessing = Guessing()
    guessing.guesses.count("a")
    guessing.pass_time(40)
    guessing.guesses.count("a")
    assert guessing.is_refused("a") and not guessing.is_refused("b")
    guessing.pass_time(19)
    assert guessing.is_refused("a")
    guessing.pass_time(1)
    assert not guessing.is_refused("a")
    guessing.guesses.count("a")
    assert not guessing.is_refused("a"), "it begins anew"


@pytest.mark.parametrize(("most", "network"), [(None, "a"), (1, "")])
def test_nothing_counts_without_a_rate_and_against_this_machine(most: int | None, network: str) -> None:
    guessing = Guessing(most)
    for _ in range(5):
        guessing.guesses.count(network)
    assert not guessing.is_refused(network)


def test_remembered_networks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GUESSING_MAX == 10_000
    monkeypatch.setattr("chat_server.passwords.GUESSING_MAX", 3)
    guessing = Guessing(1)
    for number in range(5):
        guessing.guesses.count(str(number))
    assert [guessing.is_refused(str(number)) for number in range(5)] == [False, False, True, True, True]
