from chat_client.tui.state.chat_state import SPEAKERS_MAX, ChatState
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import said


def chat_state() -> ChatState:
    chat = ChatState("main")
    chat.sign_in(ChatInfo(name="main", read=0, unread=0, muted=False))
    chat.feed.at_end = True
    return chat


def test_unread_counts_what_others_wrote_once() -> None:
    one = chat_state()
    assert one.add(said(1), "alice")
    assert not one.add(said(2, who="alice"), "alice")
    assert not one.add(said(1, "changed", seq=3), "alice")
    assert one.add(said(4, "@alice look"), "alice")
    assert (one.unread, one.mentions) == (2, {4})


def test_the_marker_moves_only_forwards() -> None:
    one = chat_state()
    for id in range(1, 6):
        one.add(said(id), "alice")
    one.mark_read(3, "alice")
    assert (one.read, one.unread) == (3, 2)
    one.mark_read(2, "alice")
    assert (one.read, one.unread) == (3, 2)
    one.mark_read(5, "alice")
    assert one.unread == 0


def test_a_mention_that_is_deleted_calls_no_more() -> None:
    one = chat_state()
    one.add(said(1, "@alice"), "alice")
    one.add(said(1, deleted=True, seq=2), "alice")
    assert not one.mentions


def test_it_knows_who_spoke_last() -> None:
    one = chat_state()
    for id, who in enumerate(("bob", "carol", "bob"), 1):
        one.add(said(id, who=who), "alice")
    assert list(one.speakers) == ["carol", "bob"]


def test_what_is_read_of_a_part_leaves_the_rest_unread() -> None:
    one = ChatState("main")
    one.sign_in(ChatInfo(name="main", read=0, unread=600, muted=False))
    one.feed.restart([said(id) for id in range(1, 101)])
    one.loaded = True
    one.mark_read(40, "alice")
    assert one.unread == 560


def test_ones_own_messages_are_not_among_those_that_a_marker_passes() -> None:
    one = ChatState("main")
    one.sign_in(ChatInfo(name="main", read=0, unread=4, muted=False))
    one.feed.restart([said(1), said(2, who="alice"), said(3), said(4), said(5)])
    one.loaded, one.newest = True, 5
    one.mark_read(3, "alice")
    assert one.unread == 2


def test_a_marker_reads_the_mentions_before_it() -> None:
    one = chat_state()
    for id in (1, 2, 3):
        one.add(said(id, "@alice"), "alice")
    one.mark_read(2, "alice")
    assert one.mentions == {3} and one.unread == 1
    assert not one.add(said(2, "@alice, again", seq=9), "alice") and one.mentions == {3}, "it was read before"


def test_a_marker_in_a_chat_of_which_nothing_is_kept() -> None:
    one = ChatState("main")
    one.sign_in(ChatInfo(name="main", read=0, unread=9, muted=False))
    one.mark_read(4, "alice")
    assert one.unread == 0, "how many are behind it only the server knows"
    one.sign_in(ChatInfo(name="main", read=4, unread=5, muted=False))
    one.newest = 9
    one.mark_read(6, "alice")
    assert one.unread == 5
    one.mark_read(9, "alice")
    assert one.unread == 0


def test_what_expires_is_unread_no_more() -> None:
    one = chat_state()
    for id in (1, 2, 3):
        one.add(said(id, "@alice"), "alice")
    one.mark_read(1, "alice")
    one.expire([1, 2])
    assert (one.unread, one.mentions) == (1, {3}) and list(one.feed.messages) == [3]
    one.expire([3, 99])
    assert (one.unread, one.mentions) == (0, set())


def test_a_sign_in_brings_the_numbers_and_keeps_the_mentions_behind_the_marker() -> None:
    one = chat_state()
    for id in (1, 2, 3):
        one.add(said(id, "@alice"), "alice")
    one.sign_in(ChatInfo(name="main", read=2, unread=1, muted=True, topic="plans", owner="bob", members=["bob"]))
    assert (one.read, one.unread, one.mentions) == (2, 1, {3})
    assert one.muted and one.topic == "plans" and one.owner == "bob" and one.members == ["bob"] and one.listed
    one.sign_in(ChatInfo(name="main", read=3, unread=0, muted=False))
    assert not one.mentions and one.members == ["bob"], "who is in it is not said again"


def test_a_message_that_changes_out_of_the_stretch_is_no_new_one() -> None:
    one = ChatState("#team")
    one.sign_in(ChatInfo(name="#team", read=0, unread=1, muted=False))
    assert not one.add(said(1, "old", chat="#team", seq=7), "alice") and one.newest == 1
    assert one.add(said(8, "new", chat="#team"), "alice") and one.newest == 8
    assert not one.add(said(3, "old too", chat="#team", seq=9), "alice") and (one.newest, one.unread) == (8, 2)


def test_what_comes_behind_the_marker_of_another_device_is_not_unread() -> None:
    one = chat_state()
    one.mark_read(5, "alice")
    assert not one.add(said(4), "alice") and not one.add(said(5, "@alice"), "alice")
    assert one.unread == 0 and not one.mentions
    assert one.add(said(6), "alice") and one.unread == 1


def test_the_line_over_what_is_new_stands_over_the_first_message_of_others() -> None:
    one = chat_state()
    for id, who in enumerate(("bob", "alice", "bob"), 1):
        one.add(said(id, who=who), "alice")
    assert one.first_new("alice") is None
    one.new_after = 1
    assert one.first_new("alice") == 3
    one.unload()
    assert one.first_new("alice") is None and one.new_after is None and not one.loaded


def test_who_spoke_is_bounded() -> None:
    one = chat_state()
    for id in range(1, SPEAKERS_MAX + 3):
        one.add(said(id, who=f"user{id}"), "alice")
    assert len(one.speakers) == SPEAKERS_MAX and "user1" not in one.speakers
