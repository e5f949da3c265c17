from chat_client.model.screen import Transfer
from chat_client.states import Ended
from chat_server.protocol.events import Chat
from tests.client.people import Me


def test_the_title_tells_what_is_unread_elsewhere_where_the_sides_are_folded_away() -> None:
    me = Me(Chat("main", 0, 0, muted=False), Chat("#team", 0, 4, topic="plans", muted=False), columns=60, rows=15)
    assert me.text("title").split() == ["main", "everyone", "#team", "4"]
    me.screen.open_name = "#team"
    assert "#team  plans" in me.text("title")


def test_a_file_on_its_way_has_a_meter_and_a_speed() -> None:
    me = Me()
    me.screen.transfers[1] = Transfer("photo.png", sending=True, done=512 << 10, size=1 << 20, since=me.now - 2)
    assert "↑ photo.png ━━━━━━━━━━━━ 50% · 256 KB/s" in me.text("bar")


def test_an_end_is_told() -> None:
    me = Me()
    me.hear(Ended("signed_out", "signed out from elsewhere"))
    assert "○ signed out from elsewhere" in me.text("status")


def test_one_line_is_one_line_whatever_it_holds() -> None:
    me = Me(Chat("main", 0, 0, topic="one\ntwo\x1b[2J", muted=False))
    assert len(me.rows("title")) == 1 and "\x1b" not in me.text("title") and "\n" not in me.text("title")
