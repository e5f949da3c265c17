from chat_client.tui.state import navigation
from chat_client.tui.state.dialogs import Finder
from chat_client.tui.state.effects import SetText
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said


def test_chats_with_what_is_unread_in_them() -> None:
    me = Me(
        ChatInfo("main", 0, 0, muted=False),
        ChatInfo("#team", 0, 4, muted=False),
        ChatInfo("#noise", 0, 2000, muted=True),
        ChatInfo("@bob", 0, 1, muted=False),
    )
    me.hear(said(3000, "@alice", chat="#team"))
    rows = me.rows("left")
    assert [row.split()[:2] for row in rows[1:3]] == [["▌1", "main"], ["2", "#team"]]
    assert rows[5].split()[:3] == ["3", "○", "bob"]
    assert rows[7].split()[0] == "muted" and rows[8].split()[:2] == ["4", "#noise"]
    assert "999+" in rows[8] and "@1  5 " in rows[2]


def test_the_open_chat_is_in_sight_however_many_there_are() -> None:
    me = Me(*(ChatInfo(f"#chat{number}", 0, 0, muted=False) for number in range(100)))
    navigation.open_chat(me.screen, "#chat90")
    assert any("▌" in row and "#chat90" in row for row in me.rows("left"))


def test_chats_stand_in_the_same_order_whenever_they_come() -> None:
    me = Me(ChatInfo("main", 0, 0, muted=False), ChatInfo("#b", 0, 0, muted=False), ChatInfo("@Zoe", 0, 0, muted=False))
    me.hear(said(1, chat="@bob"), said(2, chat="#A"))
    assert list(me.screen.chats.by_name) == ["main", "#A", "#b", "@bob", "@Zoe"]


def test_what_is_unread_out_of_sight_is_told_at_that_end() -> None:
    people = [ChatInfo(f"@user{number:02d}", 0, 0, muted=False) for number in range(60)]
    me = Me(ChatInfo("main", 0, 3, muted=False), *people)
    me.hear(said(1, chat="@user55"), said(2, chat="@user56"))
    rows = me.rows("left")
    assert "↑" not in rows[0] and rows[-1].split() == ["↓", "32", "more", "2", "│"]
    navigation.open_chat(me.screen, "@user30")
    rows = me.rows("left")
    assert rows[0].split()[-2:] == ["3", "│"] and "▌" in me.text("left")
    navigation.open_chat(me.screen, "@user59")
    assert "↓" not in me.text("left") and "▌" in me.rows("left")[-1]


def test_a_click_on_an_invitation_offers_the_command() -> None:
    me = Me()
    me.screen.roster.invitations = ["#team"]
    me.screen.roster.join_requests = [("#mine", "carol")]
    region = next(region for region in me.frame().regions if region.name == "left")
    commands = [row.command for row in region.rows if row.command]
    assert commands == ["/join #team", "/approve #mine carol"]
    navigation.offer_command(me.screen, commands[0], "")
    assert me.wanted(SetText) == [SetText("/join #team")]
    navigation.offer_command(me.screen, commands[0], "half a line")
    assert not me.wanted(SetText) and "/join #team" in me.text("bar")


def test_who_is_here_recent_speakers_first() -> None:
    me = Me()
    me.status(["zed", "bob", "carol", "alice"])
    me.load()
    me.hear(said(1, who="zed"))
    assert [row.split()[-1] for row in me.rows("right")[1:5]] == ["zed", "alice", "bob", "carol"]


def test_members_of_a_chat_online_or_not_and_its_owner() -> None:
    team = ChatInfo("#team", 0, 0, owner="bob", members=["alice", "bob", "zoe"], muted=False)
    me = Me(ChatInfo("main", 0, 0, muted=False), team)
    me.status(["alice", "bob", "carol"], team)
    navigation.open_chat(me.screen, "#team")
    text = me.text("right")
    assert "bob ★" in text and "○ zoe" in text and "carol" not in text


def test_the_side_is_as_wide_as_its_longest_member_with_a_star() -> None:
    team = ChatInfo("#team", 0, 0, owner="a-name-of-15-ce", members=["a-name-of-15-ce", "alice"], muted=False)
    me = Me(ChatInfo("main", 0, 0, muted=False), team, columns=180)
    me.status(["alice"], team)
    navigation.open_chat(me.screen, "#team")
    assert "a-name-of-15-ce ★" in me.text("right")


def test_more_people_than_rows() -> None:
    me = Me()
    me.status([f"user{number}" for number in range(100)])
    assert "more" in me.rows("right")[-1]


def test_the_dialog_shows_what_was_found() -> None:
    me = Me(
        ChatInfo("main", 0, 0, muted=False), ChatInfo("#team", 0, 4, muted=False), ChatInfo("@tea", 0, 0, muted=False)
    )
    me.screen.dialogs.finder = Finder("tea")
    rows = me.rows("finder")
    assert "jump to tea" in rows[0] and "#team" in rows[1] and "@tea" in rows[2]
    me.screen.dialogs.finder = Finder("zzz")
    assert "nothing matches" in me.text("finder")


def test_long_names_are_told_apart_by_their_ends() -> None:
    names = ["deploy-of-production", "deploy-of-staging-b"]
    me = Me(columns=110)
    me.status(["alice", *names])
    me.load(*(said(id, who=who) for id, who in enumerate(names, 1)))
    for region in ("feed", "right"):
        assert "tion" in me.text(region) and "g-b" in me.text(region), region


def test_people_stand_in_the_order_in_which_one_counts() -> None:
    me = Me()
    me.status(["alice", "node10", "node2", "Node1"])
    names = [row.split()[-1] for row in me.rows("right")[1:5]]
    assert names == ["alice", "Node1", "node2", "node10"]
