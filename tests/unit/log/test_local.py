import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chat_server.chat_time import ChatTime
from chat_server.log import Log
from chat_server.log.entries import Batch, Due, Entry, Identity
from chat_server.log.local import ENTRIES_MAX, TEXT_CHARS_MAX, LocalLog
from chat_server.protocol.arguments import RoomTarget, Text, Topic
from chat_server.protocol.messages import SendAll
from chat_server.protocol.rooms import SetTopic
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import NOON_MS, FakeClock


def entry(number: int, chars: int = 1) -> Entry:
    return Entry(SendAll(Text("x" * chars)), number)


def start(clock: FakeClock | None = None) -> LocalLog:
    time = ChatTime(clock or FakeClock(), at_ms=NOON_MS, elapsed_ms=NOON_MS)
    return LocalLog(FakeRuntime(), time, Identity("n1", 2), history="h1", applied=7)


async def drain(log: Log) -> list[Batch]:
    """All batches up to the end of a log that is closed."""
    batches = []
    while (batch := await log.next_batch()) is not None:
        batches.append(batch)
    return batches


async def test_a_batch_takes_all_that_waits_in_order() -> None:
    log = start()
    for number in range(100):
        log.submit(entry(number))
    batch = await log.next_batch()
    assert batch is not None
    assert [each.user_id for each in batch.entries] == list(range(100))
    assert (batch.number, batch.at_ms) == (8, NOON_MS)
    assert (batch.history, batch.node, batch.incarnation) == ("h1", "n1", 2)


async def test_a_batch_waits_for_its_first_entry() -> None:
    log = start()
    waiting = asyncio.ensure_future(log.next_batch())
    await asyncio.sleep(0)
    assert not waiting.done()
    log.submit(Entry(Due()))
    batch = await waiting
    assert batch is not None and batch.entries == [Entry(Due())]


async def test_a_batch_has_the_times_of_its_taking() -> None:
    clock = FakeClock()
    log = start(clock)
    times = []
    for passes, step in ((5, 0), (3, -10_000_000), (0, 10_000_000), (1000, 0)):
        log.submit(entry(1))
        clock.advance(passes)
        clock.step(step)
        batch = await log.next_batch()
        assert batch is not None
        times.append((batch.at_ms - NOON_MS, batch.elapsed_ms - NOON_MS))
    assert times == [(5, 5), (-9_999_992, 8), (8, 8), (1008, 1008)]


async def test_a_batch_has_its_bounds() -> None:
    log = start()
    for number in range(ENTRIES_MAX + 1):
        log.submit(entry(number))
    for _ in range(20):
        log.submit(entry(0, chars=TEXT_CHARS_MAX // 4))
    log.close()
    assert [len(batch.entries) for batch in await drain(log)] == [ENTRIES_MAX, 5, 4, 4, 4, 4]


@given(st.lists(st.integers(0, TEXT_CHARS_MAX), max_size=60), st.integers(0, 60))
def test_each_entry_comes_once_in_order_whenever_it_is_taken(sizes: list[int], cut: int) -> None:
    async def play() -> list[Entry]:
        log = start()
        entries = [entry(number, chars) for number, chars in enumerate(sizes)]
        for each in entries[:cut]:
            log.submit(each)
        first = await log.next_batch() if entries[:cut] else None
        for each in entries[cut:]:
            log.submit(each)
        log.close()
        batches = [*([first] if first else []), *await drain(log)]
        assert [batch.number for batch in batches] == list(range(8, 8 + len(batches)))
        taken = [each for batch in batches for each in batch.entries]
        assert taken == entries
        return taken

    assert len(asyncio.run(play())) == len(sizes)


async def test_a_command_whose_text_was_left_out_is_given_out() -> None:
    log = start()
    room = RoomTarget("room", "team", "team")
    log.submit(Entry(SetTopic(room)))
    log.submit(Entry(SetTopic(room, Topic("plans"))))
    log.close()
    assert [len(batch.entries) for batch in await drain(log)] == [2]


async def test_after_the_close_what_waits_is_given_out_and_nothing_more_taken() -> None:
    log = start()
    log.submit(entry(1))
    log.close()
    log.submit(entry(2))
    (batch,) = await drain(log)
    assert [each.user_id for each in batch.entries] == [1]
    assert await log.next_batch() is None


async def test_the_close_wakes_who_waits() -> None:
    log = start()
    waiting = asyncio.ensure_future(log.next_batch())
    await asyncio.sleep(0)
    log.close()
    assert await waiting is None


async def test_a_batch_that_is_amended_keeps_its_place() -> None:
    log = start()
    for number in range(3):
        log.submit(entry(number))
    first = await log.next_batch()
    assert first is not None
    amended = log.amend(first, first.entries[1:])
    assert amended is not None
    assert (amended.number, [each.user_id for each in amended.entries]) == (8, [1, 2])
    log.submit(entry(9))
    after = await log.next_batch()
    assert after is not None and after.number == 9


async def test_the_number_of_a_batch_that_is_taken_back_is_the_next_ones() -> None:
    log = start()
    log.submit(entry(1))
    first = await log.next_batch()
    assert first is not None and log.amend(first, []) is not None
    log.submit(entry(2))
    after = await log.next_batch()
    assert after is not None and (after.number, after.entries) == (8, [entry(2)])
