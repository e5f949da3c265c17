import pytest

from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import DelayedFailed, MarkedRead, Message, MessagesShown, Talking, ThreadShown
from chat_server.protocol.people import Limit
from chat_server.protocol.rooms import ChatCreated, Joined, MemberList, TopicChanged, TopicShown
from chat_server.protocol.times import iso
from chat_server.rules import rooms
from chat_server.rules.outcomes import MembershipChange
from tests.unit.chat import Chat, Said, events_in, events_to, refusal_of
from tests.unit.fakes import NOON_MS
from tests.unit.rules.rooms import bring_in, chats_of, refusal_codes

# ---- making one


def test_the_creator_owns_a_chat_and_is_told_on_other_connections(chat: Chat) -> None:
    said = chat.say("alice", "/create #Team")
    assert said.reply == ChatCreated("#Team")
    assert events_to(said.pushes, chat.ids["alice"]) == [Joined("#Team", "alice")] and events_in(said.pushes) == []
    assert said.membership_changes == [MembershipChange(chat.ids["alice"], 2, "#Team", True)]
    assert chat.say("alice", "/members #TEAM").reply == MemberList("#Team", "alice", ["alice"])
    assert chats_of(chat, "alice") == ["main", "#Team"] and chats_of(chat, "bob") == ["main"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("#team", "exists"), ("#TEAM", "exists"), ("#Тeam", "bad_name"), ("#tearn", "bad_name"), ("#main", "bad_name"),
     ("#-x", "bad_name"), ("#" + "x" * 33, "bad_name"), ("team", "bad_argument"), ("#", "bad_argument")],
)  # fmt: skip
def test_refusals_of_names(team: Chat, name: str, code: str) -> None:
    assert refusal_codes(team, ("carol", f"/create_chat {name}")) == [code]


def test_private_chats_of_one_user_are_bounded(chat: Chat) -> None:
    chat.configure(chats_max=2)
    for room in ("#one", "#two"):
        chat.say("bob", f"/create_chat {room}")
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/invite #team bob")
    code = chat.say("alice", "/invite_link #team").reply.code
    assert (
        refusal_codes(chat, ("bob", "/create_chat #three"), ("bob", "/join #team"), ("bob", f"/join {code}"))
        == ["too_many"] * 3
    )
    assert chat.say("bob", "/status").reply.limits["chats"] == Limit(2, 2)
    chat.say("bob", "/decline #team")
    chat.say("bob", f"/join {code}")
    assert "bob is in 2" in refusal_of(chat, "alice", "/approve #team bob").text
    chat.say("bob", "/leave #one")
    chat.say("alice", "/approve #team bob")
    assert chats_of(chat, "bob") == ["main", "#team", "#two"]


# ---- what is said in it


def test_a_message_goes_to_the_members(team: Chat) -> None:
    said = team.say("bob", "/send #TEAM hi")
    (push,) = said.pushes
    assert (push.room, push.users) == (2, ())
    assert push.event == Message(id=1, seq=1, chat="#Team", from_="bob", at=iso(NOON_MS), text="hi")
    assert team.come_back("alice").events == [Notice("1 unread: #Team 1", unread={"#Team": 1}), push.event]
    assert team.come_back("carol").events == [Notice("nothing unread", unread={})]


def test_everything_about_messages_works_in_a_private_chat(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    for name, line in (("alice", f"/react {id_} 👍"), ("bob", f"/edit {id_} ho"), ("alice", f"/unreact {id_} 👍")):
        (event,) = events_in(team.say(name, line).pushes)
        assert isinstance(event, Message) and event.chat == "#Team"
    comment = team.say("alice", f"/reply {id_} there").reply.id
    assert team.say("bob", f"/thread {id_}").texts == ["ho", "there"]
    assert team.say("bob", f"/thread {id_}").reply == ThreadShown(id_, "#Team", 1)
    assert team.say("alice", "/talk #team").reply == Talking("#Team")
    assert team.say("alice", f"/read #team {comment}").reply == MarkedRead("#Team", comment)
    assert team.say("bob", "/messages #team").texts == ["there"]
    assert team.say("bob", "/history #team before 6").reply == MessagesShown("#Team", 2)
    (gone,) = events_in(team.say("alice", f"/delete {comment}").pushes)
    assert isinstance(gone, Message) and gone.deleted


def test_a_new_member_sees_all_messages_and_has_nothing_unread(team: Chat) -> None:
    for text in ("one", "two"):
        team.say("bob", f"/send #team {text}")
    bring_in(team, "#team", "carol")
    team.say("bob", "/send #team three")
    assert team.say("carol", "/history #team").texts == ["one", "two", "three"]
    assert team.come_back("carol").texts == ["three"]
    assert team.come_back("carol", 0).texts == ["one", "two", "three"], "with a position: all above it"


def test_a_delayed_message_is_checked_again(team: Chat) -> None:
    assert refusal_codes(team, ("carol", "/send_delayed #team 5s hi")) == ["unknown_chat"]
    for text in ("one", "two"):
        team.say("bob", f"/send_delayed #team 5s {text}")
    assert [each.target for each in team.say("bob", "/delayed").reply.delayed] == ["#Team"] * 2
    team.clock.advance(5000)
    (message, _, sent, _) = (push.event for push in team.due())
    assert isinstance(message, Message) and (message.text, message.chat, message.delayed) == ("one", "#Team", True)
    assert sent
    team.say("bob", "/send_delayed #team 5s three")
    team.say("alice", "/remove #team bob")
    team.clock.advance(5000)
    assert events_to(team.due(), team.ids["bob"]) == [DelayedFailed(3, "unknown_chat")]


def test_a_delayed_message_does_not_go_to_another_chat_of_that_name(team: Chat) -> None:
    team.say("bob", "/send_delayed #team 5s secret")
    for name in ("alice", "bob"):
        team.say(name, "/leave #team")
    team.say("carol", "/create_chat #team")
    team.say("carol", "/invite #team bob")
    team.say("bob", "/join #team")
    assert team.say("bob", "/delayed").reply.delayed[0].target == "#Team"
    team.clock.advance(5000)
    assert events_to(team.due(), team.ids["bob"]) == [DelayedFailed(1, "unknown_chat")]


# ---- members and topic


def test_members_page_by_page(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MEMBERS_LISTED_MAX", 2)
    bring_in(team, "#team", "dave", "carol")
    pages = [MemberList("#Team", "alice", ["alice", "bob"], "/members #Team bob"),
             MemberList("#Team", "alice", ["dave", "carol"])]  # fmt: skip
    assert [team.say("bob", line).reply for line in ("/members #team", "/members #team bob")] == pages
    assert refusal_codes(team, ("bob", "/members #team nobody")) == ["unknown_user"]


def test_status_lists_a_bounded_number_of_members(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_in(team, "#team", "carol", "dave")
    team.say("alice", "/create_chat #zoo")
    monkeypatch.setattr("chat_server.rules.accounts.LIST_MAX", 3)
    main, one, two = team.say("alice", "/status").reply.chats
    assert (main.members, main.owner) == (None, None)
    assert (one.members, one.owner, one.more) == (["alice", "bob", "carol"], "alice", "/members #Team")
    assert (two.members, two.owner, two.more) == ([], "alice", "/members #zoo")


def test_a_topic(team: Chat) -> None:
    assert team.say("bob", "/topic #team").reply == TopicShown("#Team")
    said = team.say("bob", "/topic #team  what  we\tplan ")
    assert said.reply == TopicShown("#Team", "what we plan")
    assert events_in(said.pushes) == [TopicChanged("#Team", "what we plan", "bob")]
    assert team.say("alice", "/topic #team").reply == TopicShown("#Team", "what we plan")
    assert team.say("alice", "/topic #team what we plan").pushes == []
    assert team.say("alice", "/status").reply.chats[1].topic == "what we plan"
    assert events_in(team.say("alice", '/topic #team ""').pushes) == [TopicChanged("#Team", "", "alice")]
    assert team.say("alice", "/topic #team").reply == TopicShown("#Team")
    assert refusal_codes(team, ("carol", "/topic #team"), ("alice", f"/topic #team {'x' * 301}")) == [
        "unknown_chat",
        "too_large",
    ]


# ---- bans


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/create_chat #new", "banned"), ("/create_chat #team", "banned"), ("/invite #team carol", "banned"),
        ("/invite #none nobody", "banned"), ("/invite_link #team", "banned"), ("/join #guests", "banned"),
        ("/join nonsense", "banned"), ("/approve #team dave", "banned"), ("/topic #team new", "banned"),
        ("/send #team hi", "banned"), ("/send_delayed #team 5s hi", "banned"), ("/topic #team", "ok"),
        ("/members #team", "ok"), ("/history #team", "ok"), ("/decline #guests", "ok"), ("/deny #team dave", "ok"),
        ("/revoke_link #team", "ok"), ("/leave #team", "ok"), ("/remove #team bob", "ok"), ("/give #team bob", "ok"),
    ],
)  # fmt: skip
def test_a_ban_forbids_only_what_others_would_see(team: Chat, line: str, code: str) -> None:
    team.say("dave", f"/join {team.say('alice', '/invite_link #team').reply.code}")
    team.say("carol", "/create_chat #guests")
    team.say("carol", "/invite #guests alice")
    team.configure(reports_to_ban=1)
    team.say("bob", "/report alice")
    if code == "ok":
        assert isinstance(team.say("alice", line), Said)
    else:
        assert refusal_of(team, "alice", line).code == code
