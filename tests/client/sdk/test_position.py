"""No message missing, none twice: whatever breaks off, and wherever."""

from hypothesis import given
from hypothesis import strategies as st

from chat_client.sdk.position import REMEMBERED_MAX, Position
from chat_server.protocol.messages import Message


def message(id_: int, seq: int | None = None) -> Message:
    return Message(id_, seq or id_, "main", "bob", "2026-11-21T12:00:00.000Z", "hi")


def at(seq: int) -> Position:
    position = Position()
    position.take_sign_in(seq, "h")
    return position


def test_pushes_move_it() -> None:
    position = at(10)
    assert position.take_pushed(message(11)) and position.seq == 11
    assert position.take_pushed(message(13)) and position.seq == 13
    assert position.take_pushed(message(11, 14)), "an edit is news"
    assert not position.take_pushed(message(13)) and position.seq == 14


def test_what_a_command_returns_does_not_move_it() -> None:
    position = at(10)
    assert position.take_missed(message(11), in_order=True)
    assert position.seq == 10


def test_a_resume_that_breaks_off_shows_nothing_twice() -> None:
    position = at(10)
    assert position.take_missed(message(11), in_order=True)
    # The connection breaks; the same position again.
    assert [position.take_missed(message(id_), in_order=True) for id_ in (11, 12)] == [False, True]
    assert not position.take_sign_in(12, "h")
    assert position.take_pushed(message(13))


def test_a_first_sign_in_that_breaks_off_shows_nothing_twice() -> None:
    position = Position()
    # By id, each in its newest state.
    assert [position.take_missed(message(*each), in_order=False) for each in ((3, 9), (4, 4))] == [True, True]
    shown = [position.take_missed(message(*each), in_order=False) for each in ((3, 9), (4, 12), (5, 5))]
    assert shown == [False, True, True], "what has changed meanwhile comes again"


def test_ones_own_messages_are_no_news_after_a_resume() -> None:
    position = at(10)
    position.note_sent(11)
    assert not position.take_missed(message(11), in_order=True)
    assert position.take_missed(message(12), in_order=True)
    assert position.take_missed(message(11, 13), in_order=True), "but a change of it is"


def test_what_a_reply_confirms_comes_once_and_hides_nothing() -> None:
    position = at(10)
    assert position.take_confirmed(message(5, 20)) and position.seq == 10
    assert position.take_pushed(message(12)), "which was pushed before, and came after the reply"
    assert not position.take_pushed(message(5, 20)), "as after a resume"
    assert not position.take_confirmed(message(5, 19)), "what has come by a push is newer"
    assert position.take_pushed(message(5, 21))


def test_another_history() -> None:
    position = at(10)
    position.take_pushed(message(11))
    assert position.take_sign_in(3, "other")
    assert position.seq is None, "all is asked for again"
    assert position.take_missed(message(3), in_order=False), "its ids begin anew"
    assert not position.take_sign_in(3, "other")
    assert position.take_pushed(message(4)) and position.seq == 4


def test_what_it_remembers_is_bounded() -> None:
    position = at(0)
    for id_ in range(1, REMEMBERED_MAX + 100):
        position.take_pushed(message(id_))
    assert len(position._newest) == REMEMBERED_MAX


STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6) | st.none(), st.integers(0, 6)), max_size=12)


@given(st.lists(st.none() | st.integers(0, 100), max_size=40), STEPS)
def test_everything_comes_once_however_often_it_breaks(
    made: list[int | None], steps: list[tuple[int, int | None, int]]
) -> None:
    """A server with changes by `seq`; a client whose connection breaks anywhere, in a resume too.

    Each step: so many more changes happen, so many lines of the resume come (None: all, and its `ok`), and then so many
    changes are pushed.
    """
    changes = [message(seq if of is None else of % seq + 1, seq) for seq, of in enumerate(made, 1)]
    position = at(0)
    got: list[Message] = []
    happened = 0
    for more, shown, pushed in [*steps, (len(changes), None, 0)]:
        happened = min(happened + more, len(changes))
        newest = {each.id: each for each in changes[:happened] if each.seq > (position.seq or 0)}
        missed = sorted(newest.values(), key=lambda each: each.seq)
        got += [each for each in missed[:shown] if position.take_missed(each, in_order=True)]
        if shown is None:
            position.take_sign_in(happened, "h")
            got += [each for each in changes[happened : happened + pushed] if position.take_pushed(each)]
            happened = min(happened + pushed, len(changes))
    seqs = [each.seq for each in got]
    assert seqs == sorted(set(seqs)), "in order, none twice"
    assert {each.id: each for each in got} == {each.id: each for each in changes}, "the newest state of each"
