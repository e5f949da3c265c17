"""Names as people type them."""

import pytest

from chat_client.common.names import fold_typed


@pytest.mark.parametrize("written", ["Zoë", "ZOË", "Zoe\u0308", "Ｚｏë"])
def test_a_name_is_the_same_however_it_is_typed(written: str) -> None:
    assert fold_typed(written) == "zoë"


def test_what_is_too_long_for_a_name_stays_as_it_is() -> None:
    assert fold_typed("X" * 200) == "X" * 200
