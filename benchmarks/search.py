"""How long reading takes in a large chat: searches, pages of history, and the start of the server.

    python -m benchmarks.search [--messages 1000000] [--rounds 200] [--data DIRECTORY] [--write docs/performance.md]

The chat is made once in DIRECTORY, if it is not there. What is measured is what a user waits for, from the write of a
command to the read of its `ok`, while nobody else does anything: the server on one core, the user on another.
"""

import argparse
import os
import random
import re
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw

from benchmarks.made_chat import OPTIONS, make, vocabulary
from benchmarks.programs import LOAD_CORE, Program, chat_server
from benchmarks.report import as_table, machine, write
from chat_server.store.database import open_reader

READERS = 20
STARTS = 5
USERS = 2000
KINDS = {
    "a rare word": "/search {rare}",
    "a common word": "/search {common}",
    "a word of every message": "/search every",
    "two common words": "/search {common} {common}",
    "a phrase": '/search "{pair}"',
    "a beginning of 3 letters": "/search wor*",
    "a longer beginning": "/search {start}*",
    "from a user": "/search {common} from:u{user}",
    "from who wrote nothing": "/search every from:silent",
    "in a chat of two": "/search every in:@u{other}",
    "nothing found": "/search nosuchword",
    "two that never meet": "/search even odd",
    "a phrase that nobody says": '/search "odd every even"',
    "a page of 100 of main": "/history main before {id} limit 100",
    "the last page of main": "/history main",
}


class Reader:
    """A user of the made chat, signed in."""

    def __init__(self, program: Program, number: int) -> None:
        self.number = number
        self._connection = socket.create_connection(("127.0.0.1", program.port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""
        self.ask(f"/sign_in u{number}")
        self.ask("/presence off")

    def ask(self, line: str) -> float:
        """Seconds until the answer is there."""
        began = time.perf_counter()
        self._connection.sendall(f"{line}\n".encode())
        said = b""
        while not (ended := re.search(rb"(?m)^[+-] .*\n", said)):
            said += self._connection.recv(1 << 16)
        took = time.perf_counter() - began
        assert ended[0].startswith(b"+") or b"unknown_chat" in ended[0], f"{line}: {ended[0]!r}"
        return took

    def close(self) -> None:
        self._connection.close()


@contextmanager
def signed_in(program: Program, numbers: list[int]) -> Iterator[list[Reader]]:
    with ExitStack() as stack:
        readers = [Reader(program, number) for number in numbers]
        for reader in readers:
            stack.callback(reader.close)
        yield readers


def start_seconds(directory: Path) -> float:
    """From the command to the line that says where it listens."""
    began = time.perf_counter()
    with chat_server(str(directory), *OPTIONS):
        return time.perf_counter() - began


def _row(name: str, times: list[float]) -> list[str]:
    times.sort()
    p99 = times[max(0, int(len(times) * 0.99) - 1)]
    row = [name, f"{statistics.median(times):.1f}", f"{p99:.1f}", f"{times[-1]:.1f}"]
    print(" | ".join(row), flush=True)
    return row


def measure(data: Path, messages: int, rounds: int) -> list[list[str]]:
    starts = [start_seconds(data) for _ in range(STARTS)]
    rows = [_row("the start of the server", [1000 * each for each in starts])]
    db, rng, words = open_reader(data, local=True), random.Random(3), vocabulary()
    numbers = rng.sample(range(1, USERS - 5), READERS)
    with chat_server(str(data), *OPTIONS) as server, signed_in(server, numbers) as readers:
        for kind, line in KINDS.items():
            times = []
            for _ in range(rounds):
                reader, message = rng.choice(readers), rng.randint(200, messages)
                said = db.value("SELECT text FROM messages WHERE id = ?", (message,)).split()
                fields = {
                    "rare": rng.choice(words[5000:]),
                    "common": rng.choice(words[:50]),
                    "pair": " ".join(said[:2]),
                    "start": max(said, key=len)[: rng.randint(4, 6)],
                    "user": rng.randint(1, USERS),
                    "other": reader.number + 1,
                    "id": message,
                }
                times.append(1000 * reader.ask(line.format(**fields)))
            rows.append(_row(kind, times))
    db.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, help="where the chat is made, or stands already; a new one goes by default"
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    options = parser.parse_args()
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    print(f"{machine()}, SQLite {apsw.sqlite_lib_version()}, {options.messages:,} messages; milliseconds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder)
        if not (data / "chat.db").exists():
            data.mkdir(parents=True, exist_ok=True)
            make(data, options.messages, USERS)
        rows = measure(data, options.messages, options.rounds)
    if options.write:
        write(options.write, as_table(["milliseconds", "median", "p99", "longest"], rows), rounds=options.rounds)


if __name__ == "__main__":
    main()
