"""Pages of what a user has missed, from rows alone and from stretches that are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.formats import FORMATS
from chat_server.protocol.messages import Message
from chat_server.store import message_pages
from chat_server.store.chats import MAIN
from chat_server.store.message_pages import PAGE_MESSAGES_MAX, PAGE_TEXT_CHARS_MAX, Range
from chat_server.store.stretches import Part, Stretch, Stretches
from tests.unit.chat import Chat


@pytest.fixture(scope="module", params=["rows", "stretches"])
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
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
    if request.param == "stretches":
        chat.db.stretches = Stretches(chat.executor.changed_messages)
    yield chat
    chat.close()


def ranges(after: int, up_to: int) -> list[Range]:
    return [Range(MAIN, "main", after, up_to), Range(2, "@bob", after, up_to)]


def flat(pages: Iterator[list[Part]]) -> list[int]:
    found = []
    for parts in pages:
        page = [message for part in parts for message in part]
        assert 0 < len(page) <= PAGE_MESSAGES_MAX
        assert sum(len(message.text or "") for message in page[:-1]) < PAGE_TEXT_CHARS_MAX
        found += [message.id for message in page]
    return found


@given(st.integers(0, 610), st.integers(0, 610))
def test_pages_have_each_message_of_the_range_once_in_order(chat: Chat, after: int, up_to: int) -> None:
    expected = list(range(after + 1, min(up_to, 600) + 1))
    assert flat(message_pages.load_new(chat.db, ranges(after, up_to))) == expected
    assert flat(message_pages.load_new_and_changed(chat.db, ranges(after, up_to))) == expected
    assert flat(message_pages.load_changed(chat.db, ranges(after, up_to))) == []
    others = [id_ for id_ in expected if id_ % 3 != 1]
    assert flat(message_pages.load_new(chat.db, ranges(after, up_to), not_by=chat.ids["alice"])) == others


def test_no_snapshot_is_held_between_two_pages(chat: Chat) -> None:
    pages = message_pages.load_new(chat.db, ranges(0, 700))
    assert len(next(pages)) > 0
    last = chat.say("bob", "/send_all late").reply.id
    assert flat(pages)[-1] == last


def states(pages: Iterator[list[Part]]) -> list[tuple[int, int]]:
    return [(message.id, message.seq) for page in pages for part in page for message in part]


@pytest.mark.parametrize("keeps", [False, True])
def test_changed_messages_come_by_seq_and_new_ones_by_id(tmp_path: Path, keeps: bool) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob", "carol")
    if keeps:
        chat.db.stretches = Stretches(chat.executor.changed_messages)
    for line in ("/send_all 1", "/send_all 2", "/reply 1 3", "/send_all 4", "/reply 3 5"):
        chat.say("alice", line)
    for line in ("/edit 4 x", "/react 1 +1", "/delete 2", "/react 4 +1"):
        chat.say("alice", line)
    assert states(message_pages.load_changed(chat.db, ranges(5, 9))) == [(1, 7), (2, 8), (4, 9)]
    assert states(message_pages.load_changed(chat.db, ranges(7, 8))) == [(2, 8)]
    assert states(message_pages.load_new(chat.db, ranges(0, 5))) == [(1, 7), (2, 8), (3, 3), (4, 9), (5, 5)]
    found = states(message_pages.load_new_and_changed(chat.db, ranges(2, 9)))
    assert found == [(3, 3), (5, 5), (1, 7), (2, 8), (4, 9)]
    chat.close()


def message(id_: int, chat: str = "main", text: str | None = "x") -> Message:
    return Message(id_, id_, chat, "alice", "2026-11-21T23:00:00Z", text=text)


@given(st.data(), st.sets(st.integers(1, 200)))
def test_merged_parts_have_the_same_messages_as_a_plain_sort(data: st.DataObject, ids: set[int]) -> None:
    """Of several chats, each in stretches of any length, of which some parts are left out."""
    chats = [data.draw(st.integers(0, 4)) for _ in ids]
    left_out = data.draw(st.sets(st.integers(1, 200)))
    length = data.draw(st.integers(1, 20))
    made: list[Stretch] = []

    def source(chat: int) -> Iterator[Part]:
        own = [message(id_) for id_, of in zip(sorted(ids), chats, strict=True) if of == chat]
        for at in range(0, len(own), length):
            some = own[at : at + length]
            made.append(Stretch(some, [each.id for each in some], [0] * len(some)))
            yield from made[-1].whole().parts(lambda each, _: each.id not in left_out)

    parts = list(message_pages._merge([source(chat) for chat in range(5)]))
    assert [each.id for part in parts for each in part] == sorted(ids - left_out)
    assert all(part.stretch in made for part in parts), "none is copied"


@given(st.lists(st.none() | st.text("x", max_size=5), min_size=1), st.data())
def test_a_part_is_what_a_list_of_the_same_messages_would_be(texts: list[str | None], data: st.DataObject) -> None:
    messages = [message(2 * at + 1, text=text) for at, text in enumerate(texts)]
    start = data.draw(st.integers(0, len(messages) - 1))
    stop = data.draw(st.integers(start + 1, len(messages)))
    part, plain = (
        Part(Stretch(messages, [each.id for each in messages], [0] * len(messages)), start, stop),
        messages[start:stop],
    )
    assert list(part) == plain and len(part) == len(plain) and part.newest == max(each.seq for each in plain)
    assert part.chars == sum(len(each.text or "") for each in plain)
    assert (part.first_key, part.last_key) == (plain[0].id, plain[-1].id)
    key = data.draw(st.integers(0, 2 * len(messages) + 2))
    below, rest = part.cut(key)
    assert list(below) == [each for each in plain if each.id < key] and list(below) + list(rest) == plain
    most, chars = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    first = list(part.first(most, chars))
    assert first == plain[: len(first)] and 1 <= len(first) <= most
    assert sum(len(each.text or "") for each in first[:-1]) < chars
    assert len(first) in (most, len(plain)) or sum(len(each.text or "") for each in first) >= chars
    for format in FORMATS.values():
        now = "2026-11-21T23:00:00Z"
        assert part.render(format, now) == b"".join(format.event(each, now) for each in plain)
