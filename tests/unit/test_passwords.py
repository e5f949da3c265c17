import asyncio
from collections.abc import Iterator

import pytest

from chat_server.clock import ChatTime
from chat_server.errors import Refusal
from chat_server.passwords import SIGNED_IN, TRIED_MAX, WAITING_MAX, Passwords, SignInGuard
from chat_server.protocol.times import iso
from chat_server.settings import Rate
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS, FakeClock

WINDOW_MS = 600_000
RATE = Rate(3, WINDOW_MS)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_the_right_password_and_no_other(passwords: Passwords) -> None:
    hashed = await passwords.hash("geheim 🔑")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and "geheim" not in hashed
    assert await passwords.hash("geheim 🔑") != hashed
    assert await passwords.verify(hashed, "geheim 🔑")
    for wrong in ("geheim", "", "Geheim 🔑", "geheim 🔑 "):
        assert not await passwords.verify(hashed, wrong)


@pytest.mark.parametrize("hashed", ["", "plain", "$argon2id$v=19$m=1"])
async def test_what_is_no_hash_lets_nobody_in(passwords: Passwords, hashed: str) -> None:
    assert not await passwords.verify(hashed, hashed)


async def test_only_so_many_wait(passwords: Passwords) -> None:
    passwords._waiting = WAITING_MAX
    with pytest.raises(Refusal) as refused:
        await passwords.hash("x")
    assert refused.value.code == "busy"
    passwords._waiting = 0
    await asyncio.gather(*(passwords.verify("", "x") for _ in range(WAITING_MAX)))
    assert passwords._waiting == 0


class Door:
    """A guard at which one knocks with a wrong password (or the right one), with the time in the test's hand."""

    def __init__(self, rate: Rate | None = RATE) -> None:
        self.clock = FakeClock()
        self.guard = SignInGuard(ChatTime(self.clock, at_ms=0, elapsed_ms=0), rate)
        self.looked_at = 0

    async def knock(self, apart: str | None = None, account: str = "alice", *, right: bool = False) -> str | None:
        """When to come again, None if the password was looked at."""

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


async def test_past_the_limit_each_try_waits_twice_as_long_up_to_the_window() -> None:
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
async def test_a_clock_that_is_set_stretches_and_shortens_no_wait(step_ms: int) -> None:
    door = Door()
    assert [await door.knock() for _ in range(6)][3:] == [iso(NOON_MS + 1000)] * 3
    door.clock.step(step_ms)
    assert await door.knock() == iso(NOON_MS + step_ms + 1000), "told by the clock as it goes now"
    door.clock.advance(999)
    assert await door.knock() == iso(NOON_MS + step_ms + 1000)
    door.clock.advance(1)
    assert await door.knock() is None


async def test_many_at_once_are_not_all_let_through() -> None:
    door = Door()
    await asyncio.gather(*(door.knock() for _ in range(20)))
    assert door.looked_at == 3


async def test_the_limit_is_for_the_account_from_wherever() -> None:
    door = Door()
    assert [await door.knock() for _ in range(3)] == [None] * 3
    assert await door.knock() == iso(NOON_MS + 1000)
    assert await door.knock(account="bob") is None


async def test_who_is_known_has_a_count_apart() -> None:
    """Each of them, so that a stolen device does not keep the owner out either."""
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


async def test_what_is_remembered_is_bounded() -> None:
    door = Door()
    for number in range(TRIED_MAX + 10):
        await door.knock(account=f"user{number}", right=True)
    assert len(door.guard._tries) == TRIED_MAX
