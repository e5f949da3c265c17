from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from chat_client.tui.render.look import NAME_CELLS_MIN
from chat_client.tui.render.message_rows import RowContext
from chat_client.tui.render.row import Row
from chat_client.tui.render.viewport import Viewport, name_cells, page_rows
from chat_client.tui.state import navigation
from chat_client.tui.state.feed import Feed, Reveal, Scroll
from tests.client.people import Me, feed, said

HEIGHT = 10
CONTEXT = RowContext("alice", 60, UTC, lambda id: None)


def rows(feed: Feed, height: int = HEIGHT) -> list[Row]:
    return Viewport(feed, CONTEXT, height).rows(feed.anchor)


def settle(feed: Feed) -> None:
    """As the renderer does before a frame."""
    anchor = feed.anchor
    for move in feed.moves:
        anchor = Viewport(feed, CONTEXT, HEIGHT).follow(anchor, move)
    feed.settle(anchor)


def scroll(feed: Feed, by: int) -> None:
    feed.scroll(by)
    settle(feed)


def shown(feed: Feed) -> list[int]:
    return [row.id for row in rows(feed) if row.id is not None]


def text(row: Row) -> str:
    return "".join(part for _, part in row.fragments)


def test_the_end_is_shown_and_followed() -> None:
    one = feed(30)
    assert shown(one) == list(range(21, 31))
    one.put(said(31))
    assert shown(one) == list(range(22, 32))


def test_who_has_scrolled_up_stays_there() -> None:
    one = feed(30)
    scroll(one, 5)
    before = shown(one)
    assert before == list(range(16, 26))
    one.put(said(31))
    assert shown(one) == before
    scroll(one, -5)
    assert one.anchor is not None
    scroll(one, -1)
    assert one.anchor is None and shown(one)[-1] == 31


@given(st.lists(st.integers(-30, 30), max_size=30))
def test_scrolling_never_leaves_a_gap(moves: list[int]) -> None:
    one = feed(40)
    for by in moves:
        scroll(one, by)
        assert len(rows(one)) == HEIGHT


@given(st.lists(st.integers(1, 9), max_size=20))
def test_up_and_down_by_the_same_is_where_one_was(moves: list[int]) -> None:
    one = feed(400)
    scroll(one, 20)
    before = rows(one)
    for by in moves:
        scroll(one, by)
    for by in moves:
        scroll(one, -by)
    assert rows(one) == before


@given(st.lists(st.integers(-30, 30), max_size=8))
def test_moves_lead_to_the_same_place_drawn_one_by_one_or_together(moves: list[int]) -> None:
    each, together = feed(40), feed(40)
    for by in moves:
        scroll(each, by)
        together.scroll(by)
    settle(together)
    assert together.anchor == each.anchor


def test_the_start_is_at_the_top() -> None:
    one = feed(40)
    scroll(one, 1000)
    assert "November" in text(rows(one)[0]) and len(rows(one)) == HEIGHT


def test_a_page_leaves_two_rows_of_the_one_before_in_sight() -> None:
    one = feed(60)
    before = shown(one)
    one.scroll(pages=1)
    settle(one)
    assert shown(one)[-2:] == before[:2] and page_rows(1) == 1


def test_the_rows_above_stay_when_a_message_below_the_screen_changes() -> None:
    one = feed(30)
    scroll(one, 12)
    before = rows(one)
    one.put(said(29, "longer " * 90, seq=50))
    assert rows(one) == before


def test_messages_that_are_selected_one_by_one_stay_in_sight() -> None:
    one = feed(30)
    one.add_note("info", "a note", "2026-11-18T08:01:00.000Z")
    for id in range(30, 10, -1):
        one.step(-1)
        settle(one)
        assert one.selected == id and id in shown(one)
    for _ in range(19):
        one.step(1)
        settle(one)
        assert one.selected in shown(one)


def test_a_message_is_shown_in_the_middle() -> None:
    one = feed(100)
    one.reveal(50, "middle")
    settle(one)
    assert 3 <= shown(one).index(50) <= 6
    one.reveal(100, "middle")
    settle(one)
    assert shown(one)[-1] == 100


def test_a_message_that_is_in_sight_moves_nothing() -> None:
    one = feed(100)
    scroll(one, 30)
    before = one.anchor
    one.reveal(shown(one)[3])
    settle(one)
    assert one.anchor == before


def test_a_message_is_brought_to_the_top_if_there_is_enough_below_it() -> None:
    one = feed(30)
    one.reveal(10, "top")
    settle(one)
    assert shown(one) == list(range(10, 20))
    one.reveal(25, "top")
    settle(one)
    assert shown(one) == list(range(21, 31)) and one.anchor is None


def test_what_is_not_there_moves_nothing() -> None:
    one = Feed(at_end=True)
    assert Viewport(one, CONTEXT, HEIGHT).follow(None, Scroll(5)) is None
    one = feed(30)
    assert Viewport(one, CONTEXT, HEIGHT).follow(None, Reveal((99, 0), "top")) is None


def test_who_goes_on_speaking_is_named_on_top_of_the_screen() -> None:
    one = feed(30)
    first, second, *_ = [text(row) for row in rows(one)]
    assert first.split() == ["08:00", "bob", "text", "21"] and second.split() == ["text", "22"]
    one.put(said(31, "word " * 30))
    assert "bob" in text(rows(one)[0])
    assert "bob" not in "".join(text(row) for row in rows(one, 2))


def test_the_column_of_names_is_as_wide_as_the_longest_name_seen() -> None:
    me = Me()
    me.load(said(1, "short", who="bo"))
    assert name_cells(me.screen, 80, 14) == NAME_CELLS_MIN == len("alice")
    me.screen.session.user = "alexandra"
    assert name_cells(me.screen, 80, 14) == len("alexandra"), "who has not spoken yet will"
    me.screen.session.user = "alice"
    me.hear(said(2, "long", who="konstantin"))
    assert name_cells(me.screen, 80, 14) == len("konstantin")
    assert next(row for row in me.rows() if "short" in row).index("short") == 1 + 6 + len("konstantin") + 2
    me.hear(said(3, "longer", who="a-name-that-never-ends"))
    assert name_cells(me.screen, 100, 14) == 14
    assert name_cells(me.screen, 77, 14) == 11  # in a narrow feed the text needs the columns more
    assert name_cells(me.screen, 40, 14) == 8
    assert name_cells(me.screen, 200, 20) == 20 and name_cells(me.screen, 200, 6) == name_cells(me.screen, 40, 6) == 6


def test_no_rows_stay_free_above_while_there_is_more_below() -> None:
    """The terminal becomes larger, or the sides go away, while one looks at the first messages."""
    me = Me(columns=80, rows=24)
    me.load(*(said(id, f"text {id} " + "word " * 20) for id in range(1, 50)))
    navigation.show_oldest(me.screen)
    assert me.rows()[0] and me.screen.is_scrolled
    me.resize(200, 40)
    assert me.rows()[0] and "text 1 " in me.text() and me.screen.is_scrolled
    navigation.toggle_bare(me.screen)
    assert me.rows()[0].startswith("text 1 ")
    me.resize(200, 120)
    assert "text 49" in me.text() and not me.screen.is_scrolled and "newer below" not in me.text("bar")
