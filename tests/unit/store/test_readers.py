"""Users take turns with a reader."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat_server.runtime import SystemRuntime
from chat_server.store.database import Database, open_writer
from chat_server.store.readers import SUBMITTED_MAX, Reader


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    open_writer(tmp_path).close()
    reader = Reader(SystemRuntime(), tmp_path, "test")
    yield reader
    reader.close()


async def test_a_greedy_user_takes_turns_with_others(reader: Reader) -> None:
    gate, order = threading.Event(), list[str]()

    def read(db: Database, what: str) -> str:
        gate.wait()
        order.append(what)
        return what

    greedy = [asyncio.ensure_future(reader.serve(1, read, f"greedy {number}")) for number in range(20)]
    await asyncio.sleep(0)
    modest = [asyncio.ensure_future(reader.serve(user, read, f"modest {user}")) for user in (2, 3)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*modest) == ["modest 2", "modest 3"]
    # The thread runs what it had already, and then at most one job of the greedy user before each of the others.
    assert order.index("modest 2") <= SUBMITTED_MAX + 1 and order.index("modest 3") <= SUBMITTED_MAX + 2
    assert await asyncio.gather(*greedy) == [f"greedy {number}" for number in range(20)]
    assert [what for what in order if "greedy" in what] == [f"greedy {number}" for number in range(20)]


async def test_a_user_who_waits_is_served_before_a_greedy_one_who_came_later(reader: Reader) -> None:
    gate, order = threading.Event(), list[str]()

    def read(db: Database, what: str) -> None:
        gate.wait()
        order.append(what)

    names = ["busy"] * SUBMITTED_MAX + ["modest"] + ["greedy"] * 5
    users = {"busy": 1, "modest": 2, "greedy": 3}
    readings = [asyncio.ensure_future(reader.serve(users[name], read, name)) for name in names]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*readings)
    assert order == names


async def test_an_abandoned_reading_does_not_run(reader: Reader) -> None:
    gate, ran = threading.Event(), list[int]()

    def read(db: Database, number: int) -> None:
        gate.wait()
        ran.append(number)

    waiting = [asyncio.ensure_future(reader.serve(1, read, number)) for number in range(10)]
    await asyncio.sleep(0)
    for task in waiting[5:]:
        task.cancel()
    gate.set()
    await asyncio.gather(*waiting[:5])
    await reader.serve(1, read, 99)
    assert ran == [0, 1, 2, 3, 4, 99]


async def test_a_failed_reading_fails_for_its_user_alone(reader: Reader) -> None:
    def fail(db: Database) -> None:
        raise ValueError("this one")

    failing, fine = reader.serve(1, fail), reader.serve(2, lambda db: db.value("SELECT 1"))
    results = await asyncio.gather(failing, fine, return_exceptions=True)
    assert isinstance(results[0], ValueError) and results[1] == 1
