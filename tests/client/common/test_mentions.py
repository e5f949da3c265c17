"""Which messages call the user."""

import pytest

from chat_client.common.mentions import Calls, calls, mentions
from chat_client.sdk.events import Connected, Connecting
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.messages import Message
from chat_server.protocol.people import Muted
from chat_server.protocol.rooms import ChatInfo
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


def test_one_to_one_messages_and_mentions_call() -> None:
    called: list[tuple[str, str]] = []
    clock = iter(range(0, 1000, 10))
    calls = Calls(lambda title, text: called.append((title, text)), lambda: float(next(clock)))
    calls.heard(Connecting("server", 1), "me")
    calls.heard(said(1, "missed", chat="@bob"), "me")
    calls.heard(Connected("server", SIGNED_IN, False), "me")
    calls.heard(said(2, "to all"), "me")
    calls.heard(said(3, "hi @me\x1b[2J\nmore", mentions=["me"]), "me")
    calls.heard(said(4, "psst", chat="@bob"), "me")
    calls.heard(said(4, "psst, edited", seq=5, chat="@bob"), "me")
    calls.heard(said(6, "mine", who="me", chat="@bob"), "me")
    calls.heard(said(7, "@me", chat="#noise", mentions=["me"]), "me")
    calls.heard(Muted("#noise", False), "me")
    calls.heard(Muted("@bob", True), "me")
    calls.heard(said(8, "muted", chat="@bob"), "me")
    calls.heard(said(9, "@me", chat="#noise", mentions=["me"]), "me")
    assert called == [("bob in main", "hi @me[2J…"), ("bob", "psst"), ("bob in #noise", "@me")]


def test_not_for_each_of_many() -> None:
    called: list[str] = []
    times = iter((10.0, 10.5, 11.0))
    calls = Calls(lambda title, text: called.append(text), lambda: next(times))
    calls.heard(Connected("server", SIGNED_IN, False), "me")
    for id in (1, 2, 3):
        calls.heard(said(id, str(id), chat="@bob"), "me")
    assert called == ["1", "3"]
