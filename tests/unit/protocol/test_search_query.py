import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.messages import Search
from chat_server.protocol.parse import parse
from chat_server.protocol.search_query import Piece, pieces
from tests.unit.strategies import any_text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("one two", [Piece("one", False), Piece("two", False)]),
        ('"one  two" three', [Piece("one two", False), Piece("three", False)]),
        ('wor* "one tw"*', [Piece("wor", True), Piece("one tw", True)]),
        ('a"b c"d', [Piece("a", False), Piece("b c", False), Piece("d", False)]),
        ('never "closed one', [Piece("never", False), Piece("closed one", False)]),
        ('"" * " " **', []),
        ("a*b", [Piece("a*b", False)]),
        ('"two\nlines"\t*', [Piece("two lines", False)]),
        ("NEAR(a OR b)", [Piece("NEAR(a", False), Piece("OR", False), Piece("b)", False)]),
    ],
)
def test_a_query_is_words_phrases_and_beginnings(words: str, found: list[Piece]) -> None:
    assert list(pieces(words)) == found


@given(any_text | st.text(st.sampled_from('ab* "\n:in'), max_size=20))
def test_pieces_written_down_are_the_same_pieces(words: str) -> None:
    found = list(pieces(words))
    assert all(piece.text and '"' not in piece.text for piece in found)
    written = " ".join(map(str, found))
    assert list(pieces(written)) == found
    # What `more` says is a line that brings the same.
    if found and written.isprintable():
        command = parse(f"/search {written} before:7", text_chars_max=1000).command
        assert isinstance(command, Search) and (command.in_, command.from_, command.before) == (None, None, 7)
        assert list(pieces(command.words)) == found
