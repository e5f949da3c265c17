import pytest

from chat_client.tui.state.keys import KEYS
from tests.client.people import Me


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_all_keys_are_on_the_page(columns: int) -> None:
    me = Me(columns=columns, rows=100)
    me.screen.help_from = 0
    text = me.text()
    assert all(key.shows in text for key in KEYS)


def test_a_small_screen_scrolls_it() -> None:
    me = Me(columns=60, rows=15)
    me.screen.help_from = 1000
    text = me.text()
    assert "Ctrl-C" in text and me.screen.help_from < 1000


def test_it_needs_no_scrolling_at_a_usual_size() -> None:
    me = Me(columns=110, rows=34)
    me.screen.help_from = 0
    assert all(key.shows in me.text() for key in KEYS)
