from chat_client.model import moving
from chat_client.model.watching import READ_SECONDS, focus, shown, tick
from chat_client.states import Connected
from chat_server.protocol.events import Chat
from tests.client.people import Me, said


def ready() -> Me:
    me = Me(Chat("main", 0, 0, muted=False))
    me.load()
    me.hear(said(1), said(2))
    tick(me.screen, me.now)
    me.wanted()
    return me


def look(me: Me, seconds: float = 0.0) -> list[int]:
    """Draw, wait, and see what was marked as read."""
    frame = me.frame()
    shown(me.screen, frame.last_id, frame.quoted, me.now)
    me.now += seconds
    tick(me.screen, me.now)
    return [ask.arguments["id"] for ask in me.asked("read")]


def test_a_message_is_read_after_a_moment_on_the_screen() -> None:
    me = ready()
    assert look(me) == []
    assert look(me, READ_SECONDS) == [2]
    assert look(me, READ_SECONDS) == []
    assert me.screen.open.unread == 0


def test_a_stream_of_messages_is_read_as_it_goes() -> None:
    me = ready()
    marked = []
    for id in range(3, 30):
        me.hear(said(id))
        marked += look(me, 0.1)
    assert marked and marked == sorted(set(marked)) and len(marked) < 5


def test_not_read_without_the_focus_nor_under_a_view_nor_further_up() -> None:
    me = ready()
    focus(me.screen, False, me.now)
    assert look(me, 10) == []
    focus(me.screen, True, me.now)
    moving.toggle_help(me.screen)
    assert look(me, 10) == []
    moving.escape(me.screen)
    me.hear(*(said(id) for id in range(3, 100)))
    moving.scroll(me.screen, 50)
    (upto,) = look(me, 10)
    assert 2 < upto < 60


def test_what_comes_while_one_is_away_is_marked_as_new() -> None:
    me = ready()
    look(me, READ_SECONDS)
    focus(me.screen, False, me.now)
    me.hear(said(3, "while away"))
    rows = me.rows()
    assert "new from here" in rows[-2] and "while away" in rows[-1]


def test_what_is_told_for_a_moment_goes_away() -> None:
    me = ready()
    me.screen.tell("info", "for a moment", 2.0)
    assert "for a moment" in me.text("bar")
    assert tick(me.screen, me.now + 3)
    assert "for a moment" not in me.text("bar")


def test_it_looks_now_and_then_who_is_there() -> None:
    me = ready()
    tick(me.screen, me.now + 1000)
    assert me.asked("status")
    assert isinstance(me.screen.connection, Connected)
