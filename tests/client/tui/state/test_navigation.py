import pytest
from msgspec import structs

from chat_client.common.transfers import Transfer
from chat_client.sdk.events import Outgoing
from chat_client.tui.state import chat_list, message_actions, navigation
from chat_client.tui.state.dialogs import Finder
from chat_client.tui.state.effects import Copy, Exit, Run, SetText
from chat_client.tui.state.keys import DEEDS
from chat_client.tui.state.replies import take_answer
from chat_client.tui.state.typing import submit
from chat_server.protocol.messages import MessagesShown, ThreadShown
from chat_server.protocol.rooms import ChatInfo
from chat_server.protocol.table import TABLE
from tests.client.people import START, Me, at, said

CHATS = (
    ChatInfo("main", 0, 0, muted=False),
    ChatInfo("#team", 0, 2, muted=False),
    ChatInfo("@bob", 0, 1, muted=False),
    ChatInfo("@carol", 0, 0, muted=False),
)


def ready() -> Me:
    me = Me(*CHATS)
    me.load(*(said(id) for id in range(1, 101)), more=True)
    me.wanted()
    return me


def test_chats_by_number_and_in_turn() -> None:
    me = ready()
    navigation.open_number(me.screen, 3, "")
    assert me.screen.chats.open_name == "@bob"
    navigation.open_next(me.screen, 1, "")
    navigation.open_next(me.screen, 1, "")
    assert me.screen.chats.open_name == "main"
    navigation.open_number(me.screen, 9, "")
    assert me.screen.chats.open_name == "main"


def test_a_draft_stays_with_its_chat() -> None:
    me = ready()
    navigation.open_chat(me.screen, "@bob", "half a line")
    assert [effect.text for effect in me.wanted(SetText)] == [""]
    navigation.open_chat(me.screen, "main", "")
    assert [effect.text for effect in me.wanted(SetText)] == ["half a line"]


def test_only_so_many_chats_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_list, "LOADED_MAX", 2)
    me = ready()
    navigation.open_chat(me.screen, "#team")
    me.load(said(201, chat="#team"), said(202, chat="#team"), chat="#team")
    me.screen.chats.open.feed.add_refused("k", "mine", at(203), "too_large: no", None)
    for name in ("@bob", "@carol"):
        navigation.open_chat(me.screen, name)
        me.load(said(301, chat=name), chat=name)
    rooms = me.screen.chats.by_name
    assert not rooms["main"].feed.items and not rooms["main"].loaded
    assert rooms["#team"].feed.has_refused, "which nobody else has"
    assert rooms["@carol"].feed.messages and rooms["@bob"].feed.messages
    me.wanted()
    me.hear(said(400))
    assert rooms["main"].unread == 1
    navigation.open_chat(me.screen, "main")
    me.load(said(399), said(400))
    assert list(me.screen.feed.messages) == [399, 400]


def test_the_next_unread_chat_is_one_with_a_mention() -> None:
    me = ready()
    navigation.open_unread(me.screen, "")
    assert me.screen.chats.open_name == "@bob"
    me.screen.chats.by_name["#team"].mentions.add(5)
    navigation.open_chat(me.screen, "main")
    navigation.open_unread(me.screen, "")
    assert me.screen.chats.open_name == "#team"


def test_jumping_finds_chats_and_people_by_a_part() -> None:
    me = ready()
    me.status(["alice", "bob", "dora"], *CHATS)
    assert found(me, "or") == ["@dora"]
    assert found(me, "#") == ["#team"]
    assert found(me, "a")[0].lstrip("@#")[0] != "z"
    me.screen.dialogs.finder = Finder("car")
    navigation.open_found(me.screen, "")
    assert me.screen.chats.open_name == "@carol" and me.screen.dialogs.finder is None


def found(me: Me, part: str) -> list[str]:
    me.screen.dialogs.finder = Finder(part)
    return navigation.found(me.screen)


def test_esc_goes_one_step_back_at_a_time() -> None:
    me = ready()
    navigation.scroll(me.screen, 20)
    me.settle()
    message_actions.choose(me.screen, -1)
    navigation.toggle_keys_page(me.screen)
    for _ in range(3):
        assert navigation.escape(me.screen)
    assert me.screen.feed.anchor is None and not navigation.escape(me.screen)


def test_the_first_unread_message() -> None:
    me = Me(ChatInfo("main", 40, 60, muted=False))
    me.load(*(said(id) for id in range(1, 101)))
    navigation.show_first_unread(me.screen)
    assert any("new from here" in row for row in me.rows())


def test_a_thread_is_a_view_of_its_own_and_lives() -> None:
    me = ready()
    navigation.open_thread(me.screen, 5)
    (ask,) = me.asked("thread")
    me.answer(ask, [said(5, "the root"), said(6, "a comment", reply_to=5)], ThreadShown(5, "main", 1))
    assert me.rows("title")[0].strip().startswith("main · thread · the root")
    assert me.hint == "reply in this thread, to everyone"
    me.hear(said(200, "another", reply_to=6), said(201, "elsewhere"))
    assert "another" in me.text() and "elsewhere" not in me.text()
    navigation.escape(me.screen)
    assert "elsewhere" in me.text()


def test_results_are_stepped_through_and_opened_in_place() -> None:
    me = ready()
    navigation.search(me.screen, "needle")
    (run,) = me.wanted(Run)
    assert run.command.line == "/search needle"
    take_answer(
        me.screen, run.why, "search", [said(900, "a needle", chat="@bob"), said(7)], MessagesShown("main", 2), me.now
    )
    assert "#900" in me.text() and me.screen.feed.selected == 900
    message_actions.step(me.screen, -1)
    assert me.screen.feed.selected == 7 and not me.screen.is_choosing
    message_actions.step(me.screen, 1)
    message_actions.open_selected(me.screen)
    assert me.screen.view is None and me.screen.chats.open_name == "@bob"
    (ask,) = [ask for ask in me.asked("history") if "around" in ask.arguments]
    me.answer(ask, [said(id, chat="@bob") for id in range(895, 906)], MessagesShown("@bob", 11))
    assert me.screen.feed.selected == 900


def test_nothing_found() -> None:
    me = ready()
    navigation.search(me.screen, "needle")
    (run,) = me.wanted(Run)
    take_answer(me.screen, run.why, "search", [], MessagesShown("main", 0), me.now)
    assert "nothing found: search · needle" in me.text() and me.screen.view is None


def test_only_own_messages_are_edited() -> None:
    me = ready()
    me.hear(said(101, "mine", who="alice"))
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "edit", "half a line")
    assert [effect.text for effect in me.wanted(SetText)] == ["mine"]
    navigation.escape(me.screen)
    assert [effect.text for effect in me.wanted(SetText)] == ["half a line"]
    message_actions.choose(me.screen, -1)
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "edit")
    assert me.screen.composer.target is None and "only your own" in me.text("bar")


def test_a_thread_opens_its_chat_and_what_stood_in_the_line_stays_in_the_other() -> None:
    me = ready()
    me.screen.composer.text = "meant for all"
    navigation.open_thread(me.screen, 5, "meant for all")
    (ask,) = me.asked("thread")
    me.answer(ask, [said(5, "just us", chat="@bob")], ThreadShown(5, "@bob", 0))
    assert me.screen.chats.open_name == "@bob" and me.screen.chats.by_name["main"].draft == "meant for all"
    assert me.rows("title")[0].strip().startswith("@bob · thread · just us")
    assert me.hint == "reply in this thread, to bob"
    assert any("▌" in row and "bob" in row for row in me.rows("left"))
    navigation.escape(me.screen)
    assert me.screen.view is None and me.screen.chats.open_name == "@bob"


def test_alt_a_goes_round_all_that_is_unread() -> None:
    me = Me(*(ChatInfo(name, 0, 0, muted=False) for name in ("main", "#a", "#b", "#c", "@bob")))
    me.load()
    for id, (name, text) in enumerate((("#a", ""), ("#b", "@alice"), ("#c", ""), ("@bob", "")), 1):
        me.hear(said(id, text, chat=name))
    round = ["#b", "@bob", "#a", "#c"]
    assert pressed(me, 8) == round + round
    me.hear(said(9, "@alice", chat="#a"))
    assert pressed(me, 1) == ["#a"], "what is new calls before its turn"


def pressed(me: Me, times: int) -> list[str]:
    """The chats that Alt-A opens, pressed so fast that no marker moves."""
    opened = []
    for _ in range(times):
        navigation.open_unread(me.screen, "")
        opened.append(me.screen.chats.open_name)
    return opened


def test_a_command_that_is_clicked_never_becomes_an_answer() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    navigation.offer_command(me.screen, "/join #x", "")
    assert me.screen.is_typing and me.wanted(SetText) == [SetText("/join #x")]
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "reply")
    me.wanted()
    navigation.offer_command(me.screen, "/join #x", "")
    assert not me.wanted(SetText) and "/join #x" in me.text("bar")


def test_an_id_is_copied() -> None:
    me = ready()
    message_actions.choose(me.screen, -1)
    message_actions.copy_id(me.screen)
    assert me.wanted(Copy) == [Copy("#100")]


SENDING = [verb for verb, spec in TABLE.items() if "key" in getattr(spec.build, "__struct_fields__", ())]


@pytest.mark.parametrize("verb", SENDING)
def test_whatever_waits_is_shown_listed_and_asked_for_on_leaving(verb: str) -> None:
    me = ready()
    arguments = {"target": "#team", "text": "hello", "id": 3, "delay": "5m", "name": "hello.png"}
    waiting = Outgoing("k", verb, arguments, START)
    me.hear(waiting)
    name = me.screen.unsent["k"].chat
    navigation.open_chat(me.screen, name)
    me.screen.chats.open.feed.at_end = True
    assert any("hello" in row for row in me.rows()) and "◌ waiting" in me.text()
    assert "1 to send" in me.text("status")
    submit(me.screen, "/waiting")
    assert f"{name}: " in me.text() and "(waiting)" in me.text()
    navigation.leave(me.screen)
    assert not me.wanted(Exit) and "1 not sent yet" in me.text("bar")
    me.screen.dialogs.question = None
    me.hear(structs.replace(waiting, state="held"))
    assert "◌ held" in me.text() and "1 held: /confirm or /discard" in me.text("status")
    me.hear(structs.replace(waiting, state="discarded"))
    assert "to send" not in me.text("status") and not me.screen.unsent
    navigation.leave(me.screen)
    assert me.wanted(Exit)


def test_a_file_is_asked_for_on_leaving_while_it_comes() -> None:
    me = ready()
    me.screen.transfers[1] = Transfer("a", is_upload=False)
    navigation.leave(me.screen)
    assert not me.wanted(Exit) and "a file is on its way" in me.text("bar")


def test_a_chat_that_is_left_is_left_in_order() -> None:
    me = ready()
    me.screen.chats.open.new_after = 50
    message_actions.choose(me.screen, -1)
    message_actions.compose(me.screen, "reply", "half a line")
    me.wanted()
    navigation.open_chat(me.screen, "@bob", "half an answer")
    assert me.screen.composer.target is None and me.screen.chats.by_name["main"].draft == "half a line"
    assert [effect.text for effect in me.wanted(SetText)] == [""]
    message_actions.click(me.screen, 1)
    navigation.open_chat(me.screen, "main")
    assert me.screen.feed.selected is None and me.screen.chats.open.new_after is None, "nothing is new"
    message_actions.click(me.screen, 99)
    navigation.open_chat(me.screen, "@bob")
    navigation.open_chat(me.screen, "main")
    assert me.screen.feed.selected is None and me.screen.is_typing


def test_a_chat_opens_with_what_is_new_marked_and_from_its_first_unread_message_on() -> None:
    me = ready()
    navigation.open_chat(me.screen, "#team")
    me.load(*(said(id, chat="#team") for id in range(201, 301)), chat="#team")
    navigation.open_chat(me.screen, "main")
    me.hear(*(said(id, chat="#team") for id in range(301, 351)))
    me.screen.chats.by_name["#team"].read = 300
    navigation.open_chat(me.screen, "#team")
    assert me.screen.chats.open.new_after == 300
    assert any("new from here" in row for row in me.rows()) and "text 301" in me.text() and "text 350" not in me.text()


def test_what_was_seen_in_one_chat_says_nothing_of_the_next_one() -> None:
    me = ready()
    me.screen.reading.candidate, me.screen.reading.unread_above = ("main", 100, 0.0), 7
    navigation.open_chat(me.screen, "@carol")
    assert me.screen.reading.candidate is None and me.screen.reading.unread_above == 0


def test_a_day_is_shown_in_its_place_whether_its_messages_are_kept_or_not() -> None:
    me = Me()
    me.load(said(1), said(2), said(3))
    me.wanted()
    submit(me.screen, "/goto 2026-11-18 00:00")
    (ask,) = me.asked("history")
    assert (ask.arguments["chat"], ask.arguments["limit"]) == ("main", 1) and ask.arguments["since"].endswith("Z")
    me.answer(ask, [said(2)], MessagesShown("main", 1))
    assert me.screen.feed.selected == 2
    submit(me.screen, "/goto yesterday")
    me.answer(me.asked("history")[0], [said(-5)], MessagesShown("main", 1))
    assert me.asked("history")[0].arguments["around"] == -5
    submit(me.screen, "/goto today")
    me.answer(me.asked("history")[0], [], MessagesShown("main", 0))
    assert "nothing was said in main since then" in me.text("bar")
    submit(me.screen, "/goto noon")
    assert "since when" in me.text()


def test_a_day_that_comes_when_another_chat_is_open_moves_nothing() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
    me.load(said(1))
    me.wanted()
    submit(me.screen, "/goto today")
    (ask,) = me.asked("history")
    navigation.open_chat(me.screen, "#team")
    me.wanted()
    me.answer(ask, [said(1)], MessagesShown("main", 1))
    assert me.screen.chats.open_name == "#team" and me.screen.feed.selected is None and not me.wanted()


def test_the_key_begins_the_command_and_what_was_typed_comes_back() -> None:
    me = Me()
    me.load(said(1))
    me.wanted()
    DEEDS["go_to_time"](me.screen, "half a line")
    assert me.wanted() == [SetText("/goto ")] and me.screen.composer.aside == "half a line"
