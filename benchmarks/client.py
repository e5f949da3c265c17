"""The full-screen client: how soon it shows a key, and its first screen, while messages come in.

A real server with STORED messages in main, somebody who writes RATE a second, and the client in a pseudo terminal. Each
key is a character that nobody else writes; it counts as shown when it comes out of the terminal.

    python benchmarks/client.py [--stored 10000] [--rate 200] [--keys 300] [--columns 200] [--rows 60]
"""

import argparse
import asyncio
import fcntl
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat_client import Chat, connect

KEY_FIRST, KEYS_DIFFERENT, KEYS_A_LINE = 0x1E00, 250, 30
PAUSE_SECONDS = 0.06  # between two keys: who types fast
SHOWN_SECONDS_MAX = 10.0


@contextmanager
def running(data: str) -> Iterator[int]:
    """A server; its port."""
    options = ["--port", "0", "--data", data, "--command-rate", "off", "--main-rate-limit", "off"]
    command = [sys.executable, "-m", "chat_server", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline().strip())
        assert found
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()


async def drain(chat: Chat) -> None:
    async for _ in chat:
        pass


class Screen:
    """The client's side of the pseudo terminal."""

    def __init__(self, port: int, home: str, columns: int, rows: int) -> None:
        self.began = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home, TERM="xterm-256color")
            client = [sys.executable, "-m", "chat_client", "--server", f"localhost:{port}", "--user", "typist"]
            os.execv(sys.executable, client)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.terminal, False)
        self._out = bytearray()
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.terminal, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.terminal)
            return
        if b"\x1b[6n" in data:  # where is the cursor?
            os.write(self.terminal, b"\x1b[1;1R")
        self._out += data
        self._changed.set()

    async def shows(self, wanted: bytes) -> None:
        async with asyncio.timeout(SHOWN_SECONDS_MAX):
            while wanted not in self._out:
                self._changed.clear()
                await self._changed.wait()

    async def key(self, char: str) -> float:
        """Seconds until it is shown."""
        self._out.clear()
        began = time.perf_counter()
        os.write(self.terminal, char.encode())
        await self.shows(char.encode())
        return time.perf_counter() - began

    def write(self, data: bytes) -> None:
        os.write(self.terminal, data)

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.terminal)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


async def fill(chat: Chat, count: int) -> None:
    for number in range(count):
        chat.post("send", target="main", text=f"stored message {number} with some words in it, as people write them")
        if len(chat.outgoing) >= 100:
            await chat.settled(chat.outgoing[-1].key)
    if chat.outgoing:
        await chat.settled(chat.outgoing[-1].key)


async def write(chat: Chat, rate: int) -> None:
    """So many messages a second, evenly."""
    began, number = time.perf_counter(), 0
    while True:
        number += 1
        chat.post(
            "send", target="main", text=f"live message {number}: ping @typist, lunch at https://example.org/{number}?"
        )
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))


async def measure(options: argparse.Namespace, port: int, home: str) -> None:
    async with connect(f"localhost:{port}", user="writer") as chat:
        reading = asyncio.create_task(drain(chat))
        await fill(chat, options.stored)
        screen = Screen(port, home, options.columns, options.rows)
        await screen.shows(b"stored message")
        print(f"first screen, from the start of the program: {(time.perf_counter() - screen.began) * 1000:.0f} ms")
        writing = asyncio.create_task(write(chat, options.rate)) if options.rate else None
        await asyncio.sleep(2)
        before, times = screen.resident_mb(), []
        for number in range(options.keys):
            times.append(await screen.key(chr(KEY_FIRST + number % KEYS_DIFFERENT)))
            if number % KEYS_A_LINE == KEYS_A_LINE - 1:
                screen.write(b"\x15")
            await asyncio.sleep(PAUSE_SECONDS)
        times.sort()
        middle, late = statistics.median(times), times[int(len(times) * 0.99)]
        print(f"a key shows, {options.rate} messages a second coming in: median {middle * 1000:.1f} ms,"
              f" p99 {late * 1000:.1f} ms, max {times[-1] * 1000:.1f} ms")  # fmt: skip
        print(f"resident: {before:.0f} MB before, {screen.resident_mb():.0f} MB after")
        screen.write(b"\x15\x04")
        for task in (writing, reading):
            if task is not None:
                task.cancel()
        screen.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, default in (("stored", 10_000), ("rate", 200), ("keys", 300), ("columns", 200), ("rows", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(f"{folder}/data") as port:
        asyncio.run(measure(options, port, folder))


if __name__ == "__main__":
    main()
