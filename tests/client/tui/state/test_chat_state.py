from chat_client.tui.state.chat_state import ChatState
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
