"""The full screen and --plain say the same in the same words, and ring for the same."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from chat_client.plain.app import Plain
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept
from chat_client.tui.state.effects import Ring
from chat_client.tui.state.incoming import handle
from chat_client.tui.state.items import NoteItem
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import TypedRequest
from chat_server.protocol import EVENTS
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import HelpText
from chat_server.protocol.files import FileChunk
from chat_server.protocol.messages import DelayedSet, Message
from chat_server.protocol.people import BlockList, Muted
from chat_server.protocol.rooms import ChatInfo, Invited
from tests.client.people import START, Me, said
from tests.client.recording_chat import RecordingChat
from tests.unit.protocol import samples

ELAPSED = iter(range(0, 1 << 40, 10))


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.sdk.clock.now", lambda: START)
    monkeypatch.setattr("chat_client.sdk.clock.elapsed", lambda: float(next(ELAPSED)))


class Both:
    """Alice at the full screen, which is not in focus, and in one column."""

    def __init__(self) -> None:
        self.me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 0, muted=False))
        self.me.load()
        self.me.screen.reading.focused = False
        self.me.wanted()
        self.chat, self.written, self.rings = RecordingChat(), list[str](), list[str]()
        chat: Any = self.chat
        self.plain = Plain(chat, Path(), self.written.append, lambda call: self.rings.append(call.text))

    def hear(self, event: Any) -> tuple[list[str], list[str]]:
        """What is told by the full screen, and by the column, in words and without marks."""
        feeds = [chat.feed for chat in self.me.screen.chats.by_name.values()]
        before = {id(item) for feed in feeds for item in feed.items}
        self.me.screen.flash = None
        handle(self.me.screen, event, START)
        feeds = [chat.feed for chat in self.me.screen.chats.by_name.values()]
        told = [
            item.text for feed in feeds for item in feed.items if isinstance(item, NoteItem) and id(item) not in before
        ]
        told += [self.me.screen.flash.text] if self.me.screen.flash is not None else []
        self.written.clear()
        self.plain._take(event)
        return told, self.words()

    def words(self) -> list[str]:
        lines = "".join(self.written).replace("\n    | ", "\0").splitlines()
        return [line[2:].replace("\0", "\n") for line in lines]


def in_team(event: Any) -> Any:
    """Of a chat that there may be, and of other users than alice."""
    return structs.replace(event, chat="#team") if "chat" in event.__struct_fields__ else event


PUSHED = [event for event in EVENTS if event not in (Message, FileChunk)]


@given(st.one_of(*map(samples.samples, PUSHED)))
def test_what_both_tell_of_an_event_they_tell_in_the_same_words(event: Event) -> None:
    on_screen, in_column = Both().hear(in_team(event))
    assert not on_screen or on_screen == in_column


STATES = [
    Lost("the server hung up", 7.0),
    Ended("signed_out", "signed out elsewhere"),
    Forgotten(),
    TokenNotKept("a full disk"),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
def test_states_of_the_connection(state: Any) -> None:
    both = Both()
    on_screen, in_column = both.hear(state)
    assert isinstance(state, Lost) or in_column[0] in on_screen, "where there is no connection the status says so"
    assert len(in_column) == 1


SENT = Outgoing("k", "send_file", {"target": "main", "name": "a.png", "text": "hi"}, START)


@pytest.mark.parametrize(
    "command",
    [
        structs.replace(SENT, state="discarded"),
        structs.replace(SENT, error=Refused("unavailable", "the disk is full")),
        structs.replace(SENT, verb="send_delayed", state="sent", reply=DelayedSet(3, "2026-11-21T13:00:00.000Z")),
    ],
    ids=lambda command: command.state,
)
def test_what_became_of_what_was_sent(command: Outgoing) -> None:
    on_screen, in_column = Both().hear(command)
    assert on_screen == in_column != []


@given(st.one_of(*map(samples.samples, samples.REPLIES)))
@example(BlockList(["", "bob", ""]))
@example(BlockList([""]))
@example(HelpText([""]))
def test_what_both_tell_of_a_reply_they_tell_in_the_same_words(reply: Reply) -> None:
    both = Both()
    take_answer(both.me.screen, TypedRequest("main", "/x"), "x", [], in_team(reply), START)
    notes = [item.text for item in both.me.screen.chats.chat("main").feed.items if isinstance(item, NoteItem)]
    both.plain.front_end.show_reply("x", in_team(reply))
    *items, done = both.words() or [""]
    assert not notes or [note.rstrip() for note in notes] == ["\n  ".join((done, *items)).rstrip()]


def test_a_refusal() -> None:
    both, error = Both(), Refused("banned", "you are\nbanned")
    take_refusal(both.me.screen, TypedRequest("main", "/x"), error, START)
    both.plain._refuse(error)
    assert "✗ you are banned" in both.me.text() and both.words() == ["banned: you are banned"], "scripts read the code"


# Mostly new messages; a smaller place is that of an older one, which has changed.
PLACES = st.sampled_from([9, 8, 7, 6, 5, 4, 3, 2, 1, -1, -3])
MESSAGES = st.builds(
    lambda place, **fields: (place, fields),
    place=PLACES,
    text=st.sampled_from(["hi", "hi @alice"]),
    who=st.sampled_from(["bob", "bob", "alice"]),
    chat=st.sampled_from(["main", "#team", "@bob"]),
    mentions=st.sampled_from([None, [], ["alice"], ["bob", "alice"]]),
    deleted=st.sampled_from([False, False, False, True]),
)
CONNECTED = Connected("a:1", SignedIn("alice", False, 5, "h", [ChatInfo("main", 0, 0, muted=False)], [], []), True)
OTHERS = [
    Muted("#team", True),
    Muted("@bob", False),
    Invited("#new", "bob"),
    Connecting("a:1", 1),
    CONNECTED,
    CONNECTED,
    Forgotten(),
]
HEARD = st.lists(MESSAGES | MESSAGES | MESSAGES | st.sampled_from(OTHERS), max_size=12)


def numbered(heard: list[Any]) -> Iterator[Any]:
    """The messages get their ids in order."""
    newest = 10
    for seq, event in enumerate(heard, 11):
        if isinstance(event, tuple):
            place, fields = event
            newest = max(newest, newest + place)
            yield said(max(1, newest + min(place, 0)), fields.pop("text"), seq=max(newest, seq), **fields)
        else:
            yield event


@given(HEARD)
def test_both_ring_for_the_same(heard: list[Any]) -> None:
    """A user who is blocked is in no `mentions`, and so rings in neither."""
    both, events = Both(), list(numbered(heard))
    both.chat.events = [Connecting("localhost:8000", 1), both.me.screen.session.connection, *events]
    rings = []
    for event in events:
        both.me.screen.elapsed += 10
        handle(both.me.screen, event, START)
        rings += [effect.body for effect in both.me.wanted(Ring)]
    asyncio.run(both.plain._take_all())
    assert rings == both.rings
