"""The local commands in the full screen, and each action of a key typed as a command."""

import pytest

from chat_client.common.keys import ACTIONS
from chat_client.common.local_commands import LOCAL, find_local, with_local
from chat_client.tui.state import navigation
from chat_client.tui.state.effects import Copy, OpenLink, Redraw, Run, SetText
from chat_client.tui.state.keys import DEEDS
from chat_client.tui.state.replies import take_answer
from chat_client.tui.state.typing import submit
from chat_server.protocol.help import command_forms
from chat_server.protocol.people import BlockSet, Muted, PreferenceChanged
from chat_server.protocol.rooms import ChatInfo
from chat_server.protocol.table import VERBS
from tests.client.people import Me, said


def ready() -> Me:
    """Alice has looked at bob's chat and gone on to a team's; in main something is unread."""
    names = ("main", "#team", "@bob")
    me = Me(*(ChatInfo(name, 0, 0, muted=False) for name in names))
    me.load(said(1))
    for name in ("@bob", "#team"):
        navigation.open_chat(me.screen, name)
        me.load(chat=name)
    me.hear(said(5, "new", chat="main"), said(6, "here", chat="#team"))
    me.screen.chats.open.mark_read(6, "alice")
    me.screen.session.commands = with_local(command_forms())
    me.wanted()
    return me


def seen(me: Me) -> tuple[object, ...]:
    """All that a command may change."""
    screen = me.screen
    dialogs = (screen.dialogs.finder is not None, screen.dialogs.keys_page is not None, screen.dialogs.question)
    return (
        me.wanted(), screen.chats.open_name, dialogs, screen.bare, screen.side_panels, screen.flash, me.text("feed"),
    )  # fmt: skip


@pytest.mark.parametrize("verb", LOCAL)
def test_every_local_command_does_something_and_is_taken(verb: str) -> None:
    me = ready()
    before = seen(me)
    assert submit(me.screen, LOCAL[verb].form.example)
    assert seen(me) != before


def test_a_level_and_that_nothing_calls_are_kept_apart_by_the_server() -> None:
    me = ready()
    listening = me.screen.listening

    def asked(line: str) -> list[str]:
        submit(me.screen, line)
        return [effect.command.line for effect in me.wanted(Run)]

    assert asked("/level all") == ["/preference level:#team all"], "nobody has muted it"
    listening.hear(PreferenceChanged("level:#team", "all"), "alice")
    assert asked("/level none") == ["/mute #team"]
    me.hear(Muted("#team", True))
    assert asked("/level") == [] and "nothing in #team calls you" in me.text()
    me.hear(Muted("#team", False))
    assert listening.level_now("#team") == "all", "as before"
    me.hear(Muted("#team", True))
    assert asked("/level mentions") == ["/unmute #team", "/preference level:#team "]


def test_nobody_ignores_themselves_and_main_s_number_is_not_given_away() -> None:
    me = ready()
    submit(me.screen, "/ignore @Alice")
    assert not me.screen.listening.ignored and "you cannot ignore yourself" in me.text()
    for chat in ("#team", "main"):
        submit(me.screen, f"/ignore {chat}")
        assert not me.screen.listening.ignored and "usage: /ignore" in me.text()
    submit(me.screen, "/pin #team 1")
    assert not me.screen.chats.pins and "one of 2 to 9" in me.text()


@pytest.mark.parametrize("number", ["0", "00", "-1", "x", "²", "12345"])
def test_no_link_has_such_a_number(number: str) -> None:
    me = ready()
    for message in (said(7, "none", chat="#team"), said(8, "https://a.example https://b.example", chat="#team")):
        me.hear(message)
        submit(me.screen, f"/open_link {message.id} {number}")
        assert "the number of a link is 1 or more" in me.text() and not me.wanted(OpenLink)


def test_what_is_cleared_is_not_told_to_be_nothing() -> None:
    me = ready()
    submit(me.screen, "/ignore")
    submit(me.screen, "/clear")
    assert "ignored in main" not in me.text() and me.screen.flash is None
    submit(me.screen, "/clear")
    assert me.screen.flash is not None and "nothing to clear" in me.screen.flash.text


TYPED = [
    name for name in DEEDS
    if ACTIONS[name].command and ACTIONS[name].where in ("screen", "empty", "end") and not name.startswith("chat_")
    and name not in ("search", "go_to_time")  # these begin a command in the line
]  # fmt: skip


@pytest.mark.parametrize("name", TYPED)
def test_a_typed_command_does_what_its_key_does(name: str) -> None:
    by_key, typed = ready(), ready()
    before = seen(by_key)
    DEEDS[name](by_key.screen, "")
    submit(typed.screen, ACTIONS[name].command)
    done = seen(by_key)
    assert done == seen(typed) and done != before


def test_the_keys_with_numbers_and_their_command() -> None:
    by_key, typed = ready(), ready()
    DEEDS["chat_3"](by_key.screen, "")
    submit(typed.screen, f"{ACTIONS['chat_3'].command} bob")
    assert by_key.screen.chats.open_name == typed.screen.chats.open_name == "@bob"


def test_a_message_is_quoted_by_key_and_by_command() -> None:
    by_key, typed = ready(), ready()
    by_key.screen.feed.selected = 6
    DEEDS["quote"](by_key.screen, "so?")
    submit(typed.screen, "/quote 6")
    assert by_key.wanted() == [SetText("> bob: here\nso?")] and typed.wanted() == [SetText("> bob: here\n")]


# They move what is in sight, or step through messages; the last one copies an id, which who types it knows.
MOVING = {
    "page_up", "page_down", "rows_up", "rows_down", "oldest", "newest", "previous_mention", "next_mention", "back",
    "open_result", "result_up", "result_down", "choose_up", "choose_down", "chosen_up", "chosen_down", "copy_id",
}  # fmt: skip


def test_every_action_has_a_command() -> None:
    for name in DEEDS:
        command = ACTIONS[name].command
        if command:
            assert find_local(command) is not None or command[1:] in VERBS
        else:
            assert name in MOVING


def test_open_alone_asks_which() -> None:
    me = ready()
    submit(me.screen, "/open")
    assert me.screen.dialogs.finder is not None


def test_the_text_of_a_message_is_copied() -> None:
    me = ready()
    submit(me.screen, "/copy #6")
    assert me.wanted() == [Copy("here")] and "copied the text of #6" in me.text("bar")
    submit(me.screen, "/copy 99")
    assert not me.wanted() and "the text of #99 is not here" in me.text()


def test_drawing_anew() -> None:
    me = ready()
    submit(me.screen, "/redraw")
    assert me.wanted() == [Redraw()]


def test_a_block_shows_at_once_what_ended_with_it() -> None:
    """The server tells nobody which invitations and requests between the two end."""
    me = ready()
    submit(me.screen, "/block bob")
    (run,) = me.wanted()
    take_answer(me.screen, run.why, "block", [], BlockSet("bob", True), me.now)
    assert me.asked("status")
