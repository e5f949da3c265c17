from typing import Any

import pytest

from chat_server.log.entries import CloseAccount
from chat_server.protocol.messages import DelayedFailed, Message
from chat_server.protocol.people import BlockSet
from chat_server.protocol.rooms import Entering, Invitation, JoinRequest, PendingRequest
from chat_server.rules import blocks as rules
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import HOUR_MS

NEW = ("/send {other} hi", "/msg @{other} hi", "/send_delayed {other} 5 hi", "/reply {id} hi", "/edit {own} hi",
       "/react {id} +1")  # fmt: skip


def id_of_sent(chat: Chat, name: str, line: str) -> int:
    sent: int = chat.say(name, line).reply.id
    return sent


@pytest.mark.parametrize("line", NEW)
def test_nothing_new_goes_between_the_two(chat: Chat, line: str) -> None:
    ids = {"alice": id_of_sent(chat, "alice", "/send bob one"), "bob": id_of_sent(chat, "bob", "/send alice two")}
    chat.say("alice", "/block bob")
    for name, other in (("alice", "bob"), ("bob", "alice")):
        refusal = refusal_of(chat, name, line.format(other=other, id=ids[other], own=ids[name]))
        assert refusal.code == "blocked" and other in refusal.text
    chat.say("alice", "/unblock bob")
    for name, other in (("alice", "bob"), ("bob", "alice")):
        chat.say(name, line.format(other=other, id=ids[other], own=ids[name]))


def test_no_invitations_between_the_two(chat: Chat) -> None:
    chat.say("alice", "/create_chat #team")
    chat.say("bob", "/block alice")
    assert refusal_of(chat, "alice", "/invite #team bob").code == "blocked"
    chat.say("alice", "/invite #team carol")


@pytest.mark.parametrize(("by", "whom"), [("alice", "bob"), ("bob", "alice")])
def test_a_code_does_not_reach_an_owner_across_a_block(chat: Chat, by: str, whom: str) -> None:
    """The refusal is word for word that of a code of no chat."""
    chat.say("alice", "/create_chat #team")
    code = chat.say("alice", "/invite_link #team").reply.code
    chat.say("bob", f"/join {code}")
    assert chat.come_back("alice").reply.join_requests
    chat.say(by, f"/block {whom}")
    assert not chat.come_back("alice").reply.join_requests and chat.dump()["notices"] == []
    assert refusal_of(chat, "alice", "/approve #team bob").code == "unknown_user"
    assert refusal_of(chat, "bob", f"/join {code}").args == refusal_of(chat, "bob", "/join no-code").args
    chat.say(by, f"/unblock {whom}")
    assert chat.say("bob", f"/join {code}").reply.asked


def test_an_invitation_lets_in_whoever_the_owner_does_not_speak_to(chat: Chat) -> None:
    """A member who may invite has done so: a code then lets in as the name of the chat does, and asks nobody."""
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/invite #team carol")
    chat.say("carol", "/join #team")
    chat.say("carol", "/invite #team bob")
    code = chat.say("alice", "/invite_link #team").reply.code
    chat.say("bob", "/block alice")
    assert refusal_of(chat, "alice", "/invite #team bob").code == "blocked", "though bob is invited already"
    assert chat.say("bob", f"/join {code}").reply == Entering("#team")


@pytest.mark.parametrize(("by", "whom"), [("alice", "bob"), ("bob", "alice")])
def test_a_block_ends_waiting_invitations(chat: Chat, by: str, whom: str) -> None:
    """A hundred waiting invitations would keep all others from inviting."""
    for name, guest in (("alice", "bob"), ("bob", "alice"), ("carol", "bob")):
        chat.say(name, f"/create_chat #of-{name}")
        chat.say(name, f"/invite #of-{name} {guest}")
    chat.say(by, f"/block {whom}")
    assert len(chat.dump()["notices"]) == 1
    assert chat.come_back("alice").reply.invitations == []
    assert chat.come_back("bob").reply.invitations == [Invitation("#of-carol", "carol")]


@pytest.mark.parametrize("line", ["/give #team carol", "/leave #team"])
def test_a_new_owner_is_not_told_of_requests_across_a_block(chat: Chat, line: str) -> None:
    chat.sign_in("dora")
    chat.say("alice", "/create_chat #team")
    code = chat.say("alice", "/invite_link #team").reply.code
    chat.say("alice", "/invite #team carol")
    chat.say("carol", "/join #team")
    chat.say("carol", "/block bob")
    chat.say("bob", f"/join {code}")
    chat.say("dora", f"/join {code}")
    told = events_to(chat.say("alice", line).pushes, chat.ids["carol"])
    assert [event for event in told if isinstance(event, JoinRequest)] == [JoinRequest("#team", "dora")]
    assert chat.come_back("carol").reply.join_requests == [PendingRequest("#team", "dora")]


def test_a_chat_is_not_handed_over_across_a_block(chat: Chat) -> None:
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/invite #team bob")
    chat.say("bob", "/join #team")
    chat.say("bob", "/block alice")
    assert refusal_of(chat, "alice", "/give #team bob").code == "blocked"


def test_everything_else_works_across_a_block(chat: Chat) -> None:
    id_ = id_of_sent(chat, "bob", "/send alice hi")
    main = id_of_sent(chat, "bob", "/send_all hi")
    chat.say("bob", f"/react {id_} +1")
    chat.say("alice", "/block bob")
    chat.say("bob", f"/unreact {id_} +1")
    chat.say("bob", f"/delete {id_}")
    for line in ("/send_all hi", f"/reply {main} hi", f"/react {main} +1", "/send carol hi", "/history alice"):
        chat.say("bob", line)
    chat.say("alice", "/send carol hi")


def test_the_order_of_checks(chat: Chat) -> None:
    first = id_of_sent(chat, "bob", '{"cmd":"send","target":"alice","text":"hi","key":"k"}')
    chat.say("alice", "/block bob")
    assert id_of_sent(chat, "bob", '{"cmd":"send","target":"alice","text":"hi","key":"k"}') == first
    assert refusal_of(chat, "bob", "/send nobody hi").code == "unknown_user"
    assert refusal_of(chat, "carol", f"/reply {first} hi").code == "unknown_message"
    chat.configure(reports_to_ban=1)
    chat.say("carol", "/report bob")
    assert refusal_of(chat, "bob", "/send alice hi").code == "banned"


@pytest.mark.parametrize(("by", "whom"), [("alice", "bob"), ("bob", "alice")])
def test_a_delayed_message_across_a_block_fails(chat: Chat, by: str, whom: str) -> None:
    chat.say("alice", "/send_delayed bob 5 hi")
    chat.say(by, f"/block {whom}")
    chat.clock.advance(6000)
    pushes = chat.due()
    assert events_to(pushes, chat.ids["alice"]) == [DelayedFailed(1, "blocked")]
    assert events_to(pushes, chat.ids["bob"]) == []
    assert chat.say("alice", "/delayed").reply.delayed == []
    assert chat.say("bob", "/history alice").events == []


def test_the_list_of_blocked_users(chat: Chat) -> None:
    for name in ("carol", "bob", "bob"):
        assert chat.say("alice", f"/ignore {name.upper()}").reply == BlockSet(name, True)
    assert chat.say("alice", "/blocked").reply.blocked == ["bob", "carol"]
    assert chat.say("bob", "/blocked").reply.blocked == []
    for _ in range(2):
        assert chat.say("alice", "/unblock bob").reply == BlockSet("bob", False)
    assert chat.say("alice", "/blocked").reply.blocked == ["carol"]


@pytest.mark.parametrize("verb", ["block", "unblock"])
def test_errors(chat: Chat, verb: str) -> None:
    assert refusal_of(chat, "alice", f"/{verb} nobody").code == "unknown_user"
    assert refusal_of(chat, "alice", f"/{verb} alice").code == "not_yourself"


def test_blocked_users_are_bounded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BLOCKED_MAX", 1)
    chat.say("alice", "/block bob")
    chat.say("alice", "/block bob")
    assert refusal_of(chat, "alice", "/block carol").code == "too_many"


def test_blocks_go_with_either_account(chat: Chat) -> None:
    chat.say("alice", "/block bob")
    chat.say("bob", "/block alice")
    chat.say("bob", "/block carol")
    chat.do(CloseAccount(0), "bob")
    assert chat.dump()["blocks"] == []
    assert chat.say("alice", "/unblock bob").reply == BlockSet("bob", False)


# ---- mentions


def mentions(chat: Chat, name: str, id_: int) -> Any:
    for chat_name in ("main", "@alice", "@bob"):
        if chat_name[1:] != name:
            for event in chat.say(name, f"/history {chat_name}").events:
                if isinstance(event, Message) and event.id == id_:
                    return event.mentions
    raise AssertionError


def test_who_is_mentioned(chat: Chat) -> None:
    said_ = chat.say("alice", "/send_all @BOB and @carol: @nobody @main @all @bob a@alice")
    assert [push.event.mentions for push in said_.pushes if isinstance(push.event, Message)] == [["bob", "carol"]]
    assert mentions(chat, "carol", said_.reply.id) == ["bob", "carol"]
    assert mentions(chat, "alice", id_of_sent(chat, "alice", "/send_all hi")) is None


def test_a_name_costs_one_look_at_the_store(chat: Chat) -> None:
    asked: list[str] = []

    def note(cursor: object, sql: str, bindings: object) -> bool:
        asked.append(sql)
        return True

    def count(text: str) -> int:
        asked.clear()
        chat.say("alice", f"/send_all {text}")
        return sum(sql.startswith("SELECT") for sql in asked)

    chat.executor._db.connection.exec_trace = note
    count("hi")  # from here on alice is in the cache
    assert count("@bob @carol @alice @nobody") == count("nobody") + 4


def test_only_readers_of_a_message_are_mentioned(chat: Chat) -> None:
    assert mentions(chat, "bob", id_of_sent(chat, "alice", "/send bob @carol @bob @alice")) == ["bob", "alice"]
    assert mentions(chat, "bob", id_of_sent(chat, "alice", "/send bob @carol @nobody")) == []


def test_an_edit_calls_as_a_message_does(chat: Chat) -> None:
    chat.say("bob", "/block alice")
    id_ = id_of_sent(chat, "alice", "/send_all hi")
    chat.say("alice", f"/edit {id_} @bob and @CAROL and @nobody")
    assert mentions(chat, "bob", id_) == ["carol"]


def test_a_user_who_has_blocked_the_author_is_not_mentioned(chat: Chat) -> None:
    chat.say("bob", "/block alice")
    assert mentions(chat, "bob", id_of_sent(chat, "alice", "/send_all @bob @carol")) == ["carol"]
    assert mentions(chat, "bob", id_of_sent(chat, "alice", "/send_all @bob")) == []
    assert mentions(chat, "bob", id_of_sent(chat, "bob", "/send_all @alice")) == ["alice"]


def test_edits_and_deletions_change_mentions(chat: Chat) -> None:
    id_ = id_of_sent(chat, "alice", "/send_all @bob")
    chat.say("alice", f"/edit {id_} @carol")
    assert mentions(chat, "bob", id_) == ["carol"]
    chat.say("alice", f"/edit {id_} nobody")
    assert mentions(chat, "bob", id_) is None
    chat.say("alice", f"/edit {id_} @carol")
    chat.say("alice", f"/delete {id_}")
    assert mentions(chat, "bob", id_) is None
    comment = id_of_sent(chat, "bob", f"/reply {id_of_sent(chat, 'alice', '/send_all hi')} @alice look")
    assert mentions(chat, "carol", comment) == ["alice"]
    chat.do(CloseAccount(0), "bob")
    assert mentions(chat, "carol", comment) is None


def test_a_delayed_message_mentions_those_who_are_there_when_it_is_sent(chat: Chat) -> None:
    chat.say("alice", "/send_delayed main 1h @dora @bob")
    chat.sign_in("dora")
    chat.say("bob", "/block alice")
    chat.clock.advance(HOUR_MS)
    chat.due()
    assert mentions(chat, "carol", 1) == ["dora"]
