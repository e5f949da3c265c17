"""Leaving a private chat, and its end."""

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount, CompleteUpload
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Message, MessagesShown
from chat_server.protocol.rooms import (
    ChatCreated,
    ChatLeft,
    JoinRequest,
    Left,
    MemberList,
    MemberRemoved,
    OwnerSet,
    PendingRequest,
    RequestApproved,
)
from chat_server.rules.outcomes import MembershipChange
from chat_server.store import files
from tests.unit.chat import Chat, events_in, events_to, refusal_of
from tests.unit.rules.rooms import bring_in, chats_of, refusal_codes, take_notices

ROOM_TABLES = ("chats", "members", "messages", "reactions", "invitations", "join_requests", "links", "notices")


def check_gone(chat: Chat, name: str, id_: int) -> None:
    """Check that #team no longer exists for this user."""
    lines = ("/history #team", "/messages #team", "/send #team x", f"/read #team {id_}", "/talk #team",
             "/members #team", "/join #team", "/leave #team", "/topic #team")  # fmt: skip
    nothing = [refusal_of(chat, name, line.replace("#team", "#none")).text.replace("#none", "#team") for line in lines]
    assert [refusal_of(chat, name, line).text for line in lines] == nothing
    message = f"there is no message #{id_} that you can see"
    for line in (f"/thread {id_}", f"/reply {id_} x", f"/edit {id_} x", f"/delete {id_}", f"/react {id_} 👍"):
        assert refusal_of(chat, name, line).text == message
    assert chats_of(chat, name) == ["main"]
    assert chat.come_back(name, 0).texts == chat.come_back(name).texts == []


def test_a_member_who_leaves_loses_the_whole_chat(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    said = team.say("bob", "/leave #team")
    assert said.reply == ChatLeft("#Team") and said.membership_changes == [
        MembershipChange(team.ids["bob"], 2, "#Team", False)
    ]
    assert events_in(said.pushes) == events_to(said.pushes, team.ids["bob"]) == [Left("#Team", "bob")]
    check_gone(team, "bob", id_)
    assert take_notices(team, "bob") == []


def test_a_removed_member_loses_the_whole_chat_and_is_told(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    said = team.say("alice", "/remove #team bob")
    assert said.reply == MemberRemoved("#Team", "bob")
    assert events_in(said.pushes) == events_to(said.pushes, team.ids["bob"]) == [Left("#Team", "bob", "alice")]
    assert take_notices(team, "bob") == [Left("#Team", "bob", "alice")]
    check_gone(team, "bob", id_)
    assert refusal_codes(team, ("alice", "/remove #team bob"), ("alice", "/remove #team alice")) == [
        "unknown_user", "not_yourself"
    ]  # fmt: skip
    bring_in(team, "#team", "bob")
    assert team.say("bob", "/history #team").texts == ["hi"]


def test_an_owner_who_leaves_hands_over_to_the_longest_member(team: Chat) -> None:
    bring_in(team, "#team", "dave", "carol")
    team.say("bob", "/leave #team")
    bring_in(team, "#team", "bob")
    code = team.say("alice", "/invite_link #team").reply.code
    team.sign_in("ella")
    team.say("ella", f"/join {code}")
    said = team.say("alice", "/leave #team")
    owned = Notice("dave owns #Team now", chat="#Team", owner="dave")
    assert events_in(said.pushes) == [Left("#Team", "alice"), owned]
    assert events_to(said.pushes, team.ids["dave"]) == [JoinRequest("#Team", "ella")]
    assert take_notices(team, "alice") == [], "who asks is no longer told to who was the owner"
    assert take_notices(team, "dave")[-1] == JoinRequest("#Team", "ella")
    assert team.say("dave", "/approve #team ella").reply == RequestApproved("#Team", "ella")
    assert team.say("bob", "/members #team").reply == MemberList("#Team", "dave", ["dave", "carol", "bob", "ella"])


def test_ownership_is_handed_over(team: Chat) -> None:
    assert refusal_codes(team, ("alice", "/give #team carol"), ("alice", "/give #team alice")) == [
        "unknown_user",
        "not_yourself",
    ]
    assert team.say("alice", "/give #team bob").reply == OwnerSet("#Team", "bob")
    assert team.say("alice", "/members #team").reply == MemberList("#Team", "bob", ["alice", "bob"])
    assert refusal_codes(team, ("alice", "/remove #team bob")) == ["forbidden"]
    team.say("bob", "/remove #team alice")
    assert team.say("bob", "/members #team").reply.members == ["bob"]


def test_a_chat_ends_with_its_last_member_and_leaves_nothing(chat: Chat) -> None:
    before = {table: chat.dump()[table] for table in ROOM_TABLES}
    chat.say("alice", "/create_chat #team")
    bring_in(chat, "#team", "bob")
    code = chat.say("alice", "/invite_link #team").reply.code
    chat.say("carol", f"/join {code}")
    chat.sign_in("dave")
    chat.say("alice", "/invite #team dave")
    id_ = chat.say("bob", "/send #team hi").reply.id
    for line in (f"/reply {id_} one", f"/reply {id_} two", f"/react {id_} 👍"):
        chat.say("alice", line)
    for name in ("alice", "bob"):
        chat.say(name, "/leave #team")
    assert refusal_codes(chat, ("carol", f"/join {code}"), ("dave", "/join #team")) == ["unknown_chat"] * 2
    assert chat.say("dave", "/create_chat #team").reply == ChatCreated("#team"), "the name is free"
    assert chat.say("dave", "/history #team").reply == MessagesShown("#team", 0)
    assert chat.say("dave", "/leave #team")
    for _ in range(2):
        chat.due()
    after = {table: rows for table, rows in chat.dump().items() if table in ROOM_TABLES}
    after["members"] = [row for row in after["members"] if row[0] != chat.ids["dave"]]
    assert after == before


def test_a_new_owner_is_told_of_requests_in_their_order(team: Chat) -> None:
    code = team.say("alice", "/invite_link #team").reply.code
    for name in ("dave", "carol"):
        team.say(name, f"/join {code}")
    said = team.say("alice", "/give #team bob")
    assert events_to(said.pushes, team.ids["bob"]) == [JoinRequest("#Team", "dave"), JoinRequest("#Team", "carol")]


def test_an_upload_ends_with_the_chat_and_goes_to_no_other_of_that_name(chat: Chat) -> None:
    chat.say("alice", "/create_chat #team")
    upload = chat.say("alice", "/send_file #team a.png 5").reply.upload
    chat.say("alice", "/leave #team")
    assert files.bytes_of(chat.db, chat.ids["alice"]) == 0
    chat.say("alice", "/create_chat #team")
    with pytest.raises(Refusal) as refusal:
        chat.do(CompleteUpload(upload, 64 * "0"), "alice")
    assert refusal.value.code == "unknown_upload"


def test_the_messages_of_an_ended_chat_are_removed_in_portions(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.rules.delayed.CLEARED_AT_ONCE_MAX", 4)
    chat.say("alice", "/create_chat #team")
    first = chat.say("alice", "/send #team 0").reply.id
    for number in range(1, 10):
        chat.say("alice", f"/reply {first} {number}")
    chat.say("alice", "/send_all hi")
    chat.due()
    assert chat.batch().next_due_ms is None
    chat.say("alice", "/leave #team")
    left = []
    for _ in range(3):
        assert chat.batch().next_due_ms is not None
        chat.due()
        left.append(len(chat.dump()["messages"]))
    assert left == [7, 3, 1]
    assert [row[1] for row in chat.dump()["chats"]] == ["main"]
    chat.say("alice", "/create_chat #other")
    assert chat.db.value("SELECT max(id) FROM chats") == 3, "an id is never another chat's"


def test_an_account_that_ends_leaves_all_chats(team: Chat) -> None:
    team.say("alice", "/create_chat #own")
    team.say("carol", "/create_chat #other")
    team.say("carol", "/invite #other alice")
    team.say("alice", "/invite #team dave")
    team.sign_in("ella")
    team.say("ella", f"/join {team.say('bob', '/invite_link #team').reply.code}")
    team.say("alice", "/send #team hi")
    said = team.do(CloseAccount(0), "alice")
    alice = team.ids["alice"]
    assert {(move.user_id, move.name, move.came) for move in said.membership_changes} == {
        (alice, "#Team", False),
        (alice, "#own", False),
    }
    assert Left("#Team", "alice") in events_in(said.pushes)
    assert team.say("bob", "/members #team").reply == MemberList("#Team", "bob", ["bob"])
    assert team.say("bob", "/status").reply.join_requests == [PendingRequest("#Team", "ella")]
    assert refusal_codes(team, ("dave", "/join #team")) == ["unknown_chat"]
    (message,) = team.say("bob", "/history #team").events
    assert isinstance(message, Message) and message.deleted
    for table in ("members", "invitations", "join_requests"):
        assert team.db.value(f"SELECT count(*) FROM {table} WHERE user_id = ?", (alice,)) == 0
    team.do(CloseAccount(0), "ella")
    assert team.say("bob", "/status").reply.join_requests == []
