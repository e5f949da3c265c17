"""Which states of messages a connection has been shown; orders of all kinds are tried in test_catch_up."""

from chat_server.delivery.shown_states import OWN_STATES_MAX, OwnState, ShownStates
from tests.unit.delivery.messages import message


def test_a_reply_tells_all_of_a_change_to_what_was_shown_and_of_what_follows_it() -> None:
    shown = ShownStates(10)
    assert shown.add_own([OwnState(12, 12, 0), OwnState(5, 13, 5), OwnState(5, 14, 13), OwnState(12, 15, 12)])
    assert not shown.add_own([OwnState(5, 17, 16)]), "state 16 is somebody else's"
    assert not any(shown.must_show(message(*state), 17) for state in ((12, 12), (5, 14), (12, 15)))
    assert shown.must_show(message(5, 17), 17)


def test_where_the_store_was_ahead_a_page_may_have_left_out_what_changed() -> None:
    for by_id in (True, False):
        shown = ShownStates(10)
        shown.finish_pages(20, 22, by_id=by_id)
        assert not shown.is_certain(20) and shown.is_certain(22)
        assert shown.add_own([OwnState(15, 21, 15)]) is by_id, "people were shown 15 in a newer state"
        assert not shown.add_own([OwnState(5, 22, 16)])


def test_where_the_store_was_not_ahead_all_was_shown() -> None:
    shown = ShownStates(10)
    shown.finish_pages(20, 20, by_id=False)
    assert shown.is_certain(20)
    assert shown.add_own([OwnState(15, 21, 15), OwnState(5, 22, 16)])


def test_a_state_from_after_the_stop_is_shown_once_and_not_of_ones_own_new_message() -> None:
    shown = ShownStates(10)
    shown.add_own([OwnState(12, 12, 0)])
    assert shown.must_show(message(11, 14), 12) and shown.newest_ahead == 14
    assert not shown.must_show(message(11, 14), 14)
    assert shown.must_show(message(11, 15), 15)
    assert not shown.must_show(message(12, 14), 12), "a later page knows whose the change is"
    assert shown.must_show(message(12, 14), 14)


def test_of_ones_own_states_those_that_are_told_are_forgotten_where_there_are_too_many() -> None:
    shown, end = ShownStates(0), OWN_STATES_MAX + 1
    for count, known in ((OWN_STATES_MAX, True), (end, False)):
        assert shown.add_own(OwnState(id_, id_, 0) for id_ in range(1, count + 1))
        shown.finish_pages(end, end + 5, by_id=False)
        assert shown.add_own([OwnState(1, end + 1, 1)]) is known
