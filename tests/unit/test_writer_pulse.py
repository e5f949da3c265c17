import asyncio
import os
import threading

from chat_server.runtime import SystemRuntime
from chat_server.writer_pulse import WriterPulse, disk_work, own_task

Looks = list[tuple[bool, str]]


async def test_a_writer_that_answers_is_alive_and_a_busy_one_while_it_moves_bytes_or_waits_for_the_disk() -> None:
    sent: list[asyncio.Future[str]] = []
    work: Looks = []

    def send() -> asyncio.Future[str]:
        sent.append(asyncio.get_running_loop().create_future())
        return sent[-1]

    def look(task: str) -> tuple[bool, str]:
        assert task == "/proc/1/task/2"
        return work.pop(0)

    pulse = WriterPulse(send, look)
    for _ in range(3):
        assert pulse.is_alive()
        sent[-1].set_result("/proc/1/task/2")
    assert pulse.is_alive()
    work += [(False, "wrote 1"), (False, "wrote 2"), (True, "wrote 2"), (False, "wrote 2"), (True, "wrote 2")]
    assert [pulse.is_alive() for _ in range(5)] == [True, True, True, False, True]
    sent[-1].set_result("/proc/1/task/2")
    assert pulse.is_alive()
    assert len(sent) == 5, "one at a time"


def test_a_thread_that_waits_for_what_will_not_come_is_told_from_one_that_writes() -> None:
    begun, over = threading.Event(), threading.Event()

    async def main() -> None:
        worker = runtime.worker("writer")
        pulse = WriterPulse(lambda: worker.run(own_task))
        assert pulse.is_alive()
        while not pulse._sent or not pulse._sent.done():
            await asyncio.sleep(0)
        stuck = worker.run(wait)
        begun.wait()
        assert pulse.is_alive()
        pulse.is_alive()
        assert not pulse.is_alive()
        over.set()
        await stuck
        while not pulse._sent.done():
            await asyncio.sleep(0)
        assert pulse.is_alive()
        worker.close()

    def wait() -> None:
        begun.set()
        over.wait()

    runtime = SystemRuntime()
    runtime.run(main())
    before = disk_work(own_task())
    os.write(wrote := os.open(os.devnull, os.O_WRONLY), b"x" * 1000)
    os.close(wrote)
    assert disk_work(own_task()) != before
    assert disk_work("/proc/none") == (False, "")
