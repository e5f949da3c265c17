"""Histories of a small chat: batches of all kinds of commands, and executors that begin alike and are given them."""

import shutil
import tempfile
from functools import cache as cache_of_functions
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from chat_server.log.entries import MACHINE, Accept, CloseAccount, Configure, Enter, Entry, MarkSeen
from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.protocol.people import Report
from chat_server.protocol.rooms import Join
from chat_server.rules import Executor
from chat_server.rules.registry import RULES
from chat_server.store.database import FILE, NoRoom, open_writer
from tests.unit.chat import LIMITS, batch, failing_commits

NOW = (1_795_266_000_000, 1_795_266_000_000)
NAMES = ("anna", "ben", "cora", "dirk")
LINES = (
    "/send {} hi", "/send {} hi", "/send {} again", "/send #team hi", "/send #team hi", "/send_all hi @{}",
    "/block {}", "/unblock {}", "/create_chat #team", "/invite #team {}", "/join #team", "/leave #team",
    "/remove #team {}", "/give #team {}", "/topic #team what it is about", "/away out", "/ban {} 1h", "/unban {}",
    "/report {}", "/delete_account", "/sign_in {}", "/slow_mode #team 30s", "/slow_mode #team off",
    "/read {} 5", "/seen", "/seen", "/seen",
)  # fmt: skip
# What somebody says of or to somebody.
said = st.tuples(st.integers(1, 4), st.sampled_from(LINES), st.sampled_from(NAMES))
histories = st.lists(st.tuples(st.lists(said, min_size=1, max_size=8), st.booleans()), min_size=4, max_size=10)


def entry(user_id: int, line: str, name: str) -> Entry:
    if line.startswith("/delete"):
        return Entry(CloseAccount(0), user_id)
    if line == "/seen":
        # Some see more than others, and some came back with a position.
        seq, shown_from = {"anna": (1000, 0), "ben": (12, 0), "cora": (1000, 12), "dirk": (20, 0)}[name]
        return Entry(MarkSeen(seq, shown_from), user_id)
    if line.startswith("/sign_in"):
        return Entry(Enter(check(name + "2"), 0, None, False, None))
    command: Any = parse(line.format(name), text_chars_max=100).command
    if isinstance(command, Join):
        assert command.chat.room is not None
        return Entry(Accept(command.chat.room), user_id)
    return Entry(command, MACHINE if "ban" in line else user_id)


def faulty_report(context: Any, command: Report) -> None:
    """Do what changes and fills the cache, then fail."""
    for line in ("/send {} x", "/send #team x", "/block {}", "/leave #team", "/delete_account"):
        each: Any = entry(context.user_id, line, command.username.name).command
        try:
            RULES[type(each)](context, each)
        except Exception:
            continue
    raise ZeroDivisionError


@cache_of_functions
def begun() -> tempfile.TemporaryDirectory[str]:
    """Return a chat to copy, in which all know each other."""
    made = tempfile.TemporaryDirectory()
    twin = Twin(Path(made.name))
    twin.execute([Entry(Configure(LIMITS)), *(Entry(Enter(check(name), 0, None, False, None)) for name in NAMES)])
    twin.execute([entry(1, "/create_chat #team", "")])
    for user_id in (2, 3, 4):
        twin.execute([entry(1, "/invite #team {}", NAMES[user_id - 1]), entry(user_id, "/join #team", "")])
    twin.executor.close()
    return made


def copied(to: str) -> "Twin":
    shutil.copy(Path(begun().name) / FILE, to)
    return Twin(Path(to))


class Twin:
    """An executor with the batches that it is given."""

    def __init__(self, path: Path) -> None:
        self.executor = Executor(open_writer(path))
        self.executor._db.run("PRAGMA synchronous = OFF")
        self.number = self.executor.state.position.sequence

    def execute(self, entries: list[Entry]) -> list[str]:
        outcomes = self.executor.execute(batch(self.number + 1, NOW, entries)).outcomes
        self.number += 1
        return [repr((each.result, each.pushes, each.seq, each.membership_changes)) for each in outcomes]

    def undo(self, entries: list[Entry]) -> None:
        with pytest.raises(NoRoom), failing_commits(self.executor):
            self.executor.execute(batch(self.number + 1, NOW, entries))
