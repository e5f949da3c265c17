from collections.abc import Iterator

import pytest

from chat_server.entries import CloseAccount
from chat_server.protocol import events as e
from chat_server.protocol import room_replies as r
from chat_server.protocol.times import iso
from chat_server.rules import rooms
from chat_server.rules.turn import Move
from chat_server.store.rooms import LINKS_MAX
from tests.unit.chat import Chat, Said, events_in, events_to, refused
from tests.unit.fakes import DAY_MS, NOON_MS

ROOM_TABLES = ("chats", "members", "messages", "reactions", "invitations", "join_requests", "links", "notices")


def codes(chat: Chat, *said: tuple[str, str]) -> list[str]:
    return [refused(chat, name, line).code for name, line in said]


def kept(chat: Chat, name: str) -> list[e.Event]:
    """What a user who was away is told besides messages and numbers; it is forgotten then."""
    return [event for event in chat.come_back(name).events if not isinstance(event, e.Notice | e.Message)]


def chats_of(chat: Chat, name: str) -> list[str]:
    return [each.name for each in chat.say(name, "/status").reply.chats]


def into(chat: Chat, room: str, *names: str) -> None:
    """Alice invites them and they accept."""
    for name in names:
        chat.say("alice", f"/invite {room} {name}")
        chat.say(name, f"/join {room}")


@pytest.fixture
def team(chat: Chat) -> Iterator[Chat]:
    """#Team is alice's, and bob is in it; carol and dave are not."""
    chat.sign_in("dave")
    chat.say("alice", "/create_chat #Team")
    into(chat, "#team", "bob")
    kept(chat, "bob")
    yield chat


# ---- making one


def test_who_makes_a_chat_owns_it_and_is_told_on_other_connections(chat: Chat) -> None:
    said = chat.say("alice", "/create #Team")
    assert said.reply == r.ChatCreated("#Team")
    assert events_to(said.pushes, chat.ids["alice"]) == [e.Joined("#Team", "alice")] and events_in(said.pushes) == []
    assert said.moves == [Move(chat.ids["alice"], 2, "#Team", True)]
    assert chat.say("alice", "/members #TEAM").reply == r.MemberList("#Team", "alice", ["alice"])
    assert chats_of(chat, "alice") == ["main", "#Team"] and chats_of(chat, "bob") == ["main"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("#team", "exists"), ("#TEAM", "exists"), ("#Тeam", "bad_name"), ("#tearn", "bad_name"), ("#main", "bad_name"),
     ("#-x", "bad_name"), ("#" + "x" * 33, "bad_name"), ("team", "bad_argument"), ("#", "bad_argument")],
)  # fmt: skip
def test_names(team: Chat, name: str, code: str) -> None:
    assert codes(team, ("carol", f"/create_chat {name}")) == [code]


def test_a_user_is_in_so_many_chats_at_most(chat: Chat) -> None:
    chat.configure(chats_max=2)
    for room in ("#one", "#two"):
        chat.say("bob", f"/create_chat {room}")
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/invite #team bob")
    code = chat.say("alice", "/invite_link #team").reply.code
    assert (
        codes(chat, ("bob", "/create_chat #three"), ("bob", "/join #team"), ("bob", f"/join {code}"))
        == ["too_many"] * 3
    )
    assert chat.say("bob", "/status").reply.limits["chats"] == e.Limit(2, 2)
    chat.say("bob", "/decline #team")
    chat.say("bob", f"/join {code}")
    assert "bob is in 2" in refused(chat, "alice", "/approve #team bob").text
    chat.say("bob", "/leave #one")
    chat.say("alice", "/approve #team bob")
    assert chats_of(chat, "bob") == ["main", "#team", "#two"]


# ---- by invitation


def test_who_is_invited_accepts(team: Chat) -> None:
    said = team.say("bob", "/invite #team carol")
    assert said.reply == r.UserInvited("#Team", "carol")
    assert events_to(said.pushes, team.ids["carol"]) == [e.Invited("#Team", "bob")]
    assert team.say("bob", "/invite #team carol").pushes == [], "once is enough"
    assert team.say("carol", "/status").reply.invitations == [e.Invitation("#Team", "bob")]
    joined = team.say("carol", "/join #team")
    assert joined.reply == r.Entering("#Team")
    assert events_in(joined.pushes) == events_to(joined.pushes, team.ids["carol"]) == [e.Joined("#Team", "carol")]
    assert team.say("carol", "/status").reply.invitations == []
    assert team.say("alice", "/members #team").reply.members == ["alice", "bob", "carol"]
    again = team.say("carol", "/join #team")
    assert again.reply == r.Entering("#Team") and again.pushes == []
    assert codes(team, ("alice", "/invite #team carol")) == ["exists"]


def test_who_was_away_is_told_of_an_invitation_as_long_as_it_stands(team: Chat) -> None:
    for name in ("carol", "dave"):
        team.say("alice", f"/invite #team {name}")
    assert kept(team, "carol") == [e.Invited("#Team", "alice")]
    assert kept(team, "carol") == [], "told once"
    assert team.come_back("carol").reply.invitations == [e.Invitation("#Team", "alice")]
    for name in ("alice", "bob"):
        team.say(name, "/leave #team")
    assert kept(team, "dave") == [] and team.come_back("dave").reply.invitations == []
    assert codes(team, ("carol", "/join #team"), ("carol", "/decline #team")) == ["unknown_chat"] * 2


def test_an_invitation_is_declined(team: Chat) -> None:
    team.say("alice", "/invite #team carol")
    assert team.say("carol", "/decline #team").reply == r.InvitationDeclined("#Team")
    assert codes(team, ("carol", "/join #team"), ("carol", "/decline #team")) == ["unknown_chat"] * 2
    assert kept(team, "carol") == []
    team.say("bob", "/invite #team carol")
    assert team.say("carol", "/join #team").reply == r.Entering("#Team")


def test_invitations_of_who_is_removed_end_and_of_who_leaves_stay(team: Chat) -> None:
    team.say("bob", "/invite #team carol")
    team.say("alice", "/invite #team dave")
    team.say("alice", "/remove #team bob")
    assert codes(team, ("carol", "/join #team")) == ["unknown_chat"]
    into(team, "#team", "carol")
    team.say("alice", "/leave #team")
    assert team.say("dave", "/join #team").reply == r.Entering("#Team")


def test_whom_one_may_invite(team: Chat) -> None:
    assert codes(
        team, ("alice", "/invite #team alice"), ("alice", "/invite #team nobody"), ("carol", "/invite #team nobody")
    ) == ["not_yourself", "unknown_user", "unknown_chat"]


def test_invitations_of_one_user_are_bounded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "INVITATIONS_MAX", 2)
    for room in ("#one", "#two", "#three"):
        chat.say("alice", f"/create_chat {room}")
    for room in ("#one", "#two", "#one"):
        chat.say("alice", f"/invite {room} bob")
    assert codes(chat, ("alice", "/invite #three bob")) == ["too_many"]
    chat.say("bob", "/decline #one")
    assert chat.say("alice", "/invite #three bob").reply == r.UserInvited("#three", "bob")


# ---- by a link


def test_who_has_a_code_asks_and_the_owner_decides(team: Chat) -> None:
    link = team.say("bob", "/invite_link #team").reply
    assert link == r.LinkMade("#Team", "code-1", iso(NOON_MS + DAY_MS))
    for name in ("carol", "dave"):
        said = team.say(name, f"/join {link.code}")
        assert said.reply == r.Entering("#Team", asked=True)
        assert events_to(said.pushes, team.ids["alice"]) == [e.JoinRequest("#Team", name)]
        assert events_to(said.pushes, team.ids["bob"]) == events_in(said.pushes) == []
    assert team.say("carol", f"/join {link.code}").pushes == [], "once is enough"
    asked = [e.Request("#Team", "carol"), e.Request("#Team", "dave")]
    assert team.say("alice", "/status").reply.join_requests == team.come_back("alice").reply.join_requests == asked
    assert team.say("bob", "/status").reply.join_requests == []
    yes = team.say("alice", "/approve #team carol")
    assert yes.reply == r.RequestApproved("#Team", "carol")
    assert events_to(yes.pushes, team.ids["carol"]) == [e.Approved("#Team")]
    assert events_in(yes.pushes) == [e.Joined("#Team", "carol")]
    no = team.say("alice", "/deny #team dave")
    assert no.reply == r.RequestDenied("#Team", "dave")
    assert events_to(no.pushes, team.ids["dave"]) == [e.Denied("#Team")] and events_in(no.pushes) == []
    assert team.say("alice", "/members #team").reply.members == ["alice", "bob", "carol"]
    assert team.come_back("alice").reply.join_requests == []
    assert kept(team, "carol") == [e.Approved("#Team")] and kept(team, "dave") == [e.Denied("#Team")]
    assert codes(team, ("alice", "/approve #team dave"), ("alice", "/deny #team carol")) == ["unknown_user"] * 2


def test_who_asks_is_still_a_stranger(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    id_ = team.say("bob", "/send #team secret").reply.id
    team.say("carol", f"/join {code}")
    assert codes(
        team, ("carol", "/history #team"), ("carol", "/members #team"), ("carol", "/join #team"),
        ("carol", f"/thread {id_}"), ("carol", "/send #team hi"),
    ) == ["unknown_chat", "unknown_chat", "unknown_chat", "unknown_message", "unknown_chat"]  # fmt: skip
    assert chats_of(team, "carol") == ["main"]


def test_a_code_ends(team: Chat) -> None:
    one, two = (team.say("bob", "/invite_link #team").reply.code for _ in range(2))
    assert codes(team, ("carol", "/join nonsense"), ("carol", "/join Code-1")) == ["unknown_chat"] * 2
    team.clock.advance(DAY_MS - 1)
    three = team.say("alice", "/invite_link #team").reply.code
    assert team.say("carol", f"/join {two}").reply.asked
    team.clock.advance(1)
    assert codes(team, ("dave", f"/join {one}")) == ["unknown_chat"]
    assert team.say("bob", "/revoke_link #team").reply == r.LinksRevoked("#Team", 1)
    assert codes(team, ("dave", f"/join {three}")) == ["unknown_chat"]
    assert team.say("bob", "/revoke_link #team").reply == r.LinksRevoked("#Team", 0)


def test_expired_codes_are_removed_and_only_so_many_are_kept(team: Chat) -> None:
    first = team.say("bob", "/invite_link #team").reply.code
    team.clock.advance(1)
    for _ in range(LINKS_MAX):
        last = team.say("bob", "/invite_link #team").reply.code
    assert codes(team, ("carol", f"/join {first}")) == ["unknown_chat"]
    assert team.say("carol", f"/join {last}").reply.asked and len(team.dump()["links"]) == LINKS_MAX
    team.clock.advance(DAY_MS)
    team.due()
    assert team.dump()["links"] == []


def test_only_a_hash_of_a_code_is_stored(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    assert code not in str(team.dump()) and code.encode() not in repr(team.dump()).encode()


def test_a_code_lets_in_who_was_invited_and_changes_nothing_for_who_is_in(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    said = team.say("bob", f"/join {code}")
    assert said.reply == r.Entering("#Team") and said.pushes == []
    team.say("alice", "/invite #team carol")
    assert team.say("carol", f"/join {code}").reply == r.Entering("#Team")
    assert team.dump()["join_requests"] == []


def test_who_asked_and_is_invited_then_asks_no_more(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    team.say("carol", f"/join {code}")
    team.say("bob", "/invite #team carol")
    team.say("carol", "/join #team")
    assert team.come_back("alice").reply.join_requests == [] and kept(team, "alice") == []


def test_requests_to_one_chat_are_bounded(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "REQUESTS_MAX", 1)
    code = team.say("bob", "/invite_link #team").reply.code
    for _ in range(2):
        team.say("carol", f"/join {code}")
    assert codes(team, ("dave", f"/join {code}")) == ["too_many"]


def test_only_the_owner_decides(team: Chat) -> None:
    code = team.say("bob", "/invite_link #team").reply.code
    team.say("carol", f"/join {code}")
    lines = ("/approve #team carol", "/deny #team carol", "/remove #team alice", "/give #team bob")
    assert codes(team, *(("bob", line) for line in lines)) == ["forbidden"] * 4
    assert "alice" in refused(team, "bob", lines[0]).text
    assert codes(team, *(("dave", line) for line in lines)) == ["unknown_chat"] * 4
    assert codes(team, ("alice", "/approve #team nobody"), ("alice", "/deny #team dave")) == ["unknown_user"] * 2


# ---- what is said in it


def test_a_message_goes_to_who_is_in_it(team: Chat) -> None:
    said = team.say("bob", "/send #TEAM hi")
    (push,) = said.pushes
    assert (push.room, push.users) == (2, ())
    assert push.event == e.Message(id=1, seq=1, chat="#Team", from_="bob", at=iso(NOON_MS), text="hi")
    assert team.come_back("alice").events == [e.Notice("1 unread: #Team 1", unread={"#Team": 1}), push.event]
    assert team.come_back("carol").events == [e.Notice("nothing unread", unread={})]


def test_all_that_one_may_do_with_a_message_works_there(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    for name, line in (("alice", f"/react {id_} 👍"), ("bob", f"/edit {id_} ho"), ("alice", f"/unreact {id_} 👍")):
        (event,) = events_in(team.say(name, line).pushes)
        assert isinstance(event, e.Message) and event.chat == "#Team"
    comment = team.say("alice", f"/reply {id_} there").reply.id
    assert team.say("bob", f"/thread {id_}").texts == ["ho", "there"]
    assert team.say("bob", f"/thread {id_}").reply == e.Thread(id_, "#Team", 1)
    assert team.say("alice", "/talk #team").reply == e.Talking("#Team")
    assert team.say("alice", f"/read #team {comment}").reply == e.MarkedRead("#Team", comment)
    assert team.say("bob", "/messages #team").texts == ["there"]
    assert team.say("bob", "/history #team before 6").reply == e.Page("#Team", 2)
    (gone,) = events_in(team.say("alice", f"/delete {comment}").pushes)
    assert isinstance(gone, e.Message) and gone.deleted


def test_who_comes_sees_all_that_was_said_and_has_nothing_unread(team: Chat) -> None:
    for text in ("one", "two"):
        team.say("bob", f"/send #team {text}")
    into(team, "#team", "carol")
    team.say("bob", "/send #team three")
    assert team.say("carol", "/history #team").texts == ["one", "two", "three"]
    assert team.come_back("carol").texts == ["three"]
    assert team.come_back("carol", 0).texts == ["one", "two", "three"], "with a position: all above it"


def test_a_delayed_message_is_checked_again(team: Chat) -> None:
    assert codes(team, ("carol", "/send_delayed #team 5s hi")) == ["unknown_chat"]
    for text in ("one", "two"):
        team.say("bob", f"/send_delayed #team 5s {text}")
    assert [each.target for each in team.say("bob", "/delayed").reply.delayed] == ["#Team"] * 2
    team.clock.advance(5000)
    (message, _, sent, _) = (push.event for push in team.due())
    assert isinstance(message, e.Message) and (message.text, message.chat, message.delayed) == ("one", "#Team", True)
    assert sent
    team.say("bob", "/send_delayed #team 5s three")
    team.say("alice", "/remove #team bob")
    team.clock.advance(5000)
    assert events_to(team.due(), team.ids["bob"]) == [e.DelayedFailed(3, "unknown_chat")]


def test_a_delayed_message_does_not_go_to_another_chat_of_that_name(team: Chat) -> None:
    team.say("bob", "/send_delayed #team 5s secret")
    for name in ("alice", "bob"):
        team.say(name, "/leave #team")
    team.say("carol", "/create_chat #team")
    team.say("carol", "/invite #team bob")
    team.say("bob", "/join #team")
    assert team.say("bob", "/delayed").reply.delayed[0].target == "#Team"
    team.clock.advance(5000)
    assert events_to(team.due(), team.ids["bob"]) == [e.DelayedFailed(1, "unknown_chat")]


# ---- leaving


def gone(chat: Chat, name: str, id_: int) -> None:
    """To this user there is no #team any more."""
    lines = ("/history #team", "/messages #team", "/send #team x", f"/read #team {id_}", "/talk #team",
             "/members #team", "/join #team", "/leave #team", "/topic #team")  # fmt: skip
    nothing = [refused(chat, name, line.replace("#team", "#none")).text.replace("#none", "#team") for line in lines]
    assert [refused(chat, name, line).text for line in lines] == nothing
    message = f"there is no message #{id_} that you can see"
    for line in (f"/thread {id_}", f"/reply {id_} x", f"/edit {id_} x", f"/delete {id_}", f"/react {id_} 👍"):
        assert refused(chat, name, line).text == message
    assert chats_of(chat, name) == ["main"]
    assert chat.come_back(name, 0).texts == chat.come_back(name).texts == []


def test_who_leaves_loses_all_of_it(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    said = team.say("bob", "/leave #team")
    assert said.reply == r.ChatLeft("#Team") and said.moves == [Move(team.ids["bob"], 2, "#Team", False)]
    assert events_in(said.pushes) == events_to(said.pushes, team.ids["bob"]) == [e.Left("#Team", "bob")]
    gone(team, "bob", id_)
    assert kept(team, "bob") == []


def test_who_is_removed_loses_all_of_it_and_is_told(team: Chat) -> None:
    id_ = team.say("bob", "/send #team hi").reply.id
    said = team.say("alice", "/remove #team bob")
    assert said.reply == r.MemberRemoved("#Team", "bob")
    assert events_in(said.pushes) == events_to(said.pushes, team.ids["bob"]) == [e.Left("#Team", "bob", "alice")]
    assert kept(team, "bob") == [e.Left("#Team", "bob", "alice")]
    gone(team, "bob", id_)
    assert codes(team, ("alice", "/remove #team bob"), ("alice", "/remove #team alice")) == [
        "unknown_user", "not_yourself"
    ]  # fmt: skip
    into(team, "#team", "bob")
    assert team.say("bob", "/history #team").texts == ["hi"]


def test_an_owner_who_leaves_hands_it_to_the_longest_member(team: Chat) -> None:
    into(team, "#team", "dave", "carol")
    team.say("bob", "/leave #team")
    into(team, "#team", "bob")
    code = team.say("alice", "/invite_link #team").reply.code
    team.sign_in("ella")
    team.say("ella", f"/join {code}")
    said = team.say("alice", "/leave #team")
    owned = e.Notice("dave owns #Team now", chat="#Team", owner="dave")
    assert events_in(said.pushes) == [e.Left("#Team", "alice"), owned]
    assert events_to(said.pushes, team.ids["dave"]) == [e.JoinRequest("#Team", "ella")]
    assert kept(team, "alice") == [], "who asks is no longer told to who was the owner"
    assert kept(team, "dave")[-1] == e.JoinRequest("#Team", "ella")
    assert team.say("dave", "/approve #team ella").reply == r.RequestApproved("#Team", "ella")
    assert team.say("bob", "/members #team").reply == r.MemberList("#Team", "dave", ["dave", "carol", "bob", "ella"])


def test_ownership_is_handed_on(team: Chat) -> None:
    assert codes(team, ("alice", "/give #team carol"), ("alice", "/give #team alice")) == [
        "unknown_user",
        "not_yourself",
    ]
    assert team.say("alice", "/give #team bob").reply == r.OwnerSet("#Team", "bob")
    assert team.say("alice", "/members #team").reply == r.MemberList("#Team", "bob", ["alice", "bob"])
    assert codes(team, ("alice", "/remove #team bob")) == ["forbidden"]
    team.say("bob", "/remove #team alice")
    assert team.say("bob", "/members #team").reply.members == ["bob"]


def test_a_chat_ends_with_its_last_member_and_leaves_nothing(chat: Chat) -> None:
    before = {table: chat.dump()[table] for table in ROOM_TABLES}
    chat.say("alice", "/create_chat #team")
    into(chat, "#team", "bob")
    code = chat.say("alice", "/invite_link #team").reply.code
    chat.say("carol", f"/join {code}")
    chat.sign_in("dave")
    chat.say("alice", "/invite #team dave")
    id_ = chat.say("bob", "/send #team hi").reply.id
    for line in (f"/reply {id_} one", f"/reply {id_} two", f"/react {id_} 👍"):
        chat.say("alice", line)
    for name in ("alice", "bob"):
        chat.say(name, "/leave #team")
    assert codes(chat, ("carol", f"/join {code}"), ("dave", "/join #team")) == ["unknown_chat"] * 2
    assert chat.say("dave", "/create_chat #team").reply == r.ChatCreated("#team"), "the name is free"
    assert chat.say("dave", "/history #team").reply == e.Page("#team", 0)
    assert chat.say("dave", "/leave #team")
    for _ in range(2):
        chat.due()
    after = {table: rows for table, rows in chat.dump().items() if table in ROOM_TABLES}
    after["members"] = [row for row in after["members"] if row[0] != chat.ids["dave"]]
    assert after == before


def test_what_an_ended_chat_leaves_goes_little_by_little(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
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
    said = team.do(CloseAccount(None), "alice")
    alice = team.ids["alice"]
    assert {(move.user_id, move.name, move.came) for move in said.moves} == {
        (alice, "#Team", False),
        (alice, "#own", False),
    }
    assert e.Left("#Team", "alice") in events_in(said.pushes)
    assert team.say("bob", "/members #team").reply == r.MemberList("#Team", "bob", ["bob"])
    assert team.say("bob", "/status").reply.join_requests == [e.Request("#Team", "ella")]
    assert codes(team, ("dave", "/join #team")) == ["unknown_chat"]
    (message,) = team.say("bob", "/history #team").events
    assert isinstance(message, e.Message) and message.deleted
    for table in ("members", "invitations", "join_requests"):
        assert team.db.value(f"SELECT count(*) FROM {table} WHERE user_id = ?", (alice,)) == 0
    team.do(CloseAccount(None), "ella")
    assert team.say("bob", "/status").reply.join_requests == []


# ---- members and topic


def test_members_page_by_page(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MEMBERS_LISTED_MAX", 2)
    into(team, "#team", "dave", "carol")
    pages = [r.MemberList("#Team", "alice", ["alice", "bob"], "/members #Team bob"),
             r.MemberList("#Team", "alice", ["dave", "carol"])]  # fmt: skip
    assert [team.say("bob", line).reply for line in ("/members #team", "/members #team bob")] == pages
    assert codes(team, ("bob", "/members #team nobody")) == ["unknown_user"]


def test_status_lists_a_bounded_number_of_members(team: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    into(team, "#team", "carol", "dave")
    team.say("alice", "/create_chat #zoo")
    monkeypatch.setattr("chat_server.rules.accounts.LIST_MAX", 3)
    main, one, two = team.say("alice", "/status").reply.chats
    assert (main.members, main.owner) == (None, None)
    assert (one.members, one.owner, one.more) == (["alice", "bob", "carol"], "alice", "/members #Team")
    assert (two.members, two.owner, two.more) == ([], "alice", "/members #zoo")


def test_a_topic(team: Chat) -> None:
    assert team.say("bob", "/topic #team").reply == r.TopicShown("#Team")
    said = team.say("bob", "/topic #team  what  we\tplan ")
    assert said.reply == r.TopicShown("#Team", "what we plan")
    assert events_in(said.pushes) == [e.TopicChanged("#Team", "what we plan", "bob")]
    assert team.say("alice", "/topic #team").reply == r.TopicShown("#Team", "what we plan")
    assert team.say("alice", "/topic #team what we plan").pushes == []
    assert team.say("alice", "/status").reply.chats[1].topic == "what we plan"
    assert events_in(team.say("alice", '/topic #team ""').pushes) == [e.TopicChanged("#Team", "", "alice")]
    assert team.say("alice", "/topic #team").reply == r.TopicShown("#Team")
    assert codes(team, ("carol", "/topic #team"), ("alice", f"/topic #team {'x' * 301}")) == [
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
def test_a_ban_forbids_what_others_would_see_and_nothing_else(team: Chat, line: str, code: str) -> None:
    team.say("dave", f"/join {team.say('alice', '/invite_link #team').reply.code}")
    team.say("carol", "/create_chat #guests")
    team.say("carol", "/invite #guests alice")
    team.configure(reports_to_ban=1)
    team.say("bob", "/report alice")
    if code == "ok":
        assert isinstance(team.say("alice", line), Said)
    else:
        assert refused(team, "alice", line).code == code
