"""What the keys do with a list is in test_bindings."""

import asyncio
import threading
from functools import cache

import pytest
from prompt_toolkit.buffer import Buffer

from chat_client.common.completion import Known
from chat_client.common.line_editing import Candidates
from chat_client.tui.terminal import candidate_list
from chat_client.tui.terminal.candidate_list import complete, load_emojis


@pytest.fixture
def line() -> Buffer:
    return Buffer(completer=Candidates(lambda: Known(users=("thea", "theo"))))


async def test_a_thread_reads_the_emojis_once(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    read = asyncio.Event()
    loop = asyncio.get_running_loop()

    def reading() -> None:
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(read.set)

    monkeypatch.setattr(candidate_list, "emojis", emojis := cache(reading))
    load_emojis()
    await read.wait()
    while not emojis.cache_info().currsize:
        await asyncio.sleep(0)
    load_emojis()
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_nothing_to_complete_lists_nothing(line: Buffer) -> None:
    line.text = "xyz"
    line.cursor_position = 3
    complete(line)
    assert (line.text, line.complete_state) == ("xyz", None)
