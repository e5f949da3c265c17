from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.store import messages
from chat_server.store.chats import MAIN
from chat_server.store.messages import StoredMessage
from tests.unit.chat import Chat


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """600 messages of alice and bob, in main and between the two, some of them long."""
    path: Path = tmp_path_factory.mktemp("messages")
    chat = Chat(path)
    chat.sign_in("alice", "bob")
    entries = []
    for number in range(600):
        text = "x" * (4000 if number % 50 < 9 else 10)
        name, line = ("alice", "/send bob") if number % 3 == 0 else ("bob", "/send_all")
        entries.append(chat.entry(name, f"{line} {number} {text}"))
    chat.batch(*entries)
    yield chat
    chat.close()


@given(st.integers(1, 50), st.integers(0, 610), st.integers(0, 610), st.booleans())
def test_a_page_is_the_newest_or_the_oldest_between_two_ids(
    chat: Chat, limit: int, above: int, below: int, newest_first: bool
) -> None:
    main = [id_ for id_ in range(1, 601) if id_ % 3 != 1 and above < id_ < min(below, 601)]
    found = messages.load_page(
        chat.db, MAIN, "main", limit, above=above, below=min(below, 601), newest_first=newest_first
    )
    assert [message.id for message in found] == (main[-limit:] if newest_first else main[:limit])


@given(st.integers(0, 610), st.integers(0, 600))
def test_unread_messages_are_those_of_others_above_the_marker(chat: Chat, read: int, up_to: int) -> None:
    main = [id_ for id_ in range(1, 601) if id_ % 3 != 1 and id_ > read]
    assert messages.count_unread(chat.db, chat.ids["alice"], MAIN, read, up_to) == len([i for i in main if i <= up_to])
    assert messages.count_unread(chat.db, chat.ids["bob"], MAIN, read, up_to) == 0
    page = messages.load_unread_page(chat.db, chat.ids["alice"], MAIN, "main", min(read, 500), 20)
    assert [message.id for message in page] == [i for i in range(1, 601) if i % 3 != 1 and i > min(read, 500)][:20]


def test_the_newest_message_up_to_a_bound(chat: Chat) -> None:
    assert messages.newest_id(chat.db, MAIN, 600) == 600
    assert messages.newest_id(chat.db, MAIN, 598) == 597
    assert messages.newest_id(chat.db, MAIN, 0) == messages.newest_id(chat.db, 99) == 0


# ---- what changes


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Chat]:
    """Messages 1 to 5 of alice, in main; 3 comments on 1, 5 on 3."""
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob", "carol")
    for line in ("/send_all 1", "/send_all 2", "/reply 1 3", "/send_all 4", "/reply 3 5"):
        chat.say("alice", line)
    yield chat
    chat.close()


def test_a_message_counts_its_reactions(few: Chat) -> None:
    for name, line in (
        ("bob", "/react 1 +1"),
        ("alice", "/react 1 +1"),
        ("alice", "/react 1 +2"),
        ("bob", "/react 2 x"),
    ):
        few.say(name, line.replace("x", "+3"))
    few.say("alice", "/unreact 1 +1")
    few.say("alice", "/delete 2")
    for id_ in range(1, 6):
        counted = few.db.value("SELECT count(*) FROM reactions WHERE message_id = ?", (id_,))
        assert few.db.value("SELECT reactions FROM messages WHERE id = ?", (id_,)) == counted
    assert messages.load_one(few.db, 1, "main").reactions == {"+1": ["bob"], "+2": ["alice"]}
    assert messages.emojis(few.db, 1) == ["+1", "+2"]
    assert messages.has_reacted(few.db, 1, "+1", few.ids["bob"])
    assert not messages.has_reacted(few.db, 1, "+1", few.ids["alice"])


def answers(chat: Chat, id_: int) -> tuple[int, int | None]:
    message = messages.load_one(chat.db, id_, "main")
    return message.replies, message.last_reply


def test_a_message_counts_what_answers_it(few: Chat) -> None:
    few.say("bob", "/reply 1 6")
    assert [answers(few, id_) for id_ in range(1, 6)] == [(2, 6), (0, None), (1, 5), (0, None), (0, None)]
    few.say("alice", "/delete 3")
    few.say("alice", "/delete 1")
    assert (answers(few, 1), answers(few, 3)) == ((2, 6), (1, 5)), "what was deleted keeps its place in a thread"
    messages.remove(few.executor._db, [6])
    assert answers(few, 1) == (1, 3)
    messages.remove(few.executor._db, [1, 3, 5])
    assert [answers(few, id_) for id_ in (2, 4)] == [(0, None), (0, None)]


@given(
    st.lists(st.tuples(st.sampled_from((-3, 0, 0, 1, 5)), st.booleans()), min_size=1, max_size=30), st.integers(-5, 160)
)
def test_the_first_message_since_a_time_is_found(few: Chat, sent: list[tuple[int, bool]], since: int) -> None:
    """Where the clock was never set back it is exactly the first one, whatever other chats had between."""
    few.say("alice", "/send bob hi")
    other = few.executor._db.value("SELECT max(id) FROM chats")
    few.executor._db.run("SAVEPOINT sent")
    try:
        few.executor._db.run("DELETE FROM messages")
        at, mine = 10, list[tuple[int, int]]()
        for id_, (step, elsewhere) in enumerate(sent, 10):
            at += abs(step)
            few.executor._db.run(
                "INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text) VALUES (?, ?, ?, ?, ?, 'x')",
                (id_, id_, other if elsewhere else MAIN, few.ids["alice"], at),
            )
            if not elsewhere:
                mine.append((id_, at))
        expected = next((id_ for id_, at in mine if at >= since), None)
        assert messages.first_id_since(few.executor._db, 1, since) == expected
    finally:
        few.executor._db.run("ROLLBACK TO sent")
        few.executor._db.run("RELEASE sent")


def test_a_clock_that_was_set_back_leaves_some_place_of_that_time(few: Chat) -> None:
    for id_, at_ms in ((1, 10), (2, 50), (3, 20), (4, 30), (5, 60)):
        few.executor._db.run("UPDATE messages SET at_ms = ? WHERE id = ?", (at_ms, id_))
    for since in range(61):
        found = messages.first_id_since(few.db, 1, since)
        assert found is not None
        assert few.db.value("SELECT at_ms FROM messages WHERE id = ?", (found,)) >= since
    assert messages.first_id_since(few.db, 1, 61) is None


def test_a_thread_and_the_row_of_a_message(few: Chat) -> None:
    assert [message.id for page in messages.load_thread(few.db, 1, "main") for message in page] == [1, 3, 5]
    assert [message.id for page in messages.load_thread(few.db, 5, "main") for message in page] == [5]
    few.say("alice", "/delete 3")
    assert messages.find(few.db, 3) == StoredMessage(3, MAIN, few.ids["alice"], True, 6)
    assert messages.find(few.db, 99) is None
