"""Lines and keys right behind a line that opens a chat or a thread, while that is not answered: none is lost."""

from collections.abc import Callable
from typing import Any

import pytest

from chat_client.common.local_commands import LOCAL, with_local
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.tui.render.frame import frame
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.dialogs import Question
from chat_client.tui.state.effects import Ask, Exit, PostMessage, Run, SetText
from chat_client.tui.state.items import NoteItem
from chat_client.tui.state.keys import DEEDS
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import HistoryRequest, Opening, ThreadRequest, TimeRequest
from chat_client.tui.state.typing import answer_question, submit
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.help import command_forms
from chat_server.protocol.messages import MessagesShown, ThreadShown
from chat_server.protocol.rooms import ChatCreated, ChatInfo, Entering
from tests.client.people import Me, said

# What opens something, the chat that it opens, and the answer.
OPENINGS: dict[str, tuple[str, list[Event], Reply]] = {
    "/create_chat #z": ("#z", [], ChatCreated("#z")),
    "/join #z": ("#z", [], Entering("#z")),
    "/get_chat_with zed": ("@zed", [], MessagesShown("@zed", 0)),
    "/open zed": ("@zed", [], MessagesShown("@zed", 0)),
    "/messages #ours": ("#ours", [said(2, chat="#ours")], MessagesShown("#ours", 1)),
    "/history #ours": ("#ours", [said(2, chat="#ours")], MessagesShown("#ours", 1)),
    "/thread 6": ("#team", [said(6, chat="#team")], ThreadShown(6, "#team", 0)),
}
COMMANDS = with_local(command_forms())
WAITING = [each.form.example for each in LOCAL.values() if not each.at_once and each.says is None]


class Alice(Me):
    """She is in a team's chat and has typed a line that opens something."""

    def __init__(self, line: str) -> None:
        super().__init__(*(ChatInfo(name, 0, 0, muted=False) for name in ("main", "#team", "#ours", "@bob")))
        self.load(said(1))
        for name in ("#ours", "@bob", "#team"):
            navigation.open_chat(self.screen, name)
            self.load(said(6, chat="#team"), chat=name) if name == "#team" else self.load(chat=name)
        self.hear(said(8, "new", chat="main"))
        self.screen.session.commands = COMMANDS
        self.wanted()
        self.effects: list[Any] = []
        self._pages: list[Ask] = []
        self.line = line
        assert submit(self.screen, line)
        self.opening: Opening = next(each.why for each in self.do(Run, Ask) if isinstance(each.why, Opening))

    def do(self, *kinds: type[Any]) -> list[Any]:
        """Carry out what the screen wants: the texts that it puts into the line."""
        wanted = self.wanted()
        self.effects += wanted
        for effect in wanted:
            if isinstance(effect, SetText):
                self.screen.composer.text = effect.text
            elif isinstance(effect, Ask) and isinstance(effect.why, HistoryRequest):
                self._pages.append(effect)
        return [effect for effect in wanted if isinstance(effect, kinds)]

    def come(self) -> None:
        """The answer comes, and then the page of the chat that it opens."""
        verb = "thread" if isinstance(self.opening, ThreadRequest) else self.line[1:].partition(" ")[0]
        _, lines, reply = OPENINGS[self.line]
        take_answer(self.screen, self.opening, verb.replace("open", "get_chat_with"), lines, reply, self.now)
        self.do()
        while self._pages:
            page = self._pages.pop(0)
            chat = page.arguments["chat"]
            self.answer(page, [said(9, chat=chat)], MessagesShown(chat, 1))
            self.do()

    def fail(self, error: ChatError) -> None:
        take_refusal(self.screen, self.opening, error, self.now)
        self.do()

    def seen(self) -> tuple[object, ...]:
        self.do()
        screen = self.screen
        # Drawn once: that drawing changes nothing is tested elsewhere, and takes most of the time here.
        return (
            frame(screen, self.display).regions,
            screen.composer,
            sorted(map(repr, self.effects)),
            dict(screen.chats.pins),
        )

    @property
    def is_there(self) -> bool:
        """Whether what was typed to be opened is open."""
        view = self.screen.view
        is_right = view is not None if self.line.startswith(("/thread", "/history")) else True
        return self.screen.chats.open_name == OPENINGS[self.line][0] and is_right

    @property
    def told(self) -> str:
        return self.screen.told.text if self.screen.told else ""

    @property
    def notes(self) -> list[str]:
        return [item.text for item in self.screen.chats.open.feed.items if isinstance(item, NoteItem)]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("line", WAITING)
def test_a_local_command_is_done_in_what_is_opened_before_it(line: str, opening: str) -> None:
    behind, after = Alice(opening), Alice(opening)
    assert submit(behind.screen, line)
    behind.come()
    after.come()
    assert after.is_there
    submit(after.screen, line)
    assert behind.seen() == after.seen()


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_local_command_leaves_a_trace_where_something_is_opened_before_it(opening: str) -> None:
    without = Alice(opening)
    without.come()
    for verb, command in LOCAL.items():
        for line in (command.form.example, f"/{verb} no such thing"):
            me = Alice(opening)
            submit(me.screen, line)
            me.do()
            me.come()
            assert me.seen() != without.seen(), line


def _type_on(me: Alice) -> None:
    me.screen.composer.text = "hel"


def _ask(me: Alice) -> None:
    me.screen.dialogs.question = Question("paste 9 lines?", "paste", "")


HINDRANCES: dict[str, Callable[[Alice], None]] = {
    "typing": _type_on,
    "asked": _ask,
    "in the editor": lambda me: setattr(me.screen.composer, "is_in_editor", True),
    "choosing": lambda me: message_actions.choose(me.screen, -1),
    "elsewhere": lambda me: navigation.open_chat(me.screen, "main"),
}
ERRORS = [Refused("unknown_chat", "there is none"), Disconnected("lost")]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("line", WAITING)
def test_behind_what_opens_nothing_a_local_command_stands_in_the_line_again(line: str, opening: str) -> None:
    me = Alice(opening)
    assert submit(me.screen, line)
    me.fail(ERRORS[0])
    assert me.screen.composer.text == line and not any(line in each for each in me.notes)
    assert me.told.startswith(f"{me.opening.line} opened no ") and me.told.endswith(": Enter does this in #team")
    before = me.seen()
    assert submit(me.screen, line)
    assert me.seen() != before, "it waits for nothing any more"


@pytest.mark.parametrize("hindrance", HINDRANCES)
@pytest.mark.parametrize("opening", OPENINGS)
def test_where_nothing_is_opened_and_the_line_is_not_free_one_note_says_what_was_not_done(
    opening: str, hindrance: str
) -> None:
    line = "/goto yesterday"
    for error in (None, *ERRORS):
        me = Alice(opening)
        assert submit(me.screen, line)
        HINDRANCES[hindrance](me)
        typed = me.screen.composer.text
        me.come() if error is None else me.fail(error)
        assert me.screen.composer.text == typed
        (told,) = [each for each in me.notes if line in each]
        assert told.startswith(me.opening.line) and told.endswith(f"; not done: {line}")


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_command_that_was_begun_before_the_answer_is_done_in_the_chat_before_only_if_that_is_meant(
    opening: str,
) -> None:
    for line in WAITING:
        me = Alice(opening)
        me.screen.composer.text = line[:2]
        me.come()
        me.screen.composer.text = line
        before = dict(me.screen.chats.pins), list(me.effects), me.notes
        assert not submit(me.screen, line), line
        me.do()
        assert "has not opened" in me.told and me.told.endswith(": Enter does this in #team")
        assert (dict(me.screen.chats.pins), me.effects, me.notes) == before and me.screen.chats.open_name == "#team"
        assert submit(me.screen, line), "it is asked once"


@pytest.mark.parametrize("line", ["/send_file #ours a.txt", "/pin"])
def test_who_leaves_is_told_of_commands_that_wait(line: str) -> None:
    me = Alice("/join #z")
    assert submit(me.screen, line) and submit(me.screen, "/quit")
    assert me.screen.dialogs.question is not None and not me.do(Exit)
    assert me.screen.dialogs.question.text == "1 command not done yet: leave anyway?"
    answer_question(me.screen, True)
    assert me.do(Exit)


def test_of_several_commands_that_are_not_done_none_is_lost() -> None:
    me = Alice("/join #z")
    for line in ("/goto yesterday", "/pin", "/last"):
        assert submit(me.screen, line)
    me.fail(ERRORS[0])
    assert me.screen.composer.text == "/goto yesterday"
    assert me.notes[-2:] == [f"/join #z opened no chat; not done: {line}" for line in ("/pin", "/last")]


def test_each_command_waits_for_what_was_typed_before_it_alone() -> None:
    me = Alice("/join #z")
    assert submit(me.screen, "/pin") and submit(me.screen, "/create_chat #y")
    (second,) = [run.why for run in me.do(Run)]
    assert submit(me.screen, "/level none")
    me.come()
    assert list(me.screen.chats.pins) == ["#z"] and not [each for each in me.effects if "mute" in repr(each)]
    take_answer(me.screen, second, "create_chat", [], ChatCreated("#y"), me.now)
    assert [run.command.line for run in me.do(Run)] == ["/mute #y"] and me.screen.chats.open_name == "#y"


@pytest.mark.parametrize("line", ["/next", "/previous", "/last", "/unread"])
def test_a_command_that_waited_does_not_keep_what_was_typed_behind_it_from_being_opened(line: str) -> None:
    me = Alice("/join #z")
    assert submit(me.screen, line) and submit(me.screen, "/create_chat #y")
    (second,) = [run.why for run in me.do(Run)]
    me.come()
    assert me.screen.chats.open_name not in ("#z", "#y") and not submit(me.screen, "only for #y")
    answer_question(me.screen, False)
    take_answer(me.screen, second, "create_chat", [], ChatCreated("#y"), me.now)
    assert me.screen.chats.open_name == "#y" and submit(me.screen, "only for #y")


def test_a_command_that_was_not_done_stays_out_of_the_way_of_what_is_still_to_open() -> None:
    me = Alice("/join #z")
    assert submit(me.screen, "/pin") and submit(me.screen, "/create_chat #y")
    (second,) = [run.why for run in me.do(Run)]
    me.fail(ERRORS[0])
    assert me.notes[-1] == "/join #z opened no chat; not done: /pin"
    take_answer(me.screen, second, "create_chat", [], ChatCreated("#y"), me.now)
    assert me.screen.chats.open_name == "#y"


def test_a_command_waits_also_where_a_text_has_gone_to_the_chat_before() -> None:
    me = Alice("/join #z")
    assert not submit(me.screen, "still for the team")
    answer_question(me.screen, True)
    me.do()
    assert submit(me.screen, "/pin")
    me.come()
    assert list(me.screen.chats.pins) == ["#z"]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("is_chosen", [False, True])
def test_behind_a_key_what_was_to_be_opened_is_open_or_it_is_told_how(is_chosen: bool, opening: str) -> None:
    for name, deed in DEEDS.items():
        me = Alice(opening)
        if is_chosen:
            message_actions.choose(me.screen, -1)
        deed(me.screen, "")
        newer = [each.why for each in me.do(Ask) if isinstance(each.why, ThreadRequest)]
        me.come()
        assert me.is_there or me.told.endswith("when you are done") or newer, name


# ---- what is said of a text


@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("opening", OPENINGS)
def test_the_question_about_a_text_says_what_the_opening_has_come_to(opening: str, is_asked: bool) -> None:
    """Also if it was asked before that was known."""
    chat, _, _ = OPENINGS[opening]
    thing = "thread" if opening.startswith("/thread") else "chat"
    cases: list[tuple[Callable[[Alice], None], str]] = [
        (lambda me: None, f"opens {'a thread' if thing == 'thread' else 'another chat'}"),
        (Alice.come, f"has not opened {'the thread' if thing == 'thread' else chat}"),
        *((lambda me, error=error: me.fail(error), f"opened no {thing}") for error in ERRORS),
    ]
    for settle, words in cases:
        me = Alice(opening)
        me.screen.composer.text = "only for you"
        if is_asked:
            assert not submit(me.screen, "only for you")
        settle(me)
        assert is_asked or not submit(me.screen, "only for you")
        assert me.screen.dialogs.question is not None
        assert me.screen.dialogs.question.text == f"send this to #team? {me.opening.line} {words}"
        answer_question(me.screen, True)
        assert me.do(PostMessage) == [PostMessage("send", {"target": "#team", "text": "only for you"})]


@pytest.mark.parametrize("line", ["/join some-code", "/history #ours"])
def test_what_is_answered_and_opens_no_chat_is_not_said_to_open_one(line: str) -> None:
    replies: dict[str, Reply] = {"join": Entering("#z", asked=True), "history": MessagesShown("#ours", 0)}
    me = Alice(line)
    assert not submit(me.screen, "for you") and me.screen.dialogs.question is not None
    verb = line[1:].partition(" ")[0]
    take_answer(me.screen, me.opening, verb, [], replies[verb], me.now)
    assert me.screen.dialogs.question.text == f"send this to #team? {line} opened no chat"


# ---- a day


@pytest.mark.parametrize("hindrance", ["choosing", "elsewhere"])
def test_a_day_that_comes_too_late_says_how_to_go_there(hindrance: str) -> None:
    me = Alice("/join #z")
    me.come()
    submit(me.screen, "/open #team")
    submit(me.screen, "/goto yesterday")
    (ask,) = [each for each in me.do(Ask) if isinstance(each.why, TimeRequest)]
    HINDRANCES[hindrance](me)
    me.answer(ask, [said(6, chat="#team")], MessagesShown("#team", 1))
    assert me.screen.flash is not None
    assert me.screen.flash.text.endswith(": /goto yesterday in #team goes there when you are done")
