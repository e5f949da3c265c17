from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from chat_client.tui.render.items import Row
from chat_client.tui.render.message_rows import Context
from chat_client.tui.state.feed import ITEMS_MAX, Feed
from tests.client.people import at, said

HEIGHT = 10
CONTEXT = Context("alice", 60, UTC, lambda id: None)


def feed(count: int) -> Feed:
    feed = Feed(at_end=True)
    feed.at_start = True
    feed.extend(said(id) for id in range(1, count + 1))
    return feed


def shown(feed: Feed) -> list[int]:
    return [row.id for row in feed.visible(CONTEXT, HEIGHT) if row.id is not None]


def test_the_end_is_shown_and_followed() -> None:
    one = feed(30)
    assert shown(one) == list(range(21, 31))
    one.put(said(31))
    assert shown(one) == list(range(22, 32))


def test_who_has_scrolled_up_stays_there() -> None:
    one = feed(30)
    one.scroll(5, CONTEXT, HEIGHT)
    before = shown(one)
    assert before == list(range(16, 26))
    one.put(said(31))
    assert shown(one) == before
    one.scroll(-5, CONTEXT, HEIGHT)
    assert one.anchor is not None
    one.scroll(-1, CONTEXT, HEIGHT)
    assert one.anchor is None and shown(one)[-1] == 31


@given(st.lists(st.integers(-30, 30), max_size=30))
def test_scrolling_never_leaves_a_gap(moves: list[int]) -> None:
    one = feed(40)
    for rows in moves:
        one.scroll(rows, CONTEXT, HEIGHT)
        assert len(one.visible(CONTEXT, HEIGHT)) == HEIGHT


@given(st.lists(st.integers(1, 9), max_size=20))
def test_up_and_down_by_the_same_is_where_one_was(moves: list[int]) -> None:
    one = feed(400)
    one.scroll(20, CONTEXT, HEIGHT)
    before = one.visible(CONTEXT, HEIGHT)
    for rows in moves:
        one.scroll(rows, CONTEXT, HEIGHT)
    for rows in moves:
        one.scroll(-rows, CONTEXT, HEIGHT)
    assert one.visible(CONTEXT, HEIGHT) == before


def test_the_start_is_at_the_top() -> None:
    one = feed(40)
    one.scroll(1000, CONTEXT, HEIGHT)
    rows = one.visible(CONTEXT, HEIGHT)
    assert "November" in text(rows[0]) and len(rows) == HEIGHT


def text(row: Row) -> str:
    return "".join(part for _, part in row.fragments)


def test_only_what_belongs_into_the_stretch_is_kept() -> None:
    one = Feed()
    one.extend([said(10), said(11)])
    assert one.put(said(12)) == "outside"
    assert one.put(said(9)) == "outside"
    assert one.put(said(11, "changed", seq=20)) == "changed"
    one.at_end = True
    assert one.put(said(14)) == "new" and one.put(said(13)) == "new"
    assert [item.place[0] for item in one.items] == [10, 11, 13, 14]


def test_an_older_state_of_a_message_changes_nothing() -> None:
    one = feed(3)
    one.put(said(2, "newer", seq=9))
    one.put(said(2, "older", seq=8))
    assert one.said[2].message.text == "newer"


def test_it_is_bounded() -> None:
    one = feed(0)
    for id in range(1, 3 * ITEMS_MAX):
        one.put(said(id))
    assert len(one.items) <= ITEMS_MAX and len(one.said) == len(one.items)
    assert not one.at_start and one.at_end and shown(one)[-1] == 3 * ITEMS_MAX - 1


def test_notes_are_bounded_too() -> None:
    one = feed(10)
    for number in range(ITEMS_MAX + 1):
        one.note("info", str(number), at(number))
    assert len(one.items) <= ITEMS_MAX
    (row,) = one.visible(CONTEXT, 1)
    assert str(ITEMS_MAX) in text(row)


def test_it_is_bounded_while_one_reads_further_up() -> None:
    one = feed(ITEMS_MAX)
    one.scroll(1000, CONTEXT, HEIGHT)
    before = shown(one)
    for id in range(ITEMS_MAX + 1, 2 * ITEMS_MAX):
        one.put(said(id))
    assert shown(one) == before and not one.at_end and len(one.items) <= ITEMS_MAX


def test_messages_are_selected_one_by_one_and_stay_in_sight() -> None:
    one = feed(30)
    one.note("info", "a note", "2026-11-18T08:01:00.000Z")
    for id in range(30, 10, -1):
        one.step(-1, CONTEXT, HEIGHT)
        assert one.selected == id and id in shown(one)
    for _ in range(20):
        one.step(1, CONTEXT, HEIGHT)
    assert one.selected is None


def test_a_message_is_shown_in_the_middle() -> None:
    one = feed(100)
    one.show(50, CONTEXT, HEIGHT, "middle")
    assert 3 <= shown(one).index(50) <= 6
    one.show(100, CONTEXT, HEIGHT, "middle")
    assert shown(one)[-1] == 100


def test_what_is_gone_is_gone() -> None:
    one = feed(10)
    one.selected = 3
    assert one.remove([3, 4, 99]) == 2
    assert one.selected is None and 4 not in shown(one)


def test_who_goes_on_speaking_is_named_on_top_of_the_screen() -> None:
    one = feed(30)
    first, second, *_ = ["".join(text for _, text in row.fragments) for row in one.visible(CONTEXT, HEIGHT)]
    assert first.split() == ["08:00", "bob", "text", "21"] and second.split() == ["text", "22"]
    one.put(said(31, "word " * 30))
    assert "bob" in "".join(text for _, text in one.visible(CONTEXT, HEIGHT)[0].fragments)
    assert "bob" not in "".join(text for row in one.visible(CONTEXT, 2) for _, text in row.fragments)


def test_a_message_is_brought_to_the_top_if_there_is_enough_below_it() -> None:
    one = feed(30)
    one.show(10, CONTEXT, HEIGHT, "top")
    assert shown(one) == list(range(10, 20))
    one.show(25, CONTEXT, HEIGHT, "top")
    assert shown(one) == list(range(21, 31)) and one.anchor is None


def test_what_stands_between_two_ids() -> None:
    one = feed(30)
    one.put(said(31, who="alice"))
    assert one.between(20, 25, "alice") == 4 and one.between(29, 99, "alice") == 1
    assert one.first_of_others(29, "alice") == 30 and one.first_of_others(30, "alice") is None
