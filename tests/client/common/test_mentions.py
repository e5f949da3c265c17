"""Which messages call the user."""

import pytest
from msgspec import structs

from chat_client.common.mentions import Attention, calls, mentions
from chat_client.sdk.events import AnyEvent, Connected, Connecting, Forgotten
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.messages import Message
from chat_server.protocol.people import Muted
from chat_server.protocol.rooms import ChatInfo, Invited
from tests.client.people import said

SIGNED_IN = SignedIn(user="me", new=False, seq=0, history="h", chats=[ChatInfo("#noise", 0, 0, muted=True)],
                     invitations=[], join_requests=[])  # fmt: skip


@pytest.mark.parametrize(
    "message, named, called",
    [
        (said(1, "hi", mentions=["bob", "me"]), True, True),
        (said(1, "hi @me", mentions=[]), False, False),  # who is blocked calls nobody
        (said(1, "hi @me", mentions=None), False, False),
        (said(1, "hi @me", mentions=["me"], deleted=True), False, False),
        (said(1, "hi @me", who="me", mentions=["me"]), False, False),
        (said(1, "hi", chat="@bob"), False, True),
        (said(1, "hi", chat="@bob", deleted=True), False, False),
        (said(1, "hi", who="me", chat="@bob"), False, False),
    ],
)
def test_whom_a_message_calls(message: Message, named: bool, called: bool) -> None:
    assert (mentions(message, "me"), calls(message, "me")) == (named, called)


class Listener:
    """Events come ten seconds apart."""

    def __init__(self) -> None:
        self.attention, self.elapsed = Attention(), 0.0

    def hear(self, *events: AnyEvent, watched: bool = False, apart: float = 10.0) -> list[str]:
        called = []
        for event in events:
            self.elapsed += apart
            if call := self.attention.call(event, "me", self.elapsed, watched):
                called.append(f"{call.title}: {call.text}")
        return called

    @classmethod
    def connected(cls) -> "Listener":
        listener = cls()
        listener.hear(Connected("server", SIGNED_IN, False))
        return listener


def test_one_to_one_messages_and_mentions_call() -> None:
    called = Listener.connected().hear(
        said(2, "to all"),
        said(3, "hi @me\x1b[2J\nmore", mentions=["me"]),
        said(4, "psst", chat="@bob"),
        said(5, "mine, from another device", who="me", chat="@bob"),
        Invited("#team", "bob"),
    )
    assert called == ["bob in main: hi @me[2J…", "bob: psst", "invitation: bob invites you to #team"]


def test_who_is_blocked_calls_nobody() -> None:
    """The server leaves the names of those who have blocked the author out of `mentions`."""
    assert Listener.connected().hear(said(2, "hi @me", mentions=[])) == []


def test_what_was_missed_does_not_call() -> None:
    listener = Listener()
    missed = [said(1, "missed", chat="@bob"), Invited("#team", "bob")]
    assert listener.hear(Connecting("server", 1), *missed) == []
    assert listener.hear(Connected("server", SIGNED_IN, False), said(2, "live", chat="@bob")) == ["bob: live"]
    assert listener.hear(Connecting("server", 1), said(3, "missed", chat="@bob")) == []


def test_a_message_that_changes_does_not_call_again() -> None:
    listener = Listener()
    listener.hear(Connected("server", structs.replace(SIGNED_IN, seq=10), False))
    assert listener.hear(said(6, "of before the sign-in", chat="@bob")) == []
    assert listener.hear(said(7, "edited", seq=11, chat="@bob"), said(12, "new", seq=13, chat="@bob")) == ["bob: new"]
    assert listener.hear(said(12, "new, edited", seq=14, chat="@bob")) == []
    assert listener.hear(Forgotten(), said(1, "of another history", chat="@bob")) == ["bob: of another history"]


def test_muted_chats_do_not_call() -> None:
    listener = Listener.connected()
    assert listener.hear(said(2, "@me", chat="#noise", mentions=["me"])) == []
    assert listener.hear(Muted("#noise", False), Muted("@bob", True), said(3, "muted", chat="@bob")) == []
    assert listener.hear(said(4, "@me", chat="#noise", mentions=["me"])) == ["bob in #noise: @me"]


def test_what_the_user_sees_come_does_not_call() -> None:
    assert Listener.connected().hear(said(2, "seen", chat="@bob"), watched=True) == []


def test_not_for_each_of_many() -> None:
    listener = Listener.connected()
    many = [said(id, str(id), chat="@bob") for id in (2, 3, 4)]
    assert listener.hear(*many, apart=0.5) == ["bob: 2", "bob: 4"]
