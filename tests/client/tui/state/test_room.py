from chat_client.tui.state.room import Room
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import said


def room() -> Room:
    room = Room("main")
    room.told(ChatInfo(name="main", read=0, unread=0, muted=False))
    room.feed.at_end = True
    return room


def test_unread_counts_what_others_wrote_once() -> None:
    one = room()
    assert one.heard(said(1), "alice")
    assert not one.heard(said(2, who="alice"), "alice")
    assert not one.heard(said(1, "changed", seq=3), "alice")
    assert one.heard(said(4, "@alice look"), "alice")
    assert (one.unread, one.calls) == (2, {4})


def test_the_marker_moves_only_forwards() -> None:
    one = room()
    for id in range(1, 6):
        one.heard(said(id), "alice")
    one.marked(3, "alice")
    assert (one.read, one.unread) == (3, 2)
    one.marked(2, "alice")
    assert (one.read, one.unread) == (3, 2)
    one.marked(5, "alice")
    assert one.unread == 0


def test_a_mention_that_is_deleted_calls_no_more() -> None:
    one = room()
    one.heard(said(1, "@alice"), "alice")
    one.heard(said(1, deleted=True, seq=2), "alice")
    assert not one.calls


def test_it_knows_who_spoke_last() -> None:
    one = room()
    for id, who in enumerate(("bob", "carol", "bob"), 1):
        one.heard(said(id, who=who), "alice")
    assert list(one.speakers) == ["carol", "bob"]


def test_what_is_read_of_a_part_leaves_the_rest_unread() -> None:
    one = Room("main")
    one.told(ChatInfo(name="main", read=0, unread=600, muted=False))
    one.feed.restart([said(id) for id in range(1, 101)])
    one.loaded = True
    one.marked(40, "alice")
    assert one.unread == 560
