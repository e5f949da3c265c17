"""How long a search takes in a database of 1,000,000 messages: what the reader's thread does for one command.

The words are those of a made-up language with Zipf's frequencies; `every` is in each message, `even` and `odd` in every
second one. One message in ten is between two people, all others are in main. The database is made once (`--data`).
"""

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.protocol.times import Now
from chat_server.rules import read
from chat_server.rules.context import View
from chat_server.store import accounts, chats, search
from chat_server.store.chats import MAIN
from chat_server.store.database import Database, open_reader, open_writer
from tests.unit.chat import LIMITS

USERS, WORDS = 2000, 30_000
SYLLABLES = ["ba", "ko", "mi", "te", "ru", "sa", "lo", "ne", "vi", "da", "he", "pu", "ga", "wor", "st", "an"]
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
}


def words(rng: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 5)))] = None
    return sorted(found, key=len)  # what is said often is short


def rows(count: int, vocabulary: list[str], direct: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, str]]:
    rng = random.Random(2)
    frequencies = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    for number in range(1, count + 1):
        text = rng.choices(vocabulary, cum_weights=frequencies, k=rng.randint(4, 14))
        text += ["odd" if number % 2 else "even", "every"]
        chat_id, *pair = rng.choice(direct) if number % 10 == 0 else (MAIN, rng.randint(1, USERS))
        yield number, chat_id, rng.choice(pair), " ".join(text)


def make(directory: Path, count: int, vocabulary: list[str]) -> None:
    rng = random.Random(1)
    db = open_writer(directory)
    with db.connection:
        for number in range(1, USERS + 1):
            chats.insert_member(db, accounts.insert(db, check(f"u{number}"), None, 0, 0), MAIN, 0, 0)
        accounts.insert(db, check("silent"), None, 0, 0)
        direct = []
        for one in range(1, USERS):
            other = one + rng.randint(1, min(5, USERS - one))
            direct.append((chats.insert_direct(db, one, other, 0), one, other))
        db.connection.executemany(
            "INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text) VALUES (?1, ?1, ?2, ?3, ?1, ?4)",
            rows(count, vocabulary, direct),
        )
    position, started = 0, time.perf_counter()
    while position < count:
        with db.connection:
            position = search.index_step(db, position, count)
    took = time.perf_counter() - started
    print(f"indexed {count:,} messages in {took:.1f} s, {took / count * 1e6:.1f} us each")
    db.run("UPDATE state SET seq = ?1, indexed = ?1, history = 'x'", (count,))
    db.close()


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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path("/tmp/chat-search-benchmark"))
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=200)
    chosen = options.parse_args()
    vocabulary = words(random.Random(0))
    if not (chosen.data / "chat.db").exists():
        chosen.data.mkdir(parents=True, exist_ok=True)
        make(chosen.data, chosen.messages, vocabulary)
    db, rng = open_reader(chosen.data), random.Random(3)
    print(f"SQLite {apsw.sqlite_lib_version()}, {chosen.messages:,} messages, {chosen.rounds} rounds; milliseconds")
    for kind, line in KINDS.items():
        times = []
        for _ in range(chosen.rounds):
            user = rng.randint(1, USERS - 5)
            said = db.value("SELECT text FROM messages WHERE id = ?", (rng.randint(1, chosen.messages),)).split()
            fields = {
                "rare": rng.choice(vocabulary[5000:]),
                "common": rng.choice(vocabulary[:50]),
                "pair": " ".join(said[:2]),
                "start": max(said, key=len)[: rng.randint(4, 6)],
                "user": rng.randint(1, USERS),
                "other": user + 1,
            }
            times.append(1000 * ask(db, user, line.format(**fields)))
        times.sort()
        p99 = times[int(len(times) * 0.99) - 1]
        print(f"| {kind} | {statistics.median(times):.1f} | {p99:.1f} | {times[-1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
