import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import setting_kinds
from chat_server.setting_kinds import Rate, ValueKind, number, one_of, size, size_words

KINDS = [kind for kind in vars(setting_kinds).values() if isinstance(kind, ValueKind)]
KINDS += [number(0, 9), one_of("open", "closed"), size("1B", "1GiB")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.metavar)
@given(st.text() | st.binary().map(lambda some: some.decode("utf-8", "surrogateescape")))
def test_a_value_is_read_or_refused_in_words(kind: ValueKind, text: str) -> None:
    try:
        kind.parse(text)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.words], ids=lambda kind: kind.metavar)
def test_the_words_of_a_kind_are_its_values(kind: ValueKind) -> None:
    assert kind.metavar == "|".join(kind.words)
    for word in kind.words:
        if word != "off":  # that is the option's, not its kind's
            kind.parse(word)


@given(st.integers(1, 999_999_999_999))
def test_the_words_of_a_size_mean_it(size_bytes: int) -> None:
    assert size("1B", "1024GiB").parse(size_words(size_bytes)) == size_bytes


def test_a_rate_is_shown_as_it_is_written() -> None:
    assert str(setting_kinds.RATE.parse("20/60m")) == str(Rate(20, 3_600_000)) == "20/1h"
