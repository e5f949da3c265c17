import pytest

from chat_client.common.transfers import Transfer
from chat_client.sdk.transfers import Progress
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.dialogs import Question
from chat_client.tui.state.replies import take_answer
from chat_client.tui.state.requests import ResultsRequest, TypedRequest
from chat_server.protocol.accounts import Banned
from chat_server.protocol.messages import Found, MessagesShown
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said


def test_a_file_on_its_way_has_a_meter_and_a_speed() -> None:
    me = Me()
    me.screen.transfers[1] = Transfer("photo.png", True, Progress(512 << 10, 1 << 20, 256 << 10, 2))
    assert "↑ photo.png ━━━━━━ 50 % of 1 MiB, 256 KiB/s, 2 s left" in me.text("bar")


@pytest.mark.parametrize("columns", [80, 110, 140])
@pytest.mark.parametrize("name", ["a", "photo.png", "a very long name of a photo.png"])
def test_how_far_a_file_is_is_not_cut_off(columns: int, name: str) -> None:
    """At 110 columns it was told as `1 s lef…`, with a meter beside it."""
    me = Me(columns=columns, rows=24)
    me.screen.transfers[1] = Transfer(name, True, Progress(2_999_000, 3_000_000, 13_900_000, 1))
    bar = me.text("bar")
    assert "99 % of 2.9 MiB, 13.3 MiB/s, 1 s left" in bar and "Alt-X" in bar and f"↑ {name[:3]}" in bar


def test_a_small_screen_says_too_that_one_has_scrolled_up() -> None:
    me = Me(columns=60, rows=15)
    me.load(*(said(id) for id in range(1, 101)))
    assert not any(region.name == "bar" for region in me.frame().regions)
    navigation.scroll(me.screen, 20)
    assert "newer below · Esc" in me.text("bar")


def test_a_selected_message_says_what_can_be_done_with_it() -> None:
    me = Me(columns=60, rows=15)
    me.load(said(1, who="alice"))
    message_actions.choose(me.screen, -1)
    assert me.text("bar") == " #1 r reply · + react · e edit · d delete · t thread · Esc"
    me.resize(110, 15)
    assert me.text("bar").endswith("y copy · > quote · Esc") and not me.frame().cursor
    me.hear(said(2), said(3, who="alice", deleted=True))
    message_actions.choose(me.screen, 1)
    assert me.text("bar") == " #2 r reply · + react · t thread · y copy · > quote · Esc"
    message_actions.choose(me.screen, 1)
    assert me.text("bar") == " #3 t thread · y copy · Esc"


def test_what_is_told_for_a_moment_does_not_hide_what_keys_do() -> None:
    me = Me()
    me.load(said(1, who="alice"))
    me.screen.tell("done", "changed #1")
    message_actions.choose(me.screen, -1)
    assert me.text("bar").startswith(" #1 r reply"), "what was told before makes room"
    me.screen.tell("info", "the server closes")
    assert me.text("bar").startswith(" #1  the server closes")
    message_actions.compose(me.screen, "edit")
    me.screen.tell("info", "the server closes")
    assert me.text("bar").startswith(" editing  the server closes")


def test_a_selected_message_leaves_room_to_say_what_is_below() -> None:
    me = Me(columns=110)
    me.load(*(said(id) for id in range(1, 60)))
    message_actions.choose(me.screen, -1)
    assert me.text("bar").endswith("Esc")
    me.screen.feed.scroll(40)
    assert "r reply" in me.text("bar") and me.text("bar").endswith("↓ newer below · Esc")
    me.resize(60, 34)
    assert "r reply" in me.text("bar") and "newer below" not in me.text("bar")


def test_below_what_was_found_it_is_said_where_a_text_goes() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    me.load()
    take_answer(me.screen, ResultsRequest("search · x"), "search", [said(9, chat="@bob")], Found(1), me.now)
    me.screen.composer.text = "just between us"
    assert me.text("bar").startswith(" Enter sends this to everyone and closes")
    me.screen.composer.text = ""
    why = TypedRequest("main", "/history @bob limit 5")
    take_answer(me.screen, why, "history", [said(9, chat="@bob")], MessagesShown("@bob", 1), me.now)
    me.screen.composer.text = "just between us"
    assert me.text("bar").startswith(" Enter sends this to bob")


def test_who_is_banned_is_offered_what_is_left() -> None:
    me = Me()
    me.load(said(1, who="alice"))
    me.hear(Banned("2036-01-01T00:00:00.000Z", "three reports"))
    message_actions.choose(me.screen, -1)
    assert me.text("bar").startswith(" #1 d delete · t thread")
    for kind in ("reply", "react", "edit"):
        message_actions.compose(me.screen, kind)
        assert me.screen.composer.target is None and "you are banned" in me.text("bar")


def test_an_empty_line_says_where_a_text_goes() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("@bob", 0, 0, muted=False))
    assert me.hint == "message to everyone · / for commands"
    me.load()
    navigation.open_chat(me.screen, "@bob")
    me.load(chat="@bob")
    assert me.hint == "message to bob · / for commands"
    me.hear(said(1, chat="@bob"))
    message_actions.click(me.screen, 1)
    assert me.hint == "message to bob · / for commands", "which a click does not change"
    message_actions.choose(me.screen, -1)
    assert me.hint == ""


@pytest.mark.parametrize("columns", [40, 60, 80, 110, 200])
def test_a_question_says_at_any_width_which_key_says_yes(columns: int) -> None:
    me = Me(columns=columns)
    me.load()
    for text in (
        "paste 9 lines?",
        "send it to #a-chat-with-a-long-name as a file? 1 line · 50,000 of 4,096 characters",
    ):
        me.screen.dialogs.question = Question(text, "file")
        asked = " ".join(me.text("bar").split())
        assert asked.startswith(text if columns > 40 else text[:12]) and " Enter: yes" in asked
        me.resize(columns, 9)
        assert "Enter: yes" in me.text("bar") and me.text("bar").startswith(f" {text[:12]}")
        me.resize(columns, 34)


def test_which_keys_say_no_takes_no_row_of_its_own() -> None:
    me = Me(columns=80)
    me.load()
    me.screen.dialogs.question = Question("paste 30 lines · 80 of 4,096 characters?", "paste")
    assert me.text("bar") == " paste 30 lines · 80 of 4,096 characters?  Enter: yes"
    me.resize(110, 34)
    assert me.text("bar").endswith(" Enter: yes · any other key: no")


def test_a_long_text_says_how_long_it_is() -> None:
    me = Me()
    me.screen.composer.text = "\n" * 200
    assert me.text("bar") == " 201 lines · 200 of 4,096 characters"
    me.screen.composer.text = "x" * 3600
    assert "characters" not in me.text("bar")
    me.screen.composer.text = "x" * 3687
    assert row_style(me) == "status-warn"
    me.resize(110, 15)
    assert "1 line · 3,687 of 4,096 characters" in me.text("bar")


def row_style(me: Me) -> str:
    return next(region for region in me.frame().regions if region.name == "bar").rows[0].fragments[0][0]


def test_what_one_can_do_is_whole_in_a_narrow_bar() -> None:
    me = Me(ChatInfo("main", 0, 40, muted=False), columns=60, rows=24)
    me.load(*(said(id) for id in range(1, 41)))
    me.screen.reading.unread_above = 160
    assert me.text("bar").strip() == "↑ 160 unread · Alt-U · Esc marks it read"
    me.screen.tell("error", "an error of fifty characters, all of which matters")
    assert me.text("bar").strip() == "an error of fifty characters, all of which matters"


REFUSED = (
    "nothing goes between you and bob: one of you has blocked the other; see /blocked, or ask whoever runs the server"
)


@pytest.mark.parametrize("columns", [40, 60, 80, 110, 140, 200])
def test_what_is_told_is_told_whole(columns: int) -> None:
    """The end says what to do: `see /blo…` stood there."""
    me = Me(columns=columns)
    me.load(*(said(id) for id in range(1, 41)))
    rows = len(me.rows("feed")) + len(me.rows("bar"))
    me.screen.tell("error", REFUSED)
    assert all(row.startswith(" ") for row in me.rows("bar")) or columns == 40, "there every column is needed"
    assert " ".join(me.text("bar").split()) == REFUSED
    assert len(me.rows("feed")) + len(me.rows("bar")) == rows and "text 40" in me.rows("feed")[-1]
    me.screen.tell("error", "word " * 300)
    assert len(me.rows("bar")) == 3 and me.rows("bar")[-1].endswith("…")
    me.resize(columns, 9)
    assert len(me.rows("bar")) <= 2


def test_what_is_told_of_a_line_goes_with_it() -> None:
    """It told how to use `/leave` long after something else was sent."""
    me = Me()
    me.load()
    me.screen.composer.text = "/leave #ops"
    me.screen.tell("info", "Enter does it for the open chat", line="/leave #ops")
    assert "Enter does it for the open chat" in me.text("bar")
    me.screen.composer.text = ""
    assert "Enter does it" not in me.text("bar")
