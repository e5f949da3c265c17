"""Processes beside a node that do not do what they were begun for."""

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from chat_server.admin.processes import READY, NodeProcesses, ReadingProcess
from chat_server.cluster.side_processes import ReadingFailed
from chat_server.runtime import SystemRuntime
from chat_server.settings import load

ENDS = "import sys; sys.stdout.write({said!r}); sys.stderr.write({why!r}); sys.exit(3)"


@pytest.mark.parametrize(
    ("said", "why", "told"),
    [
        ('{"position":[1,', "", "its process ended with status 3"),
        ("", "", "its process ended with status 3"),
        ("", "chat-server: the database is damaged\n", "the database is damaged"),
    ],
)
async def test_one_that_ends_before_it_has_answered_has_failed(said: str, why: str, told: str) -> None:
    program = ENDS.format(said=said, why=why)
    process = await create_subprocess_exec(sys.executable, "-c", program, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    reading = ReadingProcess(NodeProcesses(load([], {}), Path()), process)
    with pytest.raises(ReadingFailed, match=f"^{told}$"):
        await reading.digests()
    reading.close()
    await process.wait()  # what is left of it would belong to a loop that is closed


def test_one_that_was_killed_before_it_is_told_to_open_has_failed() -> None:
    """The loop is the server's own: there a write to a process that has ended is an error, which would end the node."""

    async def main() -> None:
        program = "print('ready', flush=True); input()"
        process = await create_subprocess_exec(sys.executable, "-c", program, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        reading = ReadingProcess(NodeProcesses(load([], {}), Path()), process)
        await reading.expect(READY)
        process.kill()
        await process.wait()
        with pytest.raises(ReadingFailed, match=r"^its process ended with status -9$"):
            await reading.open()
        reading.close()

    SystemRuntime().run(main())
