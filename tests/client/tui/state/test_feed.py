from hypothesis import given
from hypothesis import strategies as st

from chat_client.tui.state.feed import ITEMS_MAX, MOVES_MAX, Anchor, Feed, Reveal, Scroll
from chat_client.tui.state.items import MessageItem, NoteItem, UnsentItem
from chat_server.protocol.messages import Message
from tests.client.people import at, feed, said


def ids(feed: Feed) -> list[int]:
    return [item.message.id for item in feed.items if isinstance(item, MessageItem)]


def test_only_what_belongs_into_the_stretch_is_kept() -> None:
    one = Feed()
    one.extend([said(10), said(11)])
    assert one.put(said(12)) == "outside"
    assert one.put(said(9)) == "outside"
    assert one.put(said(11, "changed", seq=20)) == "changed"
    one.at_end = True
    assert one.put(said(14)) == "new" and one.put(said(13)) == "new"
    assert ids(one) == [10, 11, 13, 14]


def test_an_empty_stretch_takes_only_what_comes_at_the_end() -> None:
    assert Feed().put(said(1)) == "outside"
    assert Feed(at_end=True).put(said(1)) == "new"


def test_older_messages_come_in_their_place_where_nothing_older_is_missing() -> None:
    one = Feed(at_end=True)
    one.extend([said(10)])
    assert one.put(said(5)) == "outside"
    one.at_start = True
    assert one.put(said(5)) == "new" and ids(one) == [5, 10]


def test_an_older_state_of_a_message_changes_nothing() -> None:
    one = feed(3)
    one.put(said(2, "newer", seq=9))
    one.put(said(2, "older", seq=8))
    one.extend([said(2, "older", seq=7)])
    assert one.messages[2].message.text == "newer"
    one.put(said(2, "the same state again", seq=9))
    assert one.messages[2].message.text == "the same state again"


def answer(id: int) -> Message:
    return said(id, reply_to=1)


def test_answers_count_once_in_any_order_and_whether_the_server_counted_them_or_not() -> None:
    one = Feed(at_end=True)
    one.extend([said(1, replies=2, last_reply=5), answer(3), answer(5)])
    assert one.messages[1].replies == 2
    for id in (9, 8, 9, 5, 3):
        one.put(answer(id))
    one.put(said(9, "edited", seq=12, reply_to=1))
    assert one.messages[1].replies == 4
    one.put(said(1, "as it was sent from here"))  # made of the answer to a message that is sent twice
    assert one.messages[1].replies == 4
    one.put(said(1, "changed", seq=13, replies=4, last_reply=9))
    assert one.messages[1].replies == 4
    one.remove([3])
    one.put(answer(14))
    assert one.messages[1].replies == 4
    one.remove([14, 9])
    assert one.messages[1].replies == 2
    one.remove([1])
    one.put(answer(15))
    one.restart([said(1, replies=3, last_reply=15)])
    assert one.messages[1].replies == 3


@given(st.lists(st.integers(2, 12)), st.integers(1, 12))
def test_whatever_comes_twice_or_late_a_message_has_as_many_replies_as_answer_it(came: list[int], loaded: int) -> None:
    counted = list(range(2, loaded + 1))
    one = Feed(at_end=True)
    one.extend([said(1, replies=len(counted), last_reply=max(counted, default=None))])
    for id in came:
        one.put(answer(id))
    assert one.messages[1].replies == len(set(counted) | set(came))


def test_a_changed_message_is_another_item_in_the_same_place() -> None:
    one = feed(3)
    before = one.messages[2]
    one.put(said(2, "changed", seq=9))
    assert one.items[1] is one.messages[2] is not before
    assert before.message.text == "text 2" and ids(one) == [1, 2, 3]


def test_it_is_bounded() -> None:
    one = feed(0)
    for id in range(1, 3 * ITEMS_MAX):
        one.put(said(id))
    assert len(one.items) <= ITEMS_MAX and set(one.messages) == set(ids(one))
    assert not one.at_start and one.at_end and one.last_id == 3 * ITEMS_MAX - 1


def test_notes_are_bounded_too() -> None:
    one = feed(10)
    for number in range(ITEMS_MAX + 1):
        one.add_note("info", str(number), at(number))
    assert len(one.items) <= ITEMS_MAX
    last = one.items[-1]
    assert isinstance(last, NoteItem) and last.text == str(ITEMS_MAX)


def test_it_is_bounded_while_one_reads_further_up() -> None:
    one = feed(ITEMS_MAX)
    one.settle(Anchor((20, 0)))
    for id in range(ITEMS_MAX + 1, 2 * ITEMS_MAX):
        one.put(said(id))
    assert one.anchor == Anchor((20, 0)) and not one.at_end and len(one.items) <= ITEMS_MAX
    assert ids(one) == list(range(1, len(one.items) + 1)), "what is newer is dropped, without a gap"


def test_the_anchor_stays_whatever_comes() -> None:
    one = feed(30)
    one.settle(Anchor((20, 0), 1))
    one.put(said(31))
    one.put(said(5, "longer " * 90, seq=50))
    one.add_note("info", "a note", at(31))
    assert one.anchor == Anchor((20, 0), 1) and one.is_scrolled
    one.follow_end()
    assert one.anchor is None and not one.is_scrolled


def test_moves_wait_until_the_renderer_has_followed_them() -> None:
    one = feed(30)
    one.scroll(rows=5)
    one.scroll(pages=-1)
    assert one.moves == [Scroll(5), Scroll(0, -1)] and one.anchor is None
    one.settle(Anchor((4, 0)))
    assert one.moves == [] and one.anchor == Anchor((4, 0))
    one.scroll(rows=1)
    one.reveal(9, "middle")
    assert one.moves == [Reveal((9, 0), "middle")], "where it leads does not depend on the moves before"
    for _ in range(2 * MOVES_MAX):
        one.scroll(rows=1)
    assert len(one.moves) == MOVES_MAX


def test_messages_are_selected_one_by_one() -> None:
    one = feed(30)
    one.add_note("info", "a note", "2026-11-18T08:01:00.000Z")
    one.step(1)
    assert one.selected is None
    for id in range(30, 0, -1):
        one.step(-1)
        assert one.selected == id and one.moves[-1] == Reveal((id, 0))
    one.step(-1)
    assert one.selected == 1
    for _ in range(29):
        one.step(1)
    assert one.selected == 30
    one.step(1)
    assert one.selected is None


def test_selecting_begins_at_the_lowest_message_on_the_screen() -> None:
    one = feed(30)
    one.settle(Anchor((12, 0), 1))
    one.step(-1)
    assert one.selected == 12


def test_what_is_gone_is_gone() -> None:
    one = feed(10)
    one.selected = 3
    assert one.remove([3, 4, 99]) == 2
    assert one.selected is None and ids(one) == [1, 2, 5, 6, 7, 8, 9, 10] and 4 not in one.messages
    one.selected = 7
    assert one.remove([8]) == 1 and one.selected == 7


def test_another_stretch_begins_anew() -> None:
    one = feed(10)
    one.settle(Anchor((4, 0)))
    one.scroll(rows=3)
    one.selected = 5
    one.restart([said(50), said(51)])
    assert ids(one) == list(one.messages) == [50, 51]
    assert one.anchor is None and not one.moves and one.selected is None
    assert not one.at_start and not one.at_end


def test_what_stands_between_two_ids() -> None:
    one = feed(30)
    one.put(said(31, who="alice"))
    one.put(said(22, seq=40, deleted=True))
    assert one.count_of_others(20, 25, "alice") == 3 and one.count_of_others(29, 99, "alice") == 1
    assert one.first_of_others(29, "alice") == 30 and one.first_of_others(30, "alice") is None


def test_the_next_page_is_needed_as_one_comes_near_to_a_side() -> None:
    one = feed(400)
    assert not one.is_near_start and one.is_near_end
    one.settle(Anchor((200, 0)))
    assert not one.is_near_start and not one.is_near_end
    one.settle(Anchor((30, 0)))
    assert one.is_near_start


def test_messages_on_their_way_stand_at_the_end_where_the_end_is_kept() -> None:
    one = feed(3)
    unsent = one.unsent["k"] = UnsentItem(place=(1 << 62, 0), at=at(9), key="k", text="hello", state="waiting")
    assert one.entries == [*one.items, unsent]
    one.at_end = False
    assert one.entries == one.items


def test_answers_are_dismissed_and_what_has_happened_stays() -> None:
    one = feed(3)
    one.add_note("info", "bob joined", at(4))
    one.add_note("error", "no such chat", at(4), dismissable=True)
    one.add_refused("k", "mine", at(5), "why", None)
    assert not one.ends_with_answer
    assert one.dismiss_answers() and not one.dismiss_answers()
    left = [item.text for item in one.items if isinstance(item, NoteItem | UnsentItem)]
    assert left == ["bob joined", "mine"]
    assert one.clear_notes() and not one.clear_notes()
    assert [item.place for item in one.items] == [(1, 0), (2, 0), (3, 0)]


def test_the_end_is_followed_again_when_the_answer_one_looked_at_goes() -> None:
    one = feed(3)
    one.settle(Anchor(one.add_note("done", "long", at(4), dismissable=True), 5))
    one.dismiss_answers()
    assert one.anchor is None
    one.settle(Anchor((1, 0)))
    one.add_note("done", "long", at(4), dismissable=True)
    one.dismiss_answers()
    assert one.anchor == Anchor((1, 0))
