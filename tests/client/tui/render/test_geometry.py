from hypothesis import given
from hypothesis import strategies as st

from chat_client.tui.render.geometry import LEFT_MIN, RIGHT_MIN, part
from chat_client.tui.state import navigation
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said

ENTRIES = st.integers(0, 60)


@given(st.integers(20, 400), st.integers(5, 120), st.integers(1, 50), st.booleans(), ENTRIES, ENTRIES)
def test_all_rows_and_columns_are_given_out(
    columns: int, rows: int, wanted: int, bar: bool, left: int, right: int
) -> None:
    parts = part(columns, rows, wanted, bar, left, right)
    assert parts.left + parts.middle + parts.right == columns
    assert parts.middle >= min(columns, 50)
    assert parts.input <= 6
    if rows >= 8:
        assert 1 + parts.feed_rows + parts.bar + parts.input + 1 == rows


def sides(columns: int, left: int, right: int) -> tuple[int, int]:
    parts = part(columns, 34, 1, False, left, right)
    return parts.left, parts.right


def test_the_sides_fold_away() -> None:
    assert sides(60, 30, 30) == (0, 0)
    assert sides(90, 30, 30) == (20, 0)
    assert sides(140, 30, 30) == (24, 22)
    assert sides(110, 0, 0) == (0, 0)
    assert (sides(75, 18, 18), sides(76, 18, 18)) == ((0, 0), (18, 0))
    assert (sides(103, 18, 18), sides(104, 18, 18)) == ((18, 0), (LEFT_MIN, RIGHT_MIN))


def test_the_sides_are_as_wide_as_their_longest_entry() -> None:
    assert sides(140, 19, 17) == (19, 17)
    assert sides(140, 3, 3) == (LEFT_MIN, RIGHT_MIN)
    assert sides(200, 90, 90) == (40, 32)


def test_the_sides_give_way_to_the_text() -> None:
    """With names of twenty letters the text had 50 of 110 columns."""
    assert sides(110, 30, 30) == (20, 14) and sides(104, 30, 30) == (LEFT_MIN, RIGHT_MIN)
    assert sides(110, 3, 30) == (LEFT_MIN, 18) and sides(120, 30, 30) == (24, 20)


def columns(me: Me, region: str) -> int:
    return next((each.columns for each in me.frame().regions if each.name == region), 0)


def test_a_chat_of_two_has_no_right_side() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.status(["alice", "bob"])
    assert columns(me, "right") == RIGHT_MIN
    navigation.open_chat(me.screen, "@bob")
    assert columns(me, "right") == 0 and columns(me, "feed") == 110 - LEFT_MIN


def test_entries_fit_into_the_sides_with_what_stands_beside_them() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#releases", 0, 0, muted=False))
    me.status(["alice", "bob-the-builder"])
    me.resize(140, 34)
    me.hear(*(said(id, chat="#releases") for id in range(1, 13)))
    assert "2 #releases 12  │" in "\n".join(me.rows("left"))
    assert "bob-the-builder" in me.text("right")
    assert columns(me, "right") == len("bob-the-builder") + 5
    me.screen.roster.online["zzz-who-is-not-here-at-all"] = False
    assert columns(me, "right") == len("bob-the-builder") + 5
