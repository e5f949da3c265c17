import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chat_server.chat_time import LocalTime
from chat_server.log import Log
from chat_server.log.entries import ENTRIES_MAX, TEXT_CHARS_MAX, Batch, Due, Entry, Identity, OrderedBatch
from chat_server.log.local import LOOKS_MAX, LocalLog
from chat_server.log.stream import Position
from chat_server.protocol.arguments import RoomTarget, Text, Topic
from chat_server.protocol.messages import SendAll
from chat_server.protocol.rooms import SetTopic
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import NOON_MS, FakeClock


def entry(number: int, chars: int = 1) -> Entry:
    return Entry(SendAll(Text("x" * chars)), number)


def start(clock: FakeClock | None = None) -> LocalLog:
    time = LocalTime(clock or FakeClock(), at_ms=NOON_MS, elapsed_ms=NOON_MS)
    return LocalLog(FakeRuntime(), time, Identity("n1", 2), history="h1", position=Position(0, 7))


async def drain(log: Log) -> list[Batch]:
    """All batches up to the end of a log that is closed."""
    batches = []
    while (ordered := await log.next_batch()) is not None:
        batches.append(ordered.batch)
    return batches


async def take(log: Log) -> OrderedBatch:
    ordered = await log.next_batch()
    assert ordered is not None
    return ordered


async def test_a_batch_takes_all_that_waits_in_order() -> None:
    log = start()
    for number in range(100):
        log.submit(entry(number))
    ordered = await take(log)
    batch = ordered.batch
    assert [each.user_id for each in batch.entries] == list(range(100))
    assert (ordered.position, ordered.at_ms, ordered.elapsed_ms) == ((0, 8), NOON_MS, NOON_MS)
    assert (batch.number, batch.sent_ms) == (1, NOON_MS)
    assert (batch.history, batch.node, batch.incarnation) == ("h1", "n1", 2)


async def test_a_batch_waits_for_its_first_entry() -> None:
    log = start()
    waiting = asyncio.ensure_future(log.next_batch())
    await asyncio.sleep(0)
    assert not waiting.done()
    log.submit(Entry(Due()))
    ordered = await waiting
    assert ordered is not None and ordered.batch.entries == [Entry(Due())]


async def test_a_batch_takes_what_still_comes_while_it_is_looked_for() -> None:
    log = start()

    async def come(count: int) -> None:
        for number in range(count):
            log.submit(entry(number))
            await asyncio.sleep(0)

    for count, taken in ((4, 4), (100, LOOKS_MAX + 1)):
        coming = asyncio.ensure_future(come(count))
        assert len((await take(log)).batch.entries) == taken
        coming.cancel()


async def test_a_log_that_is_abandoned_while_it_is_looked_at_gives_no_batch() -> None:
    for looks in range(4):
        log = start()
        log.submit(entry(1))
        taking = asyncio.ensure_future(log.next_batch())
        for _ in range(looks):
            await asyncio.sleep(0)
        is_late = taking.done()
        log.close(abandon=True)
        assert is_late or await taking is None


async def test_a_batch_has_the_times_of_its_taking() -> None:
    clock = FakeClock()
    log = start(clock)
    times = []
    for passes, step in ((5, 0), (3, -10_000_000), (0, 10_000_000), (1000, 0)):
        log.submit(entry(1))
        clock.advance(passes)
        clock.step(step)
        ordered = await take(log)
        assert ordered.elapsed_ms is not None
        times.append((ordered.at_ms - NOON_MS, ordered.elapsed_ms - NOON_MS))
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
        first = (await take(log)).batch if entries[:cut] else None
        for each in entries[cut:]:
            log.submit(each)
        log.close()
        batches = [*([first] if first else []), *await drain(log)]
        assert [batch.number for batch in batches] == list(range(1, 1 + len(batches)))
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
    first = await take(log)
    amended = log.amend(first, first.batch.entries[1:])
    assert amended is not None and amended.position == first.position
    assert (amended.batch.number, [each.user_id for each in amended.batch.entries]) == (1, [1, 2])
    log.submit(entry(9))
    after = await take(log)
    assert (after.batch.number, after.position) == (2, (0, 9))


async def test_the_number_of_a_batch_that_is_taken_back_is_the_next_ones() -> None:
    log = start()
    log.submit(entry(1))
    first = await take(log)
    assert log.amend(first, []) is not None
    log.submit(entry(2))
    after = await take(log)
    assert (after.batch.number, after.position, after.batch.entries) == (1, first.position, [entry(2)])
