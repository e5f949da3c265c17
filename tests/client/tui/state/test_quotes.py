from msgspec.structs import replace

from chat_client.tui.state.quotes import QUOTES_ASKED_AT_ONCE_MAX, QUOTES_MAX, Quotes, quote_of
from chat_server.protocol.messages import File
from tests.client.people import said


def test_how_a_message_is_quoted() -> None:
    assert quote_of(said(1, "two\nlines  here")) == ("bob", "two lines here")
    assert quote_of(said(1, deleted=True)) == ("bob", "(deleted)")
    assert quote_of(replace(said(1, file=File(7, "a.png", 2, "")), text=None)) == ("bob", "a.png")


def test_each_is_asked_for_once_and_the_newest_first() -> None:
    quotes = Quotes()
    ids = frozenset(range(1, 6))
    asked = [quotes.ask(ids) for _ in range(3)]
    assert QUOTES_ASKED_AT_ONCE_MAX == 3 and asked == [[5, 4, 3], [2, 1], []]


def test_an_answer_is_remembered_until_the_message_changes() -> None:
    quotes = Quotes()
    quotes.ask(frozenset((1,)))
    assert quotes.get(1) is None
    quotes.put(1, said(1, "hello"))
    assert quotes.get(1) == ("bob", "hello")
    quotes.forget(1)
    assert quotes.get(1) is None and quotes.ask(frozenset((1,))) == [1]
    quotes.put(1, None)
    assert quotes.ask(frozenset((1,))) == [], "it is not there any more"
    quotes.clear()
    assert quotes.ask(frozenset((1,))) == [1]


def test_they_are_bounded() -> None:
    quotes = Quotes()
    for id in range(2 * QUOTES_MAX):
        quotes.ask(frozenset((id,)))
        quotes.put(id, said(1, "hello"))
    assert [quotes.get(id) is not None for id in (0, QUOTES_MAX - 1, QUOTES_MAX, 2 * QUOTES_MAX - 1)] == [
        False,
        False,
        True,
        True,
    ]
