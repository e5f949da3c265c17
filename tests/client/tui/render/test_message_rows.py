"""How messages look, as text; that they look well is for eyes."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.cells import row_width
from chat_client.tui.render.message_rows import REMEMBERED_MAX, RowContext, _laid_out, rows_of
from chat_client.tui.render.row import Row
from chat_client.tui.state.items import Item, MessageItem, NoteItem, UnsentItem
from chat_server.protocol.messages import File, Message
from tests.client.people import at, said


def context(columns: int = 60, **fields: object) -> RowContext:
    return RowContext("alice", columns, UTC, lambda id: ("bob", "what was said"), **fields)  # type: ignore[arg-type]


def look(message: Message, before: Message | None = None, **fields: object) -> list[str]:
    item, first = MessageItem(place=(message.id, 0), at=message.at, message=message), None
    if before is not None:
        first = MessageItem(place=(before.id, 0), at=before.at, message=before)
    return text(rows_of(item, first, context(**fields)))  # type: ignore[arg-type]


def text(rows: list[Row]) -> list[str]:
    return ["".join(part for _, part in row.fragments).rstrip() for row in rows]


def test_the_first_message_stands_under_its_day() -> None:
    rows = look(said(1, "hello"))
    assert "Wednesday 18 November 2026" in rows[0]
    assert rows[1].split() == ["08:00", "bob", "hello"]


def test_what_is_answered_tells_how_often_but_not_over_the_answers_themselves() -> None:
    item = MessageItem(place=(1, 0), at=at(1), message=said(1, reactions={"👍": ["bob"]}), replies=2)
    assert text(rows_of(item, None, context()))[-1].split() == ["2", "replies", "👍", "bob"]
    assert text(rows_of(item, None, context(is_thread=True)))[-1].split() == ["👍", "bob"]
    one = MessageItem(place=(1, 0), at=at(1), message=said(1), replies=1)
    assert text(rows_of(one, None, context()))[-1].strip() == "1 reply"


def test_who_goes_on_speaking_is_not_named_again() -> None:
    assert look(said(2, "more"), said(1, "hello")) == [" " * 17 + "more"]
    assert look(said(400, "later"), said(1, "hello"))[0].split() == ["08:06", "bob", "later"]
    assert look(said(2, "other", who="carol"), said(1, "hello"))[0].split()[-2:] == ["carol", "other"]


@pytest.mark.parametrize(
    "fields, shown",
    [
        ({"edited": at(2)}, "hello (edited)"),
        ({"deleted": True}, "(deleted)"),
        ({"delayed": True}, "hello (delayed)"),
        ({"reply_to": 7}, "╭ bob what was said"),
        ({"reactions": {"👍": ["bob", "carol"]}}, "👍 bob carol"),
        ({"reactions": {"👍": ["a", "b", "c", "d"]}}, "👍 4"),
        ({"file": File(7, "a.png", 2048, "")}, "a.png  2 KiB · /get_file 7"),
        ({"who": "alice"}, "hello ✓"),
    ],
)
def test_what_is_to_be_known_of_a_message(fields: dict[str, object], shown: str) -> None:
    assert shown in "\n".join(look(said(1, "hello", **fields)))  # type: ignore[arg-type]


def test_the_line_over_what_is_new_stands_once() -> None:
    assert "new from here" in look(said(5), said(4), new_from=5)[0]
    assert "new from here" not in "".join(look(said(6), said(5), new_from=5))


def test_a_selected_message_shows_its_time_and_all_of_its_text() -> None:
    (row,) = look(said(5, "x" * 41), said(4), selected=5)
    assert row.split() == ["█08:00", "bob", "x" * 41]


def test_own_messages_that_wait_and_fail() -> None:
    waiting = UnsentItem(place=(9, 1), at=at(9), key="k", text="hello", state="waiting")
    assert "hello ◌ waiting" in text(rows_of(waiting, None, context()))[-1]
    failed = UnsentItem(place=(9, 1), at=at(9), key="k", text="hello", state="failed", why="blocked: no")
    assert "✗ not sent: blocked: no" in text(rows_of(failed, None, context()))[-1]


def test_notes_keep_their_lines() -> None:
    rows = text(rows_of(NoteItem(place=(1, 1), at=at(1), kind="done", text="one\ntwo"), None, context()))
    assert rows[-2].strip() == "✓ one" and rows[-1].strip() == "two"


@pytest.mark.parametrize("mentions, called", [(["alice"], True), (["bob"], False), ([], False), (None, False)])
def test_only_what_the_server_says_is_highlighted(mentions: list[str] | None, called: bool) -> None:
    item = MessageItem(place=(1, 0), at=at(1), message=said(1, "hi @alice", mentions=mentions))
    row = rows_of(item, None, context())[-1]
    assert (row.fill == "mention") == called
    assert any("me" in style.split() for style, _ in row.fragments) == called


@given(st.text(max_size=200), st.text(min_size=1, max_size=40), st.integers(40, 120))
def test_rows_never_go_past_the_side(body: str, who: str, columns: int) -> None:
    message = said(1, body, who=who, reply_to=3, reactions={"👍": [who], "🎉🎉🎉🎉": ["a"] * 5})
    items: list[Item] = [
        MessageItem(place=(1, 0), at=message.at, message=message),
        NoteItem(place=(1, 1), at=at(1), kind="error", text=body),
        UnsentItem(place=(1, 2), at=at(1), key="k", text=body, state="held", reply_to=3),
    ]
    for item in items:
        for row in rows_of(item, None, context(columns, selected=1)):
            assert row_width(row.fragments) <= columns


def test_what_was_laid_out_is_remembered_until_something_changes() -> None:
    item = MessageItem(place=(1, 0), at=at(1), message=said(1))
    quote = context().quote
    first = RowContext("alice", 60, None, quote)
    assert rows_of(item, None, first) is rows_of(item, None, first)
    assert rows_of(item, None, first) is not rows_of(item, None, RowContext("alice", 61, None, quote))


def test_an_item_of_an_answer_goes_on_further_in() -> None:
    note = NoteItem(place=(1, 1), at=at(1), kind="done", text="2 online\n  online: " + "somebody, " * 5)
    rows = text(rows_of(note, note, context(50)))
    assert [len(row) - len(row.lstrip(" ✓")) for row in rows] == [7, 9, 17]
    note = NoteItem(place=(1, 1), at=at(1), kind="done", text="files\n  " + "a long line without a heading " * 3)
    assert [len(row) - len(row.lstrip(" ✓")) for row in text(rows_of(note, note, context(50)))] == [7, 9, 11, 11]


def test_headings_of_a_list_have_a_column_of_their_own() -> None:
    told = "you are alice\n  online: alice, bob\n  chat #team: all read\n  15:30: no heading without a blank"
    rows = rows_of(NoteItem(place=(1, 1), at=at(1), kind="done", text=told), None, context(80))
    assert [line.split("✓")[-1] for line in text(rows)[-3:]] == [
        "         online:     alice, bob",
        "         chat #team: all read",
        "         15:30: no heading without a blank",
    ]
    long = NoteItem(place=(1, 1), at=at(1), kind="done", text=told + "\n  chat #a-rather-long-name: " + "word " * 20)
    heading, *others = text(rows_of(long, None, context(60)))[-3:]
    assert heading.startswith("         chat #a-rather-long-name: word word")
    assert all(row.startswith("           word word") for row in others)
    assert [style for style, part in rows[-2].fragments if "#team" in part] == ["note-heading"]


def test_what_is_remembered_is_bounded() -> None:
    for id in range(1, 2 * REMEMBERED_MAX):
        rows_of(MessageItem(place=(id, 0), at=at(id), message=said(id)), None, context())
        assert len(_laid_out) <= REMEMBERED_MAX


def test_a_quote_that_repeats_the_row_above_is_a_mark_only() -> None:
    assert len(look(said(7, reply_to=5), said(6))) == 2  # the quote, and the text
    (row,) = look(said(6, "an answer", reply_to=5), said(5))
    assert row.split() == ["08:00", "bob", "╰", "an", "answer"] or "╰ an answer" in row
    (row,) = look(said(7, "another", who="carol", reply_to=5), said(6, reply_to=5))
    assert "carol" in row and "╰ another" in row
    assert "╭" in look(said(7, reply_to=5), said(6, reply_to=4))[0]


def test_each_result_of_a_search_has_its_quote() -> None:
    assert "╭" in "".join(look(said(6, reply_to=5), said(5), labels=True))


def test_fenced_code_fills_its_rows_and_what_stands_behind_it_has_its_own() -> None:
    rows = look(said(5, "look:\n```\nx = 1\n```", who="alice"), said(4))
    assert [row.split() for row in rows] == [["▎08:00", "alice", "look:"], ["▎", "▏x", "=", "1"], ["▎", "✓"]]


def test_what_a_search_has_found_is_marked() -> None:
    item = MessageItem(place=(5, 0), at=at(5), message=said(5, "the picture of it"))
    row = rows_of(item, None, context(query="picture", labels=True))[-1]
    assert [text for style, text in row.fragments if "found" in style] == ["picture"]
