import pytest

from chat_client.sdk.events import Connected, Connecting, Lost
from chat_client.tui.state import navigation
from chat_client.tui.state.feed import Anchor
from chat_client.tui.state.read_tracking import READ_SECONDS
from chat_client.tui.state.terminal_events import STATUS_SECONDS, focus, take_frame, tick
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said


def ready() -> Me:
    me = Me(ChatInfo("main", 0, 0, muted=False))
    me.load()
    me.hear(said(1), said(2))
    tick(me.screen, me.now)
    me.wanted()
    return me


def look(me: Me, seconds: float = 0.0) -> list[int]:
    """Draw, wait, and see what was marked as read."""
    take_frame(me.screen, me.frame().drawn, me.now)
    me.now += seconds
    tick(me.screen, me.now)
    return [ask.arguments["id"] for ask in me.asked("read")]


def test_a_message_is_read_after_a_moment_on_the_screen() -> None:
    me = ready()
    assert look(me) == []
    assert look(me, READ_SECONDS) == [2]
    assert look(me, READ_SECONDS) == []
    assert me.screen.chats.open.unread == 0


def test_a_stream_of_messages_is_read_as_it_goes() -> None:
    me = ready()
    marked = []
    for id in range(3, 30):
        me.hear(said(id))
        marked += look(me, 0.1)
    assert marked and marked == sorted(set(marked)) and len(marked) < 5


@pytest.mark.parametrize("at_once", [1, 10, 97])
def test_who_watches_the_end_has_read_what_passed(at_once: int) -> None:
    """However fast: more than a screenful within the second after which the marker moves, or within one frame."""
    me = ready()
    look(me)
    for id in range(3, 3 + 10 * at_once, at_once):
        me.hear(*(said(each) for each in range(id, id + at_once)))
        look(me, 0.05)
        assert not me.screen.reading.unread_above
    look(me, READ_SECONDS)
    assert look(me, READ_SECONDS) + look(me, READ_SECONDS) and me.screen.chats.open.unread == 0
    assert me.screen.chats.open.read == 2 + 10 * at_once


@pytest.mark.parametrize("away", ["focus", "view", "scrolled", "connection"])
def test_what_passed_while_one_looked_elsewhere_is_not_read(away: str) -> None:
    me = ready()
    look(me, READ_SECONDS)
    match away:
        case "focus":
            focus(me.screen, False, me.now)
        case "view":
            navigation.toggle_keys_page(me.screen)
        case "scrolled":
            me.screen.feed.at_start = False  # there is more above, so that one can scroll
            me.screen.feed.settle(Anchor((1, 0)))
        case "connection":
            me.hear(Lost("gone", me.now), Connecting("localhost:8000", 1))
    look(me)
    me.hear(*(said(id) for id in range(3, 100)))
    look(me)
    if away == "connection":
        me.connect(ChatInfo("main", 2, 97, muted=False), resumed=True)
    focus(me.screen, True, me.now)
    me.screen.dialogs.keys_page = None
    me.screen.feed.follow_end()
    assert look(me, 10) == [] and look(me, 10) == []
    assert me.screen.chats.open.unread == 97 and me.screen.reading.unread_above


def test_pages_that_are_turned_fast_have_been_seen() -> None:
    me = ready()
    me.hear(*(said(id) for id in range(3, 100)))
    look(me)
    navigation.show_first_unread(me.screen)
    for _ in range(6):
        look(me, 0.1)
        navigation.scroll(me.screen, pages=-1)
    look(me, READ_SECONDS)
    look(me, READ_SECONDS)
    assert me.screen.chats.open.read == 99 and me.screen.chats.open.unread == 0


def test_not_read_without_the_focus_nor_under_a_view() -> None:
    me = ready()
    focus(me.screen, False, me.now)
    assert look(me, 10) == []
    focus(me.screen, True, me.now)
    navigation.toggle_keys_page(me.screen)
    assert look(me, 10) == []
    navigation.escape(me.screen)
    assert look(me, 10) == [2]


def test_what_was_above_the_screen_is_not_read() -> None:
    me = ready()
    me.hear(*(said(id) for id in range(3, 100)))
    assert look(me, 10) == [] and me.screen.chats.open.unread == 99
    assert "unread · Alt-U" in me.text("bar")
    navigation.show_first_unread(me.screen)
    (upto,) = look(me, 10)
    assert 20 < upto < 40
    for _ in range(5):
        navigation.scroll(me.screen, pages=-1)
        look(me, 10)
    assert me.screen.chats.open.read == 99 and me.screen.chats.open.unread == 0


def test_esc_at_the_end_marks_all_as_read() -> None:
    me = ready()
    me.hear(*(said(id) for id in range(3, 100)))
    look(me)
    assert navigation.escape(me.screen)
    assert [ask.arguments for ask in me.asked("read")] == [{"chat": "main", "id": 99}]
    assert me.screen.chats.open.unread == 0 and "unread" not in me.text("bar") and not navigation.escape(me.screen)


def test_a_chat_opens_where_one_has_left_off() -> None:
    me = Me(
        ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 50, 60, muted=False), ChatInfo("@zoe", 50, 2, muted=False)
    )
    me.load()
    navigation.open_chat(me.screen, "@bob")
    me.load(*(said(id, chat="@bob") for id in range(11, 111)), chat="@bob", more=True)
    rows = me.rows()
    assert "new from here" in rows[0] or "new from here" in rows[1]
    assert "text 51" in me.text() and "text 110" not in me.text()
    (upto,) = look(me, 10)
    assert 60 < upto < 100 and me.screen.chats.open.unread == 110 - upto
    navigation.open_chat(me.screen, "@zoe")
    me.load(*(said(id, who="zoe", chat="@zoe") for id in range(41, 53)), chat="@zoe")
    assert "text 52" in me.rows()[-1] and look(me, 10) == [52]


def test_what_comes_while_one_is_away_is_marked_as_new() -> None:
    me = ready()
    look(me, READ_SECONDS)
    focus(me.screen, False, me.now)
    me.hear(said(3, "while away"))
    rows = me.rows()
    assert "new from here" in rows[-2] and "while away" in rows[-1]


def test_ones_own_message_is_not_marked_as_new() -> None:
    me = ready()
    look(me, READ_SECONDS)
    focus(me.screen, False, me.now)
    me.hear(said(3, "from my other device", who="alice"))
    assert "new from here" not in me.text()
    me.hear(said(4, "an answer"))
    rows = me.rows()
    assert "new from here" in rows[-2] and "an answer" in rows[-1]


def test_what_is_told_for_a_moment_goes_away() -> None:
    me = ready()
    me.screen.tell("info", "for a moment", 2.0)
    assert "for a moment" in me.text("bar")
    me.now += 3
    assert tick(me.screen, me.now)
    assert "for a moment" not in me.text("bar")


def test_it_looks_now_and_then_who_is_there() -> None:
    me = ready()
    me.now += 1000
    tick(me.screen, me.now)
    assert me.asked("status")
    assert isinstance(me.screen.session.connection, Connected)


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    me = ready()
    me.screen.tell("info", "for a moment", 5.0)
    assert look(me) == []
    me.set_clock(-3600)
    assert look(me, READ_SECONDS) == [2], "what is on the screen is read all the same"
    me.now += 5
    tick(me.screen, me.now)
    assert me.screen.flash is None
    me.now += STATUS_SECONDS
    tick(me.screen, me.now)
    assert me.asked("status")


def test_what_was_new_and_read_is_new_no_more_when_one_looks_away_again() -> None:
    me = ready()
    look(me, READ_SECONDS)
    focus(me.screen, False, me.now)
    me.hear(said(3, "the first time"))
    focus(me.screen, True, me.now)
    look(me)
    look(me, READ_SECONDS)
    assert me.screen.chats.open.unread == 0 and "new from here" in me.text()
    focus(me.screen, False, me.now)
    assert "new from here" not in me.text()
    me.hear(said(4, "the second time"))
    rows = me.rows()
    assert "new from here" in rows[-2] and "the second time" in rows[-1]
