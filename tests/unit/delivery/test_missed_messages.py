"""What was missed, page by page: in which order, and in how many ways to the reader's thread."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.missed_messages import MissedMessages
from chat_server.store import chats, message_pages, state
from chat_server.store.message_pages import Range
from chat_server.store.stretches import Part
from tests.unit.chat import Chat

State = tuple[int, int]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """40 messages in three chats of alice, then changes to some of them, at seq 41 to 50."""
    path: Path = tmp_path_factory.mktemp("missed")
    chat = Chat(path)
    chat.sign_in("alice", "bob")
    chat.say("alice", "/create_chat #den")
    for number in range(40):
        chat.say(*(("alice", "/send bob x"), ("bob", "/send_all x"), ("alice", "/send #den x"))[number % 3])
    for id_ in (1, 4, 7, 10, 13, 16, 37, 3, 6, 39):
        chat.say("alice", f"/react {id_} +1")
    yield chat
    chat.close()


def read(chat: Chat, start: int, stop: int, *, by_id: bool) -> tuple[list[State], int]:
    """What was missed, and the number of pages."""
    missed = MissedMessages(chat.ids["alice"], start, stop, by_id=by_id)
    found: list[State] = []
    pages = 0
    while not missed.is_read:
        found += [(each.id, each.seq) for part in missed.next_page(chat.db) for each in part]
        pages += 1
    assert missed.store_seq == state.load(chat.db).seq
    return found, pages


def expected(chat: Chat, start: int, stop: int, *, by_id: bool) -> list[State]:
    def ranges() -> list[Range]:
        return [Range(each.chat_id, each.name, start, stop) for each in chats.of_user(chat.db, chat.ids["alice"])]

    def states(pages: Iterator[list[Part]]) -> list[State]:
        return [(each.id, each.seq) for page in pages for part in page for each in part]

    if not by_id:
        return states(message_pages.load_new_and_changed(chat.db, ranges()))
    changed = states(message_pages.load_changed(chat.db, ranges()))
    return [*states(message_pages.load_new(chat.db, ranges())), *(each for each in changed if each[0] <= start)]


@given(st.integers(0, 50), st.integers(0, 50), st.booleans(), st.integers(1, 9))
def test_people_are_shown_what_is_new_then_changes_and_programs_all_by_seq(
    chat: Chat, one: int, other: int, by_id: bool, most: int
) -> None:
    start, stop = sorted((one, other))
    with patch.object(message_pages, "PAGE_MESSAGES_MAX", most):
        found, pages = read(chat, start, stop, by_id=by_id)
        assert found == expected(chat, start, stop, by_id=by_id)
    # A full one is not known to be the last; people have pages of two kinds, some of whose messages they had new.
    assert pages <= (len(found) + (stop - start if by_id else 0)) // most + 1 + by_id


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize(
    ("start", "stop", "pages"),
    [
        (40, 40, 1),  # nothing
        (38, 39, 1),  # a new message, of a batch
        (30, 40, 1),
        (49, 50, 1),  # a change to one that was shown
        (39, 50, (2, 1)),  # both: a page of each kind for people
    ],
)  # fmt: skip
def test_the_last_page_is_known_to_be_the_last(
    chat: Chat, start: int, stop: int, pages: int | tuple[int, int], by_id: bool
) -> None:
    wanted = pages if isinstance(pages, int) else pages[not by_id]
    assert read(chat, start, stop, by_id=by_id)[1] == wanted
