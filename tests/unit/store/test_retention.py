"""The cost of retention: no query looks at all that is stored."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_server.store import messages, retention, search, state
from chat_server.store.chats import MAIN
from chat_server.store.retention import ReadRange
from tests.unit.chat import Chat
from tests.unit.fakes import DAY_MS, HOUR_MS

# Plans that look at a bounded number of rows: the first of an index, the one row, a given list.
FREE = (
    "SCAN state",
    "SCAN erasures",  # as many as accounts are just being removed
    "USING COVERING INDEX chats_ended",
    "CONSTANT ROW",
    "json_each",
    "(subquery",
)


def plans(chat: Chat, action: Callable[[], object]) -> list[str]:
    """Return SQLite's plans of all statements that an action runs."""
    db: Any = chat.executor._db
    run = db.run
    done: list[tuple[str, Any]] = []

    def noted(sql: str, bindings: Any = ()) -> Any:
        done.append((sql, bindings))
        return run(sql, bindings)

    db.run = noted
    try:
        action()
    finally:
        db.run = run
    changing = [(sql, bindings) for sql, bindings in done if sql not in ("BEGIN IMMEDIATE", "COMMIT")]
    return [str(row[3]) for sql, bindings in changing for row in run(f"EXPLAIN QUERY PLAN {sql}", bindings).fetchall()]


def test_every_query_uses_an_index(tmp_path: Path) -> None:
    chat = Chat(tmp_path / "plans")
    chat.sign_in("alice", "bob")
    chat.say("alice", "/send_all one")
    chat.clock.advance(1000)
    chat.due()
    db, each = chat.executor._db, ReadRange(1, MAIN, 0, 0, 5)
    for action in (
        lambda: retention.insert(db, each),
        lambda: retention.find_ranges(db, 1, 5),
        lambda: retention.find_messages(db, each, 5),
        lambda: retention.shorten(db, each, 2),
        lambda: retention.delete(db, each),
        lambda: retention.find_unshared_messages(db, 1, 5),
        lambda: retention.lowest_markers(db, MAIN),
        lambda: retention.find_unmoved_markers(db, 1, 5),
        lambda: retention.unread_since_ms(db, 1, MAIN, 0, 1),
        lambda: retention.set_present(db, 1, 1),
        lambda: messages.remove(db, [1, 2]),
        lambda: state.look_ahead(db, 1, 1),
        lambda: chat.say("alice", "/send_all hi"),
    ):
        for step in plans(chat, action):
            assert not step.startswith("SCAN") or any(free in step for free in FREE), step
    chat.close()


def steps(chat: Chat, action: Callable[[], object]) -> int:
    """Return how many steps SQLite takes for an action."""
    counter = itertools.count()

    def count() -> bool:
        next(counter)
        return False

    connection = chat.executor._db.connection
    connection.set_progress_handler(count, 1)
    try:
        action()
    finally:
        connection.set_progress_handler(None)
    return next(counter)


def fill(path: Path, count: int) -> Chat:
    """Return a chat with `count` messages that alice has not read, and some that all have."""
    chat = Chat(path, message_ttl_ms=HOUR_MS, absent_after_ms=30 * DAY_MS)
    chat.sign_in("alice", "bob", "carol")
    chat.batch(*(chat.entry("bob", f"/send_all {number}") for number in range(50)))
    for name in ("alice", "carol"):
        chat.say(name, "/read main 50")
    chat.batch(*(chat.entry("bob", f"/send_all {number}") for number in range(count)))
    chat.say("carol", f"/read main {50 + count // 2}")
    while chat.local.step() is not None:
        pass
    return chat


@pytest.mark.parametrize("what", ["send", "move", "expire"])
def test_the_cost_does_not_grow_with_the_database(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the block of the index that lost words is rewritten, so both chats have several blocks.
    monkeypatch.setattr(search, "BLOCK_IDS", 128)
    costs = []
    for count in (100, 6000):
        chat = fill(tmp_path / f"{what}{count}", count)
        if what == "send":
            costs.append(steps(chat, lambda chat=chat: chat.say("bob", "/send_all more")))  # type: ignore[misc]
        elif what == "move":
            costs.append(steps(chat, lambda chat=chat: chat.say("carol", "/read main 99999")))  # type: ignore[misc]
        else:
            chat.clock.advance(HOUR_MS)
            costs.append(steps(chat, chat.due))
            assert chat.db.value("SELECT count(*) FROM messages") == count
        chat.close()
    # There are sixty times as many messages. The search index is a tree, and a little deeper then.
    assert costs[1] <= costs[0] * 1.5, costs
