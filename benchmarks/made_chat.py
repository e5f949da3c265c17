"""A large chat, made at once: what is measured of databases of any size.

The words are those of a made-up language with Zipf's frequencies; `every` is in each message, `even` and `odd` in every
second one. One message in ten is between two people, all others are in main. Its users are u1, u2 and so on.
"""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.programs import chat_server
from chat_server.protocol.names import check
from chat_server.store import accounts, chats
from chat_server.store.chats import MAIN
from chat_server.store.database import open_writer
from chat_server.store.local import Local

WORDS = 30_000
SYLLABLES = ["ba", "ko", "mi", "te", "ru", "sa", "lo", "ne", "vi", "da", "he", "pu", "ga", "wor", "st", "an"]
# The server keeps what was made: nothing counts as read by all.
OPTIONS = ("--message-ttl", "off")


def vocabulary() -> list[str]:
    """The words, the most frequent ones first, which are short."""
    rng = random.Random(0)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 5)))] = None
    return sorted(found, key=len)


def make(directory: Path, messages: int, users: int = 2000, direct_chats: int = 2000) -> None:
    """Fill an empty directory. The server opens it as a chat of its own."""
    with chat_server(str(directory), *OPTIONS):
        pass
    rng = random.Random(1)
    db = open_writer(directory)
    with db.connection:
        for number in range(1, users + 1):
            chats.insert_member(db, accounts.insert(db, check(f"u{number}"), None, 0, 0), MAIN, 0, 0)
        accounts.insert(db, check("silent"), None, 0, 0)
        direct: dict[tuple[int, int], int] = {}
        while len(direct) < min(direct_chats, users * (users - 1) // 4):
            one = rng.randint(1, users - 1)
            pair = one, rng.randint(one + 1, users)
            if pair not in direct:
                direct[pair] = chats.insert_direct(db, *pair, 0)
        first = db.value("SELECT seq FROM state") + 1
        db.connection.executemany(
            "INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text) VALUES (?1, ?1, ?2, ?3, ?1, ?4)",
            _rows(range(first, first + messages), users, [(chat, *pair) for pair, chat in direct.items()]),
        )
        db.run("UPDATE state SET seq = ?", (first + messages - 1,))
        # Nobody is shown all of it at a sign-in.
        db.run("UPDATE members SET read_id = ?", (first + messages - 1,))
    db.close()
    local = Local(directory)
    while local.step() is not None:
        pass
    local.close()


def _rows(ids: range, users: int, direct: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, str]]:
    rng, words = random.Random(2), vocabulary()
    frequencies = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    for number in ids:
        text = rng.choices(words, cum_weights=frequencies, k=rng.randint(4, 14))
        text += ["odd" if number % 2 else "even", "every"]
        if direct and number % 10 == 0:
            chat_id, *pair = rng.choice(direct)
            yield number, chat_id, rng.choice(pair), " ".join(text)
        else:
            yield number, MAIN, rng.randint(1, users), " ".join(text)
