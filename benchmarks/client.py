"""The full-screen client: how soon it shows a key, and its first screen, while messages come in; and its memory.

A real server with STORED messages in main, somebody who writes RATE a second, and the client in a pseudo terminal. Each
key is a character that nobody else writes; it counts as shown when it comes out of the terminal. The first screen
counts from the start of the program, beside what it takes to import prompt_toolkit alone. Between the keys, a program
that does nothing but write back what it reads gets one too: how long that takes is what the machine itself costs just
then. With --day so many messages go through the client, as fast as it takes them, and what it holds is told on the way.

    python -m benchmarks.client [--stored 10000] [--rate 200] [--keys 300] [--columns 200] [--rows 60] [--day 0]
                                [--write docs/performance.md]
"""

import argparse
import asyncio
import fcntl
import os
import pty
import random
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

from benchmarks.programs import OUR_SERVER
from benchmarks.report import as_table, write
from chat_client import Chat, connect

KEY_FIRST, KEYS_DIFFERENT, KEYS_A_LINE = 0x1E00, 250, 30
STARTS = 9
PAUSE_SECONDS = 0.06  # between two keys: who types fast
SHOWN_SECONDS_MAX = 10.0
DAY_SHOWN_SECONDS_MAX = 600.0
TYPIST = "typist"
# As every terminal does: where is the cursor, what are you?
ANSWERS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62c"}
ECHO = "import os, tty\ntty.setraw(0)\nwhile True: os.write(1, os.read(0, 1024))"
WORDS = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text().split()


@contextmanager
def running(data: str) -> Iterator[int]:
    """A server; its port."""
    options = ["--port", "0", "--data", data, "--command-rate", "off", "--main-rate-limit", "off"]
    command = [*OUR_SERVER, *options]
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
    """A Python program (its arguments) in a pseudo terminal, seen from outside."""

    def __init__(self, arguments: list[str], home: str, columns: int, rows: int) -> None:
        self.began = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home, TERM="xterm-256color")
            os.execv(sys.executable, [sys.executable, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.terminal, False)
        os.set_inheritable(self.terminal, False)  # so that closing it hangs up
        self._out = bytearray()
        self._changed, self._ended = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().add_reader(self.terminal, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.terminal)
            self._ended.set()
            return
        for asked, answer in ANSWERS.items():
            if asked in data:
                os.write(self.terminal, answer)
        self._out += data
        self._changed.set()

    async def shows(self, wanted: bytes, seconds: float = SHOWN_SECONDS_MAX) -> None:
        async with asyncio.timeout(seconds):
            while wanted not in self._out:
                del self._out[: -len(wanted)]
                self._changed.clear()
                await self._changed.wait()

    async def ends(self) -> None:
        async with asyncio.timeout(SHOWN_SECONDS_MAX):
            await self._ended.wait()

    async def key(self, char: str) -> float:
        """Seconds until it is shown."""
        self._out.clear()
        began = time.perf_counter()
        os.write(self.terminal, char.encode())
        await self.shows(char.encode())
        return time.perf_counter() - began

    def write(self, data: bytes) -> None:
        os.write(self.terminal, data)

    def cpu_seconds(self) -> float:
        """That the client has used since its start."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.terminal)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def said(number: int) -> str:
    """Lines of different lengths, as people write them; some have a link, some call."""
    chance = random.Random(number)
    words = [chance.choice(WORDS) for _ in range(chance.randint(3, 25))]
    extra = {0: "@typist", 1: "https://example.org/page"}.get(number % 10, "")
    return " ".join((f"line {number}:", *words, extra))


async def fill(chat: Chat, count: int) -> None:
    for number in range(count):
        chat.post("send", target="main", text=said(number))
        if len(chat.outgoing) >= 100:
            await chat.wait_until_settled(chat.outgoing[-1].key)
    if chat.outgoing:
        await chat.wait_until_settled(chat.outgoing[-1].key)


async def write_at(chat: Chat, rate: int) -> None:
    """So many messages a second, evenly."""
    began, number = time.perf_counter(), 0
    while True:
        number += 1
        chat.post("send", target="main", text=said(number))
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))


async def first_screen_seconds(port: int, home: str, options: argparse.Namespace) -> float:
    """From the start of the program until a message shows."""
    screen = Screen(client(port), home, options.columns, options.rows)
    await screen.shows(b"line ")
    took = time.perf_counter() - screen.began
    screen.write(b"\x04")
    screen.close()
    return took


async def import_seconds(home: str, options: argparse.Namespace) -> float:
    """What a program takes that only imports prompt_toolkit, with its end; it is started as the client is."""
    screen = Screen(["-c", "import prompt_toolkit"], home, options.columns, options.rows)
    await screen.ends()
    took = time.perf_counter() - screen.began
    screen.close()
    return took


async def starts(port: int, home: str, options: argparse.Namespace) -> list[list[str]]:
    """Both in turn; the first start makes what later ones find."""
    await first_screen_seconds(port, home, options)
    pairs = [
        (await first_screen_seconds(port, home, options), await import_seconds(home, options)) for _ in range(STARTS)
    ]
    first, imports = map(list, zip(*pairs, strict=True))
    ratio = statistics.median(screen / importing for screen, importing in pairs)
    return [["the first screen", *told(first)], [f"import prompt_toolkit ({ratio:.2f} times as long)", *told(imports)]]


async def keys(screen: Screen, echo: Screen, options: argparse.Namespace) -> list[list[str]]:
    times, floor = [], []
    before, cpu, began = screen.resident_mb(), screen.cpu_seconds(), time.perf_counter()
    for number in range(options.keys):
        char = chr(KEY_FIRST + number % KEYS_DIFFERENT)
        times.append(await screen.key(char))
        await asyncio.sleep(PAUSE_SECONDS / 2)
        floor.append(await echo.key(char))
        if number % KEYS_A_LINE == KEYS_A_LINE - 1:
            screen.write(b"\x15")
        await asyncio.sleep(PAUSE_SECONDS / 2)
    cpu, wall = screen.cpu_seconds() - cpu, time.perf_counter() - began
    print(f"{cpu / wall:.0%} of a core; resident: {before:.0f} MB before, {screen.resident_mb():.0f} MB after")
    return [
        [f"a key, {options.rate} messages a second coming in", *told(times)],
        ["a key that is only written back", *told(floor)],
    ]


def told(times: list[float]) -> list[str]:
    """The median, the p99 and the longest, in milliseconds."""
    times.sort()
    return [f"{1000 * each:.1f}" for each in (statistics.median(times), times[int(len(times) * 0.99)], times[-1])]


async def day(screen: Screen, chat: Chat, count: int) -> None:
    """So many messages, in ten parts; after each the client has shown the last one of them."""
    for part in range(10):
        await fill(chat, count // 10)
        mark = f"<{part}>"
        await chat.send("main", mark)
        await screen.shows(mark.encode(), DAY_SHOWN_SECONDS_MAX)
        print(f"resident after {count // 10 * (part + 1):,} messages: {screen.resident_mb():.1f} MB", flush=True)


def client(port: int) -> list[str]:
    return ["-P", "-m", "chat_client", "--server", f"localhost:{port}", "--user", TYPIST]


async def measure(options: argparse.Namespace, port: int, home: str) -> list[list[str]]:
    async with connect(f"localhost:{port}", user="writer") as chat:
        reading = asyncio.create_task(drain(chat))
        await fill(chat, options.stored)
        rows = await starts(port, home, options)
        screen = Screen(client(port), home, options.columns, options.rows)
        echo = Screen(["-c", ECHO], home, options.columns, options.rows)
        await screen.shows(b"line ")
        if options.day:
            await day(screen, chat, options.day)
        writing = asyncio.create_task(write_at(chat, options.rate)) if options.rate else None
        await asyncio.sleep(2)
        rows += await keys(screen, echo, options)
        screen.write(b"\x15\x04")
        for task in (writing, reading):
            if task is not None:
                task.cancel()
        screen.close()
        echo.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, default in (("stored", 10_000), ("rate", 200), ("keys", 300), ("columns", 200), ("rows", 60), ("day", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(f"{folder}/data") as port:
        rows = asyncio.run(measure(options, port, folder))
    table = as_table([f"milliseconds, at {options.columns}x{options.rows}", "median", "p99", "longest"], rows)
    print(table)
    if options.write:
        write(options.write, table, rounds=STARTS)


if __name__ == "__main__":
    main()
