"""`make cluster`, as somebody uses it who tries a cluster."""

import asyncio
import re
import signal
import sys
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS, Connection


async def test_what_is_typed_is_done_and_nothing_is_left() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.cluster", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None

    async def until(words: str) -> str:
        assert process.stdout is not None
        told = ""
        async with asyncio.timeout(3 * TIMEOUT_SECONDS):
            while words not in told:
                line = (await process.stdout.readline()).decode()
                assert line, told
                told += line
        return told

    async def type(line: str, words: str) -> str:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n".encode())
        return await until(words)

    try:
        told = await until("several may be named at once")
        ports = [int(port) for port in re.findall(r"nc localhost (\d+)", told)]
        (directory,) = map(Path, re.findall(r"\(.prom\): (.+)", told))
        await type("kill n1 s0", "s0 does not run")
        assert "n1 does not run" in await type("list", "n3 runs")
        person = await Connection.open(ports[1])
        assert (await person.line()).startswith("* chat-server")
        await person.close()
        await type("start s0", "s0 runs")
        await type("start n1", "n1 runs")
        await (await Connection.open(ports[0])).close()
        await type("pause n2", "n2 is paused")
        await type("start n2", "resume n2")
        await type("resume n2", "n2 runs")
        await type("pause s9", "there is no s9")
        await type("wipe", "wipe what?")
        await type("wipe n3", "n3 does not run")
        assert not (directory / "n3").exists() and (directory / "n2.prom").exists()
        await type("start n3", "n3 runs")
        assert "nonsense is none of these" in await type("nonsense n3", "several may be named at once")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), TIMEOUT_SECONDS) == 0
        assert not directory.exists()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
