"""Joining a private chat: by an invitation, or by a link and the owner's approval."""

import pytest

from chat_server.protocol.rooms import (
    Approved,
    Denied,
    Entering,
    Invitation,
    InvitationDeclined,
    Invited,
    Joined,
    JoinRequest,
    LinkMade,
    LinksRevoked,
    PendingRequest,
    RequestApproved,
    RequestDenied,
    UserInvited,
)
from chat_server.protocol.times import iso
from chat_server.rules import rooms
from chat_server.store.rooms import LINKS_MAX
from tests.unit.chat import Chat, events_in, events_to, refusal_of
from tests.unit.fakes import DAY_MS, NOON_MS
from tests.unit.rules.rooms import bring_in, chats_of, refusal_codes, take_notices

# ---- by invitation


def test_an_invited_user_accepts(team: Chat) -> None:
    said = team.say("bob", "/invite #team carol")
    assert said.reply == UserInvited("#Team", "carol")
    assert events_to(said.pushes, team.ids["carol"]) == [Invited("#Team", "bob")]
    assert team.say("bob", "/invite #team carol").pushes == [], "once is enough"
    assert team.say("carol", "/status").reply.invitations == [Invitation("#Team", "bob")]
    joined = team.say("carol", "/join #team")
    assert joined.reply == Entering("#Team")
    assert events_in(joined.pushes) == events_to(joined.pushes, team.ids["carol"]) == [Joined("#Team", "carol")]
    assert team.say("carol", "/status").reply.invitations == []
    assert team.say("alice", "/members #team").reply.members == ["alice", "bob", "carol"]
    again = team.say("carol", "/join #team")
    assert again.reply == Entering("#Team") and again.pushes == []
    assert refusal_codes(team, ("alice", "/invite #team carol")) == ["exists"]


def test_an_absent_user_is_told_of_an_invitation_that_still_stands(team: Chat) -> None:
    for name in ("carol", "dave"):
        team.say("alice", f"/invite #team {name}")
    assert take_notices(team, "carol") == [Invited("#Team", "alice")]
    assert take_notices(team, "carol") == [], "told once"
    assert team.come_back("carol").reply.invitations == [Invitation("#Team", "alice")]
    for name in ("alice", "bob"):
        team.say(name, "/leave #team")
    assert take_notices(team, "dave") == [] and team.come_back("dave").reply.invitations == []
    assert refusal_codes(team, ("carol", "/join #team"), ("carol", "/decline #team")) == ["unknown_chat"] * 2


def test_an_invited_user_declines(team: Chat) -> None:
    team.say("alice", "/invite #team carol")
    assert team.say("carol", "/decline #team").reply == InvitationDeclined("#Team")
    assert refusal_codes(team, ("carol", "/join #team"), ("carol", "/decline #team")) == ["unknown_chat"] * 2
    assert take_notices(team, "carol") == []
    team.say("bob", "/invite #team carol")
    assert team.say("carol", "/join #team").reply == Entering("#Team")


def test_removal_ends_invitations_and_leaving_does_not(team: Chat) -> None:
    team.say("bob", "/invite #team carol")
    team.say("alice", "/invite #team dave")
    team.say("alice", "/remove #team bob")
    assert refusal_codes(team, ("carol", "/join #team")) == ["unknown_chat"]
    bring_in(team, "#team", "carol")
    team.say("alice", "/leave #team")
    assert team.say("dave", "/join #team").reply == Entering("#Team")


def test_refusals_of_invitations(team: Chat) -> None:
    assert refusal_codes(
        team, ("alice", "/invite #team alice"), ("alice", "/invite #team nobody"), ("carol", "/invite #team nobody")
    ) == ["not_yourself", "unknown_user", "unknown_chat"]


def test_invitations_of_one_user_are_bounded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "INVITATIONS_MAX", 2)
    for room in ("#one", "#two", "#three"):
        chat.say("alice", f"/create_chat {room}")
    for room in ("#one", "#two", "#one"):
        chat.say("alice", f"/invite {room} bob")
    assert refusal_codes(chat, ("alice", "/invite #three bob")) == ["too_many"]
    chat.say("bob", "/decline #one")
    assert chat.say("alice", "/invite #three bob").reply == UserInvited("#three", "bob")


# ---- by a link


def test_a_code_lets_users_ask_and_the_owner_decides(team: Chat) -> None:
    link = team.say("bob", "/invite_link #team").reply
    assert link == LinkMade("#Team", "code-1", iso(NOON_MS + DAY_MS))
    for name in ("carol", "dave"):
        said = team.say(name, f"/join {link.code}")
        assert said.reply == Entering("#Team", asked=True)
        assert events_to(said.pushes, team.ids["alice"]) == [JoinRequest("#Team", name)]
        assert events_to(said.pushes, team.ids["bob"]) == events_in(said.pushes) == []
    assert team.say("carol", f"/join {link.code}").pushes == [], "once is enough"
    asked = [PendingRequest("#Team", "carol"), PendingRequest("#Team", "dave")]
    assert team.say("alice", "/status").reply.join_requests == team.come_back("alice").reply.join_requests == asked
    assert team.say("bob", "/status").reply.join_requests == []
    yes = team.say("alice", "/approve #team carol")
    assert yes.reply == RequestApproved("#Team", "carol")
    assert events_to(yes.pushes, team.ids["carol"]) == [Approved("#Team")]
    assert events_in(yes.pushes) == [Joined("#Team", "carol")]
    no = team.say("alice", "/deny #team dave")
    assert no.reply == RequestDenied("#Team", "dave")
    assert events_to(no.pushes, team.ids["dave"]) == [Denied("#Team")] and events_in(no.pushes) == []
    assert team.say("alice", "/members #team").reply.members == ["alice", "bob", "carol"]
    assert team.come_back("alice").reply.join_requests == []
    assert take_notices(team, "carol") == [Approved("#Team")] and take_notices(team, "dave") == [Denied("#Team")]
    assert refusal_codes(team, ("alice", "/approve #team dave"), ("alice", "/deny #team carol")) == ["unknown_user"] * 2


def test_a_user_who_asks_is_no_member(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    id_ = team.say("bob", "/send #team secret").reply.id
    team.say("carol", f"/join {code}")
    assert refusal_codes(
        team, ("carol", "/history #team"), ("carol", "/members #team"), ("carol", "/join #team"),
        ("carol", f"/thread {id_}"), ("carol", "/send #team hi"),
    ) == ["unknown_chat", "unknown_chat", "unknown_chat", "unknown_message", "unknown_chat"]  # fmt: skip
    assert chats_of(team, "carol") == ["main"]


def test_a_code_ends(team: Chat) -> None:
    one, two = (team.say("bob", "/invite_link #team").reply.code for _ in range(2))
    assert refusal_codes(team, ("carol", "/join nonsense"), ("carol", "/join Code-1")) == ["unknown_chat"] * 2
    team.clock.advance(DAY_MS - 1)
    three = team.say("alice", "/invite_link #team").reply.code
    assert team.say("carol", f"/join {two}").reply.asked
    team.clock.advance(1)
    assert refusal_codes(team, ("dave", f"/join {one}")) == ["unknown_chat"]
    assert team.say("bob", "/revoke_link #team").reply == LinksRevoked("#Team", 1)
    assert refusal_codes(team, ("dave", f"/join {three}")) == ["unknown_chat"]
    assert team.say("bob", "/revoke_link #team").reply == LinksRevoked("#Team", 0)


def test_expired_codes_are_removed_and_codes_are_bounded(team: Chat) -> None:
    first = team.say("bob", "/invite_link #team").reply.code
    team.clock.advance(1)
    for _ in range(LINKS_MAX):
        last = team.say("bob", "/invite_link #team").reply.code
    assert refusal_codes(team, ("carol", f"/join {first}")) == ["unknown_chat"]
    assert team.say("carol", f"/join {last}").reply.asked and len(team.dump()["links"]) == LINKS_MAX
    team.clock.advance(DAY_MS)
    team.due()
    assert team.dump()["links"] == []


def test_only_a_hash_of_a_code_is_stored(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    assert code not in str(team.dump()) and code.encode() not in repr(team.dump()).encode()


def test_a_code_lets_invited_users_in_and_changes_nothing_for_members(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    said = team.say("bob", f"/join {code}")
    assert said.reply == Entering("#Team") and said.pushes == []
    team.say("alice", "/invite #team carol")
    assert team.say("carol", f"/join {code}").reply == Entering("#Team")
    assert team.dump()["join_requests"] == []


def test_joining_by_an_invitation_ends_the_request(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    team.say("carol", f"/join {code}")
    team.say("bob", "/invite #team carol")
    team.say("carol", "/join #team")
    assert team.come_back("alice").reply.join_requests == [] and take_notices(team, "alice") == []


def test_requests_to_one_chat_are_bounded(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "REQUESTS_MAX", 1)
    code = team.say("bob", "/invite_link #team").reply.code
    for _ in range(2):
        team.say("carol", f"/join {code}")
    assert refusal_codes(team, ("dave", f"/join {code}")) == ["too_many"]


def test_who_is_in_too_many_chats_is_not_let_into_another(team: Chat) -> None:
    """It is the guest who has no room for it; the owner may be in as many as there may be."""
    code = team.say("alice", "/invite_link #team").reply.code
    for name in ("carol", "dave"):
        team.say(name, f"/join {code}")
    team.say("dave", "/create_chat #full")
    team.configure(chats_max=1)
    assert refusal_codes(team, ("alice", "/approve #team dave")) == ["too_many"]
    assert team.say("alice", "/approve #team carol").reply == RequestApproved("#Team", "carol")


def test_only_the_owner_decides(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    team.say("carol", f"/join {code}")
    lines = ("/approve #team carol", "/deny #team carol", "/remove #team alice", "/give #team bob")
    assert refusal_codes(team, *(("bob", line) for line in lines)) == ["forbidden"] * 4
    assert "alice" in refusal_of(team, "bob", lines[0]).text
    assert refusal_codes(team, *(("dave", line) for line in lines)) == ["unknown_chat"] * 4
    assert (
        refusal_codes(team, ("alice", "/approve #team nobody"), ("alice", "/deny #team dave")) == ["unknown_user"] * 2
    )
