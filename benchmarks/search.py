"""How long reading takes in a large chat: searches, pages of history, and the start of the server.

    python -m benchmarks.search [--messages 1000000] [--rounds 200] [--data DIRECTORY] [--write docs/performance.md]

The chat is made once in DIRECTORY. A search and a page are what a reader's thread does for one command, in
milliseconds.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

import apsw

from benchmarks.made_chat import OPTIONS, make, vocabulary
from benchmarks.programs import chat_server
from benchmarks.report import as_table, write
from chat_server.protocol.parse import parse
from chat_server.protocol.times import Now
from chat_server.rules import read
from chat_server.rules.context import View
from chat_server.store.database import Database, open_reader
from tests.unit.chat import LIMITS

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


def ask(db: Database, user_id: int, line: str) -> float:
    """Seconds."""
    command = parse(line, text_chars_max=4096).command
    db.run("BEGIN")
    started = time.perf_counter()
    view = View(db, user_id, Now(0, 0), LIMITS, {}, clock=time.perf_counter)
    for _ in read(view, command):
        pass
    took = time.perf_counter() - started
    db.run("END")
    return took


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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--data", type=Path, default=Path("/tmp/chat-search-benchmark"))
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    chosen = options.parse_args()
    words = vocabulary()
    if not (chosen.data / "chat.db").exists():
        chosen.data.mkdir(parents=True, exist_ok=True)
        make(chosen.data, chosen.messages, USERS)
    starts = [start_seconds(chosen.data) for _ in range(5)]
    print(f"SQLite {apsw.sqlite_lib_version()}, {chosen.messages:,} messages, {chosen.rounds} rounds; milliseconds")
    rows = [_row("the start of the server", [1000 * each for each in starts])]
    db, rng = open_reader(chosen.data, local=True), random.Random(3)
    for kind, line in KINDS.items():
        times = []
        for _ in range(chosen.rounds):
            user, message = rng.randint(1, USERS - 5), rng.randint(200, chosen.messages)
            said = db.value("SELECT text FROM messages WHERE id = ?", (message,)).split()
            fields = {
                "rare": rng.choice(words[5000:]),
                "common": rng.choice(words[:50]),
                "pair": " ".join(said[:2]),
                "start": max(said, key=len)[: rng.randint(4, 6)],
                "user": rng.randint(1, USERS),
                "other": user + 1,
                "id": message,
            }
            times.append(1000 * ask(db, user, line.format(**fields)))
        rows.append(_row(kind, times))
    if chosen.write:
        write(chosen.write, as_table(["milliseconds", "median", "p99", "longest"], rows), rounds=chosen.rounds)


if __name__ == "__main__":
    main()
