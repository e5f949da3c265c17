from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.roster import USERS_MAX, Roster, recent_speakers
from chat_server.protocol.people import PresenceChanged
from tests.client.people import said


def test_who_comes_and_goes_and_is_away() -> None:
    roster = Roster()
    roster.take_presence(PresenceChanged("bob", True, "lunch"))
    assert roster.online == {"bob": True} and roster.away == {"bob": "lunch"}
    roster.take_presence(PresenceChanged("bob", False))
    assert roster.online == {"bob": False} and not roster.away


def test_users_are_bounded() -> None:
    roster = Roster()
    for number in range(USERS_MAX + 5):
        roster.take_presence(PresenceChanged(f"user{number}", True, "away"))
    roster.take_presence(PresenceChanged("user1", False))
    assert len(roster.online) == len(roster.away) + 1 == USERS_MAX and not roster.online["user1"]


def test_what_was_answered_asks_no_more() -> None:
    roster = Roster(invitations=["#a", "#b"], join_requests=[("#c", "bob"), ("#c", "zoe")])
    roster.drop_invitation("#a")
    roster.drop_join_request("#c", "zoe")
    roster.drop_join_request("#d", "bob")
    assert roster.invitations == ["#b"] and roster.join_requests == [("#c", "bob")]


def test_who_spoke_last_comes_first() -> None:
    first, second = ChatState("main"), ChatState("#team")
    for id, who in enumerate(("bob", "carol", "alice", "dora"), 1):
        first.add(said(id, who=who), "me")
    second.add(said(9, who="bob"), "me")
    second.add(said(10, who="eve"), "me")
    assert recent_speakers([first, second], "alice") == ["dora", "carol", "bob", "eve"]
