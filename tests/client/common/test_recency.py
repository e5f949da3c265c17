"""What has been seen lately: the most recent first, and never more than so many."""

from msgspec import structs

from chat_client.common import recency
from chat_client.common.recency import Recent
from chat_client.sdk.events import Connected, Outgoing
from chat_server.protocol.accounts import SignedIn, TokenInfo, TokenList, TokenRevoked
from chat_server.protocol.help import command_forms
from chat_server.protocol.messages import File, Message, Sent
from chat_server.protocol.operators import AddressBanList, AddressBanned, AddressUnbanned, BannedAddress
from chat_server.protocol.people import PresenceChanged, StatusReport
from chat_server.protocol.rooms import ChatInfo, Invited, Joined, Left


def said(id_: int, user: str, chat: str = "main", text: str = "hi", file: File | None = None) -> Message:
    return Message(id_, id_, chat, user, "2026-11-21T12:00:00.000Z", text, file=file)


def test_who_spoke_last_comes_first() -> None:
    seen = Recent()
    for event in (
        said(1, "bob"),
        said(2, "carol", "@carol", "two\nlines"),
        said(3, "bob"),
        PresenceChanged("dave", True),
    ):
        seen.note(event)
    chats = [ChatInfo(name, 0, 0, muted=False) for name in ("main", "#ops")]
    seen.note(Connected("a:1", SignedIn("me", False, 1, "h", chats, [], []), False))
    known = seen.known(command_forms(), "#ops", "me", None)
    assert known.users == ["bob", "carol", "dave"]
    assert known.chats == ["#ops", "main", "@carol"]
    assert known.messages == [(3, "bob: hi"), (2, "carol: two…"), (1, "bob: hi")]
    assert "open" in [form.verb for form in known.commands]


def test_banned_networks_are_known_as_they_were_listed_or_changed_last() -> None:
    seen = Recent()
    seen.note(AddressBanList([BannedAddress("192.0.2.0/24", "bots", "boss")]))
    seen.note(AddressBanned("2001:db8::/64", "floods"))
    known = seen.known((), "main", "me", None)
    assert known.networks == [("192.0.2.0/24", "bots"), ("2001:db8::/64", "floods")]
    seen.note(AddressUnbanned("192.0.2.0/24"))
    assert seen.known((), "main", "me", None).networks == [("2001:db8::/64", "floods")]


def test_tokens_are_known_as_they_were_listed_last() -> None:
    seen = Recent()
    at = "2026-11-21T12:00:00.000Z"
    seen.note(TokenList([TokenInfo("0a", at, client="old"), TokenInfo("0b", at, this=True)]))
    seen.note(TokenList([TokenInfo("1a", at, client="phone", address="192.0.2.7"), TokenInfo("1b", at)]))
    assert seen.known((), "main", "me", None).tokens == [("1a", "phone  192.0.2.7"), ("1b", "")]
    seen.note(TokenRevoked("1a", 0))
    assert seen.known((), "main", "me", None).tokens == [("1b", "")]


def test_what_belongs_to_the_open_chat_comes_first() -> None:
    seen = Recent()
    for event in (said(1, "bob", "#team"), said(2, "carol"), said(3, "dave", "#ops"), said(4, "me", "#team")):
        seen.note(event)
    sent = Outgoing("k", "send", {"target": "#team", "text": "mine"}, 0, "sent", reply=Sent(5, "2026-11-21"))
    seen.note(sent, "me")
    known = seen.known((), "#team", "me", None)
    assert known.users == ["bob", "dave", "carol"], "nobody completes the own name"
    assert known.messages == [(5, "me: mine"), (4, "me: hi"), (1, "bob: hi"), (3, "dave: hi"), (2, "carol: hi")]


def test_what_is_gone_is_not_completed() -> None:
    seen = Recent()
    seen.note(said(1, "bob", "#team"))
    seen.note(structs.replace(said(1, "bob", "#team"), deleted=True))
    seen.note(Left("#team", "me"), "me")
    known = seen.known((), "main", "me", None)
    assert (known.messages, known.chats, seen.chats) == ([], ["main"], ["main"])


def test_the_list_of_chats() -> None:
    seen = Recent()
    for event in (said(1, "bob", "@bob"), Invited("#team", "bob"), Joined("#a", "me"), Joined("#no", "bob")):
        seen.note(event, "me")
    seen.note(StatusReport("me", ["zoe"], ["yan"], [], [], [], {}, "2026-11-21"))
    assert seen.chats == ["main", "#a", "#team", "@bob"]
    assert seen.known((), "main", "me", None).users == ["bob", "zoe", "yan"]


def test_files() -> None:
    seen = Recent()
    seen.note(said(1, "bob", file=File(9, "a.png", 3, "x")))
    assert seen.known((), "main", "me", None).files == [(9, "a.png")]


def test_it_is_bounded() -> None:
    seen = Recent()
    for number in range(3000):
        seen.note(said(number, f"user{number}", f"@user{number}"))
        seen.note(PresenceChanged(f"guest{number}", True))
    known = seen.known((), "main", "me", None)
    assert len(known.users) <= recency.USERS_MAX and len(known.chats) <= recency.CHATS_MAX + 1
    assert len(known.messages) == recency.MESSAGES_MAX
    assert known.users[0] == "user2999"
