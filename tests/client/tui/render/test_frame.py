import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.cells import row_width
from chat_client.tui.render.message_rows import _laid_out
from chat_client.tui.state import message_actions, navigation
from chat_server.protocol.messages import Expired
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said


@given(
    st.integers(20, 320),
    st.integers(5, 90),
    st.integers(1, 12),
    st.sampled_from(["", "help", "finder", "select", "ask"]),
)
def test_every_region_stays_in_its_place_at_any_size(columns: int, rows: int, typed: int, what: str) -> None:
    me = Me(
        ChatInfo("main", 0, 5, muted=False),
        ChatInfo("#a-rather-long-name-of-a-chat", 0, 1200, muted=False),
        ChatInfo("@bob", 0, 1, muted=False),
    )
    me.load(*(said(id, f"漢字 text {id} " * (id % 7), who=f"user{id % 9}") for id in range(1, 60)))
    me.status([f"user{number}" for number in range(40)])
    screen = me.screen
    me.resize(columns, rows, typed)
    match what:
        case "help":
            navigation.toggle_keys_page(screen)
        case "finder":
            navigation.open_finder(screen)
        case "select":
            message_actions.choose(screen, -1)
        case "ask":
            screen.session.is_operator = True
            message_actions.choose(screen, -1)
            message_actions.delete(screen)
    frame = me.frame()
    cells: dict[tuple[int, int], str] = {}
    for region in frame.regions:
        assert region.x >= 0 and region.x + region.columns <= columns
        if region.name == "finder":
            continue
        assert len(region.rows) == region.height, region.name
        for y in range(region.y, region.y + region.height):
            for x in range(region.x, region.x + region.columns):
                assert (x, y) not in cells, f"{region.name} over {cells[x, y]}"
                cells[x, y] = region.name
        if columns >= 40:
            assert all(row_width(row.fragments) <= region.columns for row in region.rows), region.name
    x, y, wide, high = frame.input
    assert rows < 8 or not any((x, y + line) in cells for line in range(high))
    assert wide <= columns


def test_only_what_is_visible_is_laid_out() -> None:
    me = Me()
    me.load(*(said(id) for id in range(1, 1900)))
    me.frame()
    assert sum(id(item) in _laid_out for item in me.screen.feed.items) < 40


def test_an_empty_chat_says_so() -> None:
    me = Me()
    assert "loading" in me.text()
    me.load()
    assert "nothing has been said here yet" in me.text() and "F1 shows all keys" in me.text()
    navigation.open_chat(me.screen, "#team")
    me.load(chat="#team")
    assert "/invite #team <username>" in me.text()


def test_a_chat_whose_messages_have_expired_does_not_say_that_nothing_was_said() -> None:
    me = Me(
        ChatInfo("main", 7, 0, muted=False), ChatInfo("#team", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False)
    )
    me.load()
    assert "what was said here has expired" in me.text() and "yet" not in me.text()
    navigation.open_chat(me.screen, "@bob")
    me.load(chat="@bob")
    assert "what was said here has expired" in me.text(), "the server lists no chat of two in which nothing was said"
    navigation.open_chat(me.screen, "#team")
    me.load(chat="#team")
    assert "nothing has been said here yet" in me.text()
    me.hear(said(9, chat="#team"), Expired("#team", [9]))
    assert "what was said here has expired" in me.text()


@pytest.mark.parametrize("rows", [5, 15, 60])
def test_an_empty_chat_fills_its_place(rows: int) -> None:
    me = Me(columns=60, rows=rows)
    me.load()
    assert all(len(region.rows) == region.height for region in me.frame().regions)


def test_the_bare_screen_shows_the_text_alone() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 4, muted=False))
    me.load(said(1, "a **bold** word\n    indented", reactions={"👍": ["bob"]}), said(2, "an answer", reply_to=1))
    navigation.toggle_bare(me.screen)
    frame = me.frame()
    assert {region.name for region in frame.regions} == {"feed", "bar"}
    assert [row for row in me.rows() if row] == ["a **bold** word", "    indented", "an answer"]
    assert "only the text" in me.text("bar") and "F3 shows everything" in me.text("bar") and frame.input[2] == 110
    me.resize(40, 10)
    assert me.text("bar").strip() == "F3 shows everything"
    me.resize(110, 34)
    (feed,) = [region for region in frame.regions if region.name == "feed"]
    assert not feed.fills and {style for row in feed.rows for style, _ in row.fragments} == {"bare"}
    assert sum(region.height for region in frame.regions) + frame.input[3] == 34
    navigation.escape(me.screen)
    assert "bob" in me.text() and me.text("left")
