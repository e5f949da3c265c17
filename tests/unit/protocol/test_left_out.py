import pytest

from chat_server.protocol.left_out import count_words, leaves_out, leaves_out_chat

HISTORY = ("before", "after", "around", "since", "limit")


@pytest.mark.parametrize(
    ("rest", "words"),
    [("", 0), ("one", 1), (" two  words ", 2), ('"my photo.png" 12', 2), ('"not closed', 1), ("a\tb", 1)],
)
def test_words_are_counted_as_the_line_is_read(rest: str, words: int) -> None:
    assert count_words(rest) == words


def test_an_optional_argument_gives_way_to_those_that_are_required() -> None:
    assert leaves_out("new", 1, None) and not leaves_out("old new", 1, None)
    assert leaves_out("spam", 0, "0123456789") and not leaves_out("5m spam", 0, "0123456789")
    assert not leaves_out("", 0, "0123456789")


@pytest.mark.parametrize(
    ("rest", "required_after", "starts", "left_out"),
    [
        ("", 0, None, True),
        ("bob", 0, None, False),
        ("erin", 1, "#", True),
        ("#ops erin", 1, "#", False),
        ("a new topic", 0, "#", True),
        ("#ops a new topic", 0, "#", False),
        ("limit 5", 0, None, True),
        ("LIMIT 5 before 7", 0, None, True),
        ("limit", 0, None, False),  # a user may be called so
        ("limit limit 5", 0, None, False),
        ("bob 5", 0, None, False),
    ],
)
def test_a_chat_that_is_left_out(rest: str, required_after: int, starts: str | None, left_out: bool) -> None:
    assert leaves_out_chat(rest, required_after, starts, HISTORY) == left_out
